"""The queries that went wrong: largest losses against the first stage and lowest scores, with both top 10s."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ...rerankers.errors import InputError
from ..board.evidence import Evidence
from ..board.frontier import label
from ..board.pivot import Board, Variant
from ..data import Dataset
from ..metrics.trec import rank
from ..results import FIRST_STAGE, Cell
from .cost import cells_of

DEPTH = 10
SHOWN = 8  # queries of each kind and model
MODELS = 4
SNIPPET = 240  # characters of a passage
QUERY = 600  # characters of a query
Loader = Callable[[str], Dataset]


@dataclass(frozen=True)
class Passage:
    """One line of a ranking. `other` is its rank in the other ranking, None below its depth or absent.

    `grade` is None for an unjudged passage and where the dataset could not be read; then `text` is None as well.
    """

    id: str
    score: float
    grade: int | None
    text: str | None
    other: int | None


@dataclass(frozen=True)
class Query:
    """One query under both rankings; `before` and `after` are the metric x 100."""

    dataset: str
    id: str
    text: str | None
    before: float
    after: float
    first: tuple[Passage, ...]
    reranked: tuple[Passage, ...]


@dataclass(frozen=True)
class Worst:
    """What went wrong with one variant. `lost` and `compared` count queries, `lowest` has none of `losses`."""

    name: str
    first: str
    lost: int
    compared: int
    losses: tuple[Query, ...]
    lowest: tuple[Query, ...]


@dataclass
class Finder:
    """Looks for the worst queries. Reads each dataset once, and of runs what is shown. `notes`: texts not found."""

    evidence: Evidence
    load: Loader | None
    notes: list[str] = field(default_factory=list)
    _datasets: dict[str, Dataset | None] = field(default_factory=dict)
    _runs: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)

    def find(self) -> list[Worst]:
        """One entry for the best variant of each model, at most `MODELS`, the best model first."""
        chosen = best_of_each_model(self.evidence)[:MODELS]
        return [worst for variant in chosen if (worst := self._worst(variant)) is not None]

    def _worst(self, variant: Variant) -> Worst | None:
        pairs, rows = self._pairs(self.evidence.board, variant), self.compared(variant)
        if not pairs:
            return None
        losses = sorted((r for r in rows if r[3] < r[2]), key=lambda r: r[3] - r[2])
        shown = losses[:SHOWN]
        taken = {(r[0].path, r[1]) for r in shown}
        low = sorted((r for r in rows if (r[0].path, r[1]) not in taken), key=lambda r: (r[3], -r[2]))
        names = dict.fromkeys(first.manifest.model for _, first in pairs)
        partner = {cell.path: first for cell, first in pairs}
        for cell, first in pairs:
            queries = {row[1] for row in (*shown, *low[:SHOWN]) if row[0].path == cell.path}
            self._read(cell, queries)
            self._read(first, queries)
        return Worst(
            label(variant),
            ", ".join(names),
            len(losses),
            len(rows),
            tuple(self._query(r[0], partner[r[0].path], *r[1:]) for r in shown),
            tuple(self._query(r[0], partner[r[0].path], *r[1:]) for r in low[:SHOWN]),
        )

    def compared(self, variant: Variant) -> list[tuple[Cell, str, float, float]]:
        """(cell, query, before, after) of every query that a variant and its first stage have, x 100."""
        return [row for pair in self._pairs(self.evidence.board, variant) for row in self._scores(*pair)]

    def _pairs(self, board: Board, variant: Variant) -> list[tuple[Cell, Cell]]:
        """The variant's cells with the first stage that each one reranked."""
        pairs = []
        for cell in cells_of(board, variant):
            first = self.evidence.first_stage(cell.manifest.dataset, variant)
            if first is not None:
                pairs.append((cell, board.figure(cell.manifest.dataset, first).cells[0]))
        return pairs

    def _scores(self, cell: Cell, first: Cell) -> list[tuple[Cell, str, float, float]]:
        """(cell, query, before, after) of the queries that both have."""
        after, before = self.evidence.values(cell), self.evidence.values(first)
        if after is None or before is None:
            return []
        known = dict(zip(before.queries, before.values.tolist()))
        pairs = zip(after.queries, after.values.tolist())
        return [(cell, q, 100 * known[q], 100 * value) for q, value in pairs if q in known]

    def _query(self, cell: Cell, first: Cell, query: str, before: float, after: float) -> Query:
        dataset = self.dataset(cell)
        tops = self._runs[str(first.path)].get(query, {}), self._runs[str(cell.path)].get(query, {})
        ranks = [{doc: i for i, doc in enumerate(rank(top)[:DEPTH], start=1)} for top in tops]
        text = dataset.queries.get(query) if dataset else None
        left, right = (_passages(top, query, dataset, other) for top, other in zip(tops, reversed(ranks)))
        return Query(cell.manifest.dataset, query, text and shorten(text, QUERY), before, after, left, right)

    def _read(self, cell: Cell, queries: set[str]) -> None:
        """Of a run, which may be large, the queries that are shown."""
        known = self._runs.setdefault(str(cell.path), {})
        if missing := queries - known.keys():
            known |= cell.run(missing)

    def dataset(self, cell: Cell) -> Dataset | None:
        """The dataset, if it can be read and is still what was scored."""
        name = cell.manifest.dataset
        if name not in self._datasets:
            self._datasets[name] = self._load(name, cell) if self.load else None
        return self._datasets[name]

    def _load(self, name: str, cell: Cell) -> Dataset | None:
        assert self.load is not None
        try:
            dataset = self.load(cell.source)
        except (InputError, OSError) as err:
            self.notes.append(f"{name}: without texts: {err}")
            return None
        if dataset.checksum != cell.manifest.identity_parts.get("checksum"):
            self.notes.append(f"{name}: without texts: the dataset has changed since it was scored")
            return None
        return dataset


def best_of_each_model(evidence: Evidence) -> list[Variant]:
    """Variants that were run on most rows, then by their mean: the first one of each model."""
    board = evidence.board

    def order(variant: Variant) -> tuple[int, float]:
        scores = [s for row in board.rows if (s := board.figure(row.name, variant).score) is not None]
        return -len(scores), -(sum(scores) / len(scores) if scores else 0.0)

    chosen: dict[str, Variant] = {}
    for variant in sorted((v for v in board.variants if v.setting != FIRST_STAGE and board.mean(v).have), key=order):
        chosen.setdefault(variant.model, variant)
    return list(chosen.values())


def _passages(
    top: Mapping[str, float], query: str, dataset: Dataset | None, other: Mapping[str, int]
) -> tuple[Passage, ...]:
    ids = rank(top)[:DEPTH]
    grades = dataset.qrels.get(query, {}) if dataset else {}
    texts: Sequence[str | None] = dataset.texts(ids) if dataset else [None] * len(ids)
    return tuple(
        Passage(doc, top[doc], grades.get(doc), text and shorten(text, SNIPPET), other.get(doc))
        for doc, text in zip(ids, texts)
    )


def shorten(text: str, most: int) -> str:
    """One line of at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
