"""What the candidates allow: no reranker of them can score above their best order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from ..metrics import trec
from ..results import FIRST_STAGE, QRELS, Cell
from .figures import Limit

Key = tuple[str, object]


def candidates_of(cell: Cell) -> Key:
    """What cells have in common that rank the same candidates of the same queries."""
    parts = cell.manifest.identity_parts
    return cell.manifest.dataset, (parts.get("candidates"), parts.get("checksum"), str(parts.get("partial")))


def limits_of(cells: Sequence[Cell], metric: str) -> dict[Key, Limit]:
    """By `candidates_of`, for those whose first stage is among the cells and has its judgements stored."""
    return {
        candidates_of(cell): _limit(_Stored(cell), metric)
        for cell in cells
        if cell.manifest.setting == FIRST_STAGE and QRELS in cell.manifest.files and metric in cell.manifest.metrics
    }


class _Stored:
    """A cell that counts as the same one while its proof is the same."""

    def __init__(self, cell: Cell) -> None:
        self.cell, self._key = cell, (str(cell.path), cell.manifest.proof)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Stored) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=256)
def _limit(stored: _Stored, metric: str) -> Limit:
    cell = stored.cell
    qrels = cell.qrels()
    assert qrels is not None, "the caller looked"
    run = cell.run()
    best = trec.evaluate(ideal(run, qrels), qrels, [metric])[metric]
    return Limit(100 * cell.manifest.metrics[metric], 100 * best, 100 * _recall(run, qrels))


def ideal(run: trec.Run, qrels: trec.Qrels) -> dict[str, dict[str, float]]:
    """The same documents, the higher grade first, unjudged ones with grade 0."""
    return {query: {doc: float(qrels.get(query, {}).get(doc, 0)) for doc in docs} for query, docs in run.items()}


def _recall(run: trec.Run, qrels: Mapping[str, Mapping[str, int]]) -> float:
    recalls = []
    for query, grades in qrels.items():
        relevant = {doc for doc, grade in grades.items() if grade > 0}
        recalls.append(len(relevant & run.get(query, {}).keys()) / len(relevant) if relevant else 0.0)
    return trec.mean(recalls)
