"""Where compiled kernels are kept."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from rerankbench.rerankers.models import compiled


def test_kernels_are_kept_at_home_and_for_the_process_where_home_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", "")
    monkeypatch.setenv("TRITON_HOME", str(tmp_path))
    compiled._choose_folder()
    assert os.environ["TRITON_CACHE_DIR"] == ""
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRITON_HOME", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "rerankbench"):
        compiled._choose_folder()
    assert "cannot be written to" in caplog.text
    assert Path(os.environ["TRITON_CACHE_DIR"]).is_dir()
