"""One run for all tests of the folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from replay_run import replay_run


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("replay")
    replay_run(folder)
    return folder
