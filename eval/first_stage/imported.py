"""Candidates from a run that somebody else made."""

from __future__ import annotations

from pathlib import Path

from ...rerankers.errors import InputError
from ...rerankers.storage.names import check_name
from ..data import Dataset
from .candidates import Candidates, file_sha256, kept_candidates, refuse_unknown
from .runs import Run, read_run


def imported_name(file: str) -> str:
    """Return what tables call an imported run: its file's name without endings.

    Raises InputError when that is no name.
    """
    try:
        return check_name(Path(file).name.removesuffix(".gz").rsplit(".", 1)[0])
    except InputError as err:
        raise InputError(f"first_stage.run: {err}, by renaming the file") from err


def imported_candidates(dataset: Dataset, run_file: Path, k: int, folder: Path) -> Candidates:
    """Return top-k of a run file (see `read_run`) for the judged queries of `dataset`, kept in `folder`.

    Raises InputError for a file that cannot be read, a run without any judged query, and a run with documents that
    the corpus does not have: it was made from another version of the dataset.
    """
    run_file = Path(run_file)
    if not run_file.is_file():
        raise InputError(f"{run_file}: no such file; give a TREC run or a JSON dictionary of scores")

    def compute() -> Run:
        run = read_run(run_file)
        judged = [query for query in run if query in dataset.queries]
        if not judged:
            raise InputError(f"{run_file}: none of its queries is judged in {dataset.name}; do they fit?")
        refuse_unknown(dataset, (doc for query in judged for doc in run[query]), str(run_file))
        return run

    return kept_candidates(dataset, k, folder, {"run": run_file.name, "sha256": file_sha256(run_file)}, compute)
