"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from in_process import Command

ROOT = Path(__file__).resolve().parent.parent
os.environ["COLUMNS"] = "100"  # tables wrap at the width of the terminal, and there may be any or none


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real judged data that is not part of the repository; the test is skipped where it is absent."""
    folder = Path(os.environ.get("RERANKBENCH_SHARED", ROOT.parent / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip("judged data is absent: set RERANKBENCH_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(autouse=True, scope="module")
def imported_objects_are_settled():
    """What imports have made is not searched for garbage again: a run collects twice, 0.4 s each time otherwise."""
    gc.freeze()


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `rerankbench` with some arguments in this process: (exit status, stdout, stderr)."""
    from rerankbench.eval.cli import main

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["rerankbench", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        out = capsys.readouterr()
        return int(stop.value.code or 0), out.out, out.err

    return run
