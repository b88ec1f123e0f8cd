"""The stored scores of one dataset as arrays: one row per judged query, candidates in first-stage order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...rerankers.errors import InputError
from ...rerankers.flops import Shape, reference, resumed, shared_layers
from ...rerankers.settings import Setting
from ..board.limits import candidates_of
from ..first_stage import trec_order
from ..results import FIRST_STAGE, Cell, digest
from ..results.store import Block, PassScores, plan_blocks

Array = NDArray[Any]
_AGAIN = "run the experiment again, which makes it anew"


@dataclass(frozen=True)
class Scores:
    """What one variant said about the candidates of a pool.

    Attributes:
        cell: its results.
        base: what settings have in common that are of one model and one text.
        shape: what a pair costs; None: not known, or the run is of a release that did not store it.
        values: float32 scores, shape (queries, candidates); those of absent candidates are -inf.
        tokens: int64 token counts of query, passage and prompt, shape (3, queries, candidates), 0 where absent.
    """

    cell: Cell
    setting: Setting
    base: str
    shape: Shape | None
    values: Array
    tokens: Array

    @cached_property
    def flops(self) -> Array | None:
        """Reference FLOPs of every pair, int64 of shape (queries, candidates), 0 where absent."""
        return None if self.shape is None else self._paid(reference(self.shape, self.setting, *self.tokens))

    def flops_after(self, done: Sequence[Scores]) -> Array | None:
        """The same when these other variants have scored the pair before, and what they share need not run again."""
        if self.shape is None:
            return None
        same = [other for other in done if other.base == self.base]
        layers = max((shared_layers(self.shape, other.setting, self.setting) for other in same), default=0)
        return self._paid(resumed(self.shape, self.setting, layers, *self.tokens))

    def _paid(self, flops: Array) -> Array:
        return np.where(np.isfinite(self.values), flops, 0)


@dataclass(frozen=True)
class CandidatePool:
    """One dataset's candidates and every variant that scored them.

    Attributes:
        first: the first stage's cell.
        queries: judged ones, sorted.
        docs: ids of each query's candidates, best first; empty for a query without any.
        grades: int64, shape (queries, candidates): what a candidate gains, 0 where it is unjudged or absent.
        present: bool, the same shape.
        by_id: int64, the same shape: place of the document's id among the query's, the last id in order being 0, which
            is how trec_eval breaks ties.
        qrels: the judgements as they are stored.
        relevant: grades above 0 of each query's judgements, descending.
        scores: of the variants, in the order of the cells.
    """

    first: Cell
    queries: tuple[str, ...]
    docs: tuple[tuple[str, ...], ...]
    grades: Array
    present: Array
    by_id: Array
    qrels: Mapping[str, Mapping[str, int]]
    relevant: tuple[Array, ...]
    scores: tuple[Scores, ...]

    @property
    def width(self) -> int:
        """Most candidates of a query."""
        return self.present.shape[1]

    @property
    def depth(self) -> int:
        """Candidates per query that the first stage was asked for; `width` where the run does not say."""
        made = self.first.manifest.provenance.get("candidates") or {}
        return max(int(made.get("k", 0)), self.width)

    @property
    def dataset(self) -> str:
        """Its name."""
        return self.first.manifest.dataset


def pools(cells: Sequence[Cell]) -> Iterator[CandidatePool]:
    """One for each first stage that was reranked, in the order of the cells, each read when it is asked for.

    Raises InputError where runs disagree about a variant, judgements are not stored, or stored scores are gone or
    damaged.
    """
    first = {candidates_of(cell): cell for cell in cells if cell.manifest.setting == FIRST_STAGE}
    distinct: dict[tuple[str, str, str], Cell] = {}
    for cell in (cell for cell in cells if cell.manifest.setting != FIRST_STAGE):
        m = cell.manifest
        known = distinct.setdefault((m.dataset, m.model, m.setting), cell)
        if known.manifest.identity != m.identity:
            raise InputError(f"{cell.path}: is another result than {known.path}; give the folder of one of them")
    reranked: dict[Any, list[Cell]] = {}
    for cell in distinct.values():
        reranked.setdefault(candidates_of(cell), []).append(cell)
    for key, mine in reranked.items():
        if key not in first:
            raise InputError(f"{mine[0].path}: its first stage is not among the folders; give its run's folder as well")
    if not reranked:
        raise InputError("no reranker was run, so there are no scores; give the folder of a run with rerankers")
    names = [dataset for dataset, _ in reranked]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{twice[0]}: candidates of two first stages were reranked; give runs that share theirs")
    return (_pool(first[key], mine) for key, mine in reranked.items())


def _pool(first: Cell, cells: Sequence[Cell]) -> CandidatePool:
    qrels = first.qrels()
    if qrels is None:
        raise InputError(f"{first.path}: has no qrels; run the experiment again, which adds them")
    run = {query: trec_order(scores) for query, scores in first.run().items()}
    queries = tuple(sorted(qrels))
    docs = tuple(tuple(doc for doc, _ in run.get(query, ())) for query in queries)
    shape = len(queries), max(map(len, docs))
    grades, by_id = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for row, (query, ids) in enumerate(zip(queries, docs)):
        grades[row, : len(ids)] = [max(qrels[query].get(doc, 0), 0) for doc in ids]
        by_id[row, sorted(range(len(ids)), key=ids.__getitem__, reverse=True)] = range(len(ids))
    present = np.arange(shape[1]) < np.array([len(ids) for ids in docs])[:, None]
    relevant = tuple(np.sort([grade for grade in qrels[query].values() if grade > 0])[::-1] for query in queries)
    tables: dict[str, _Stored] = {}
    scores = tuple(_scores(cell, run, queries, present, tables) for cell in cells)
    return CandidatePool(first, queries, docs, grades, present, by_id, qrels, relevant, scores)


@dataclass(frozen=True)
class _Stored:
    """The pairs of a group of settings, where they stand in a pool, and their token counts, which settings share."""

    pairs: pd.DataFrame
    rows: Array
    columns: Array
    tokens: Array

    @classmethod
    def of(cls, table: pd.DataFrame, queries: Sequence[str], shape: tuple[int, int]) -> _Stored:
        """The judged queries of a table."""
        number = {query: row for row, query in enumerate(queries)}
        pairs = table.loc[table["query_id"].isin(list(number))]
        rows = np.array([number[query] for query in pairs["query_id"]], dtype=np.int64)
        columns = pairs.groupby("query_id", sort=False).cumcount().to_numpy()
        tokens = np.zeros((3, *shape), dtype=np.int64)
        for place, name in enumerate(("query_tokens", "passage_tokens", "prompt_tokens")):
            tokens[place, rows, columns] = pairs[name]
        return cls(pairs, rows, columns, tokens)


def _scores(
    cell: Cell,
    run: Mapping[str, Sequence[tuple[str, float]]],
    queries: Sequence[str],
    present: Array,
    known: dict[str, _Stored],
) -> Scores:
    m = cell.manifest
    base = {key: value for key, value in m.identity_parts.items() if key != "setting"}
    group = _group(cell, base)
    key = str(group.folder)
    if key not in known:
        known[key] = _Stored.of(_stored(group, run, cell), queries, present.shape)
    _check_origin(cell, group, plan_blocks(run, group.block_queries), known[key].pairs)
    stored = known[key]
    values = np.full(present.shape, -np.inf, dtype=np.float32)
    values[stored.rows, stored.columns] = stored.pairs[m.setting]
    return Scores(cell, Setting.parse(m.setting), digest(base["reranker"]), _shape(cell), values, stored.tokens)


def _group(cell: Cell, base: dict[str, Any]) -> PassScores:
    place = cell.root / "scores" / cell.manifest.dataset / cell.manifest.model
    wanted = digest(base)
    for folder in sorted(place.iterdir()) if place.is_dir() else ():
        group = PassScores.read(folder)
        names = [setting.name for setting in group.settings] if group else []
        if group and digest(dict(group.base)) == wanted and cell.manifest.setting in names:
            return group
    raise InputError(f"{place}: the scores of {cell.manifest.setting} are gone; {_AGAIN}")


def _check_origin(cell: Cell, group: PassScores, blocks: Sequence[Block], pairs: pd.DataFrame) -> None:
    """Raises InputError where a cell was not made from the scores that are stored: tables would show other figures."""
    m = cell.manifest
    if m.blocks is not None:
        made = m.blocks == group.fingerprint(blocks)
    else:
        run = cell.run()
        rows = zip(pairs["query_id"], pairs["doc_id"], pairs[m.setting])
        made = all(np.float32(run.get(query, {}).get(doc, np.nan)) == score for query, doc, score in rows)
    if not made:
        raise InputError(f"{cell.path}: its ranking is not that of the scores in {group.folder}; {_AGAIN}")


def _stored(group: PassScores, run: Mapping[str, Sequence[tuple[str, float]]], cell: Cell) -> pd.DataFrame:
    tables = []
    for block in plan_blocks(run, group.block_queries):
        table = group.stored(block, unbound=cell.manifest.blocks is None)
        if table is None:
            raise InputError(f"{group.path(block)}: is gone or damaged; {_AGAIN}")
        tables.append(table.to_pandas())
    return pd.concat(tables, ignore_index=True)


def _shape(cell: Cell) -> Shape | None:
    values = cell.manifest.provenance.get("shape")
    try:
        return Shape.of_json(values) if values else None
    except (ValueError, TypeError, KeyError) as err:
        raise InputError(f"{cell.path / 'manifest.json'}: provenance.shape cannot be read; {_AGAIN}") from err
