"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


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
