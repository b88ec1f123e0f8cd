"""What makes a stored cell believable, and what is checked before any figure of it is shown.

A manifest has the hashes of the files beside it and one of itself. They are no signature: they prove that nothing
was damaged or edited by itself. `rerankbench run`, which has the qrels, also computes the metrics again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from ...rerankers.errors import InputError, one_line
from ...rerankers.storage.atomic import file_sha256
from ..metrics import trec
from .contexts import read_context
from .identity import digest
from .records import PER_QUERY_COLUMNS, QRELS, Cell, Manifest, cell_path
from .sealed import hash_record

FILES = ("per_query.parquet", "run.trec.gz")  # of every cell; a first stage has its qrels, too
_ROUNDING = 1e-9  # of a mean that is computed in another order


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Return the manifest with the hashes of the cell's files and of itself."""
    hashes = {name: file_sha256(folder / name) for name in (*FILES, QRELS) if (folder / name).is_file()}
    unsealed = manifest.model_copy(update={"files": hashes, "proof": ""})
    return unsealed.model_copy(update={"proof": hash_record(unsealed)})


def check_place(root: Path, dataset: str, model: str, setting: str) -> Path:
    """Return a cell's folder. Raises InputError for names that lead out of the run's folder."""
    for part in (*dataset.split("/"), model, setting):
        if part in ("", ".", "..") or "\0" in part or (part != dataset and {"/", "\\"} & set(part)):
            raise InputError(f"{root}: a cell of it would have the name {part!a:.80}, which leads out of the folder")
    return cell_path(root, dataset, model, setting)


def prove(cell: Cell, root: Path) -> None:
    """Raise InputError when a cell of the run folder `root` does not match its manifest, or is not where it belongs."""
    m = cell.manifest
    file = cell.path / "manifest.json"
    if cell.path != cell_path(root, m.dataset, m.model, m.setting):
        raise unproven(file, f"is the manifest of {m.dataset}/{m.model}/{m.setting}, which is another folder")
    if m.identity != digest(m.identity_parts):
        raise unproven(file, "its identity is not the hash of its parts")
    if m.proof != hash_record(m):
        raise unproven(file, "was damaged or edited")
    if m.context is not None:
        read_context(root, m.context)
    for name in (*FILES, *({QRELS} & m.files.keys())):
        try:
            same = m.files.get(name) == file_sha256(cell.path / name)
        except OSError as err:
            raise unproven(cell.path / name, f"cannot be read ({err.strerror})") from err
        if not same:
            raise unproven(cell.path / name, "was damaged or edited")
    _prove_means(cell)


def _prove_means(cell: Cell) -> None:
    file, m = cell.path / "per_query.parquet", cell.manifest
    try:
        table = cell.table()
        missing = {*PER_QUERY_COLUMNS, *m.metrics} - {*table.column_names}
        if missing or len(table) != m.counts.queries or len(set(table["query_id"].to_pylist())) != len(table):
            raise unproven(file, "has not one row for every judged query, or lacks a column")
        for name, value in m.metrics.items():
            if not math.isclose(trec.mean(_read_values(table, name)), value, abs_tol=_ROUNDING):
                raise unproven(file, f"{name} in the manifest is not the mean of its values by query")
    except InputError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as err:
        raise unproven(file, f"cannot be read ({one_line(err)})") from err


def recomputed(cell: Cell, qrels: Mapping[str, Mapping[str, int]]) -> bool:
    """Return whether the metrics by query are those of the cell's run under these qrels."""
    try:
        table, run = cell.table(), cell.run()
        queries = table["query_id"].to_pylist()
    except (OSError, ValueError, KeyError, EOFError):
        return False
    if queries != sorted(qrels):
        return False
    values = trec.per_query(run, qrels, list(cell.manifest.metrics))
    return all(
        np.allclose(_read_values(table, name), [column[query] for query in queries], rtol=0, atol=_ROUNDING)
        for name, column in values.items()
    )


def _read_values(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].to_pylist(), dtype=float)  # to_numpy would import pandas


def unproven(path: Path, problem: str) -> InputError:
    """Return the refusal of a file of a cell."""
    return InputError(f"{path}: {problem}; run the experiment again, which makes the cell again from the stored scores")
