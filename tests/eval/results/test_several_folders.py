"""Several folders at once: an empty one is left out with a warning, alone it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from rerankbench.eval.results import load_cells
from rerankbench.rerankers.errors import InputError
from table_cells import make_cell, write_cell


def test_an_empty_folder_among_others_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_cell(make_cell("a", 0.5, root=tmp_path / "run"))
    (tmp_path / "empty").mkdir()
    assert len(load_cells([tmp_path / "empty", tmp_path / "run"])) == 1
    assert "empty: left out, for it has no finished cell" in caplog.text
    for folders in ([tmp_path / "empty"], [tmp_path / "empty", tmp_path / "empty"]):
        with pytest.raises(InputError, match="finished cell"):
            load_cells(folders)
