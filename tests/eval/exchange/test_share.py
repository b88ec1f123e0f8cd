"""What was pushed is what is pulled, by the hub's own client against a hub on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_cells import FakeCell, some_scores
from hub_server import Hub, local_hub
from rerankbench.eval.exchange import hub as share
from rerankbench.eval.results import load_cells
from rerankbench.rerankers.errors import InputError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("share") / "mine"
    cell = FakeCell(some_scores(5, 12))
    cell.write(root)
    cell.but(dataset="beir/other").write(root)
    (root / "README.md").write_text("# <script>\n")
    (root / "scores").mkdir()
    (root / "scores" / "large.parquet").write_bytes(b"x" * 1000)
    (root / "cells" / "toy" / "notes.txt").write_text("my password")
    (root / "cells" / ".env").write_text("my password")
    (root / ".rerankbench").write_text("my password")
    return root


@pytest.fixture
def hub() -> Iterator[Hub]:
    with local_hub() as hub:
        yield hub


def rerankbench(hub: Hub, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the hub's client reads its address when it is imported."""
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_none", "HF_HOME": str(folder / "hf")}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-m", "rerankbench", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_push_and_pull(run: Path, hub: Hub, tmp_path: Path) -> None:
    dry = rerankbench(hub, tmp_path, "push", str(run), "me/results")
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.startswith("2 cells in 8 files, ")
    assert dry.stdout.splitlines()[-1] == "nothing was sent: a dry run; --yes sends it"
    assert (hub.asked, hub.files) == ([], {})
    sent = rerankbench(hub, tmp_path, "push", str(run), "me/results", "--yes")
    assert sent.returncode == 0, sent.stderr
    assert "/commit/" in sent.stdout
    made = hub.created[0]  # the word depends on the release of huggingface_hub
    assert made.get("visibility") == "private" or made.get("private") is True
    below = {path for path in (run / "cells").rglob("*") if path.suffix in (".json", ".parquet", ".gz")}
    proven = {f"mine/{path.relative_to(run).as_posix()}": path.read_bytes() for path in below}
    assert {name: content for name, content in hub.files.items() if name in proven} == proven
    assert hub.files.keys() - proven.keys() == {"mine/README.md", "mine/.rerankbench"}
    assert set(dry.stdout.splitlines()[1:-1]) == hub.files.keys()
    assert hub.files["mine/README.md"].startswith(b"# fake")
    assert not any(b"my password" in content for content in hub.files.values())
    hub.files["mine/README.md"] = b"<script>"
    hub.files["mine/cells/.env"] = b"<script>"
    got = rerankbench(hub, tmp_path, "pull", "me/results", "mine", "--out", "got")
    assert got.returncode == 0, got.stderr
    assert got.stdout == "2 cells in got\n"
    assert (tmp_path / "got/README.md").read_bytes().startswith(b"# fake")
    assert not list((tmp_path / "got").rglob(".env"))
    assert [c.manifest for c in load_cells([tmp_path / "got"])] == [c.manifest for c in load_cells([run])]


def test_what_was_changed_on_the_way_is_refused(run: Path, hub: Hub, tmp_path: Path) -> None:
    for path in run.rglob("*"):
        if path.is_file():
            hub.files[f"mine/{path.relative_to(run).as_posix()}"] = path.read_bytes()
    name = next(name for name in hub.files if name.endswith("manifest.json"))
    hub.files[name] = hub.files[name].replace(b'"nDCG@10": 0.', b'"nDCG@10": 1.')
    got = rerankbench(hub, tmp_path, "pull", "me/results", "mine", "--out", "got")
    assert (got.returncode, got.stdout) == (2, "")
    assert not (tmp_path / "got").exists()
    assert got.stderr.startswith("error: ")


def test_one_line_for_what_is_not_there(run: Path, hub: Hub, tmp_path: Path) -> None:
    for words, told in (
        (("pull", "me/nothing", "mine"), "me/nothing: the hub was not reached or refused"),
        (("pull", "me/results", "nothing"), "me/results: has no results called 'nothing'"),
    ):
        done = rerankbench(hub, tmp_path, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1
    with pytest.raises(InputError, match="write it as OWNER/NAME"):
        share.plan_upload(run, "results", None, str)
    with pytest.raises(InputError, match="exists already"):
        share.pull("me/results", "mine", run, str)
    with pytest.raises(InputError):
        share.plan_upload(tmp_path, "me/results", None, str)
