"""Pairs with scores become a cell, some queries at a time: run, metrics per query, manifest."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import write_whole
from ..first_stage import run_writer
from ..metrics import trec
from ..metrics.statistics import bootstrap_interval
from ..results import (
    FIRST_STAGE,
    MANIFEST,
    PER_QUERY_COLUMNS,
    Cell,
    Cost,
    Counts,
    Flops,
    Manifest,
    Tokens,
    check_place,
    digest,
    load_manifest,
    seal,
    write_context,
    write_qrels,
)
from ..results.parquet import write_table
from .cells import UNFINISHED, Target
from .inputs import Inputs

log = logging.getLogger("rerankbench")

_RESAMPLES = 1999  # enough for an interval that is printed with two digits


@dataclass(frozen=True)
class Measured:
    """What a cell reports beyond its ranking."""

    flops: Flops | None = None
    tokens: Tokens | None = None
    cost: Cost = field(default_factory=Cost)
    warnings: tuple[str, ...] = ()


class CellWriter:
    """Judges the pairs of a cell and writes its folder, whole or not at all.

    A context: `add` all pairs, then `finish`. What is kept is one row per query.
    """

    def __init__(self, target: Target, inputs: Inputs) -> None:
        self.target, self.inputs = target, inputs
        self._folder = target.root / UNFINISHED.replace("*", digest(target.identity)[:16])
        self._tables: list[pd.DataFrame] = []
        self._columns: Sequence[str] = ("query_id", "doc_id", "score")
        self._pairs = 0

    def __enter__(self) -> CellWriter:
        shutil.rmtree(self._folder, ignore_errors=True)
        tag = f"{self.target.model}.{self.target.setting}"
        with ExitStack() as stack:  # a signal may come before the block begins
            stack.callback(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            self._open = stack.enter_context(ExitStack())
            self._write = self._open.enter_context(run_writer(self._folder / "run.trec.gz", tag))
            self._all = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._all.__exit__(*error)

    def add(self, pairs: pd.DataFrame) -> None:
        """Add all pairs of some queries, one row each.

        Columns: query_id, doc_id, score, and for a reranker truncated, tokens, flops_reference.
        """
        run = PairsRun(pairs)
        self._columns = list(pairs.columns)
        self._pairs += len(pairs)
        self._judge(pairs, run, {q: self.inputs.dataset.qrels[q] for q in run if q in self.inputs.dataset.qrels})
        for query, scores in run.items():
            self._write(query, scores)

    def _warn_of_other(self, path: Path) -> None:
        """A cell of another identity is not replaced in silence: names the parts that differ."""
        if not (path / MANIFEST).is_file():
            return
        try:
            before = load_manifest(path / MANIFEST)
        except InputError:
            return  # told when it was read
        if before.identity != digest(self.target.identity):
            old, new = before.identity_parts, self.target.identity
            differ = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
            log.warning(
                "%s: replaced, for %s differ%s from what was there (experiment %s); --out DIR keeps both",
                path,
                ", ".join(differ) or "parts",
                "s" if len(differ) == 1 else "",
                before.experiment,
            )

    def finish(
        self, measured: Measured, provenance: dict[str, Any], shared: Mapping[str, Any], blocks: str | None = None
    ) -> Cell:
        """Return the cell, written; a judged query without pairs counts 0.

        `shared` is what it has in common with others, `blocks` the fingerprint of the scores that it was made from.
        """
        target, dataset = self.target, self.inputs.dataset
        self._open.close()
        seen = {query for table in self._tables for query in table["query_id"]}
        without = {query: grades for query, grades in dataset.qrels.items() if query not in seen}
        self._judge(pd.DataFrame({name: [] for name in self._columns}), {}, without)
        table = pd.concat(self._tables).set_index("query_id").loc[sorted(dataset.qrels)].reset_index()
        names = [name for name in table.columns if name not in PER_QUERY_COLUMNS]
        values = {name: table[name].to_numpy(dtype=float) for name in names}
        manifest = Manifest(
            experiment=target.experiment,
            dataset=dataset.name,
            group=dataset.policy.group,
            model=target.model,
            setting=target.setting,
            identity=digest(target.identity),
            identity_parts=target.identity,
            partial=self.inputs.partial,
            metrics={name: trec.mean(column) for name, column in values.items()},
            intervals=_compute_intervals(values, self.inputs.partial),
            counts=Counts(
                queries=len(table),
                missing=int((table["candidates"] == 0).sum()),
                pairs=self._pairs,
                truncated=None if table["truncated"].isna().any() else int(table["truncated"].sum()),
                tied=int(table["tied"].sum()),
                nan=int(table["nan"].sum()),
            ),
            flops=measured.flops,
            tokens=measured.tokens,
            cost=measured.cost,
            warnings=(*dataset.warnings, *self.inputs.candidates.warnings, *measured.warnings),
            provenance=provenance,
            context=write_context(target.root, shared),
            blocks=blocks,
        )
        path = check_place(target.root, dataset.name, target.model, target.setting)
        write_table(pa.Table.from_pandas(table, preserve_index=False), self._folder / "per_query.parquet")
        if target.setting == FIRST_STAGE:
            write_qrels(self._folder, dataset.qrels)
        manifest = seal(self._folder, manifest)
        write_whole(self._folder / "manifest.json", manifest.model_dump_json(indent=1))
        path.parent.mkdir(parents=True, exist_ok=True)
        self._warn_of_other(path)
        shutil.rmtree(path, ignore_errors=True)
        self._folder.replace(path)
        return Cell(path, manifest)

    def _judge(self, pairs: pd.DataFrame, run: trec.Run, qrels: trec.Qrels) -> None:
        if qrels:
            self._tables.append(_make_per_query(pairs, qrels, trec.per_query(run, qrels, self.target.metrics)))


class PairsRun(Mapping[str, dict[str, float]]):
    """Query id -> document id -> score, queries in the order of the pairs; made when needed, and not cached."""

    def __init__(self, pairs: pd.DataFrame) -> None:
        self._docs, self._scores = pairs["doc_id"], pairs["score"].to_numpy(dtype=float)
        groups = pairs.groupby("query_id", sort=False).indices
        self._rows = {str(query): rows for query, rows in groups.items()}

    def __getitem__(self, query: str) -> dict[str, float]:
        rows = self._rows[query]
        return dict(zip(self._docs.iloc[rows], self._scores[rows]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _make_per_query(
    pairs: pd.DataFrame, qrels: Mapping[str, Mapping[str, int]], values: Mapping[str, Mapping[str, float]]
) -> pd.DataFrame:
    """Return one row per judged query: PER_QUERY_COLUMNS, then the metrics.

    `tied` counts candidates that share a score.
    """
    queries = sorted(qrels)
    rows = pd.DataFrame({"query_id": pairs["query_id"], "candidates": 1})
    rows["judged"] = [doc in qrels.get(query, ()) for query, doc in zip(pairs["query_id"], pairs["doc_id"])]
    rows["tied"] = pairs.duplicated(["query_id", "score"], keep=False)
    rows["nan"] = pairs["score"].isna()
    unknown = {name for name in ("truncated", "tokens") if len(pairs) and name in pairs and pairs[name].isna().all()}
    for name, absent in (("truncated", False), ("tokens", 0), ("flops_reference", 0)):
        rows[name] = absent if name in unknown else pairs.get(name, absent)
    sums = pd.DataFrame(rows.groupby("query_id").sum()).reindex(queries, fill_value=0).astype("Int64")
    for name in unknown | {"flops_reference"} - set(pairs):
        sums[name] = pd.NA
    table = sums.rename_axis("query_id").reset_index()[list(PER_QUERY_COLUMNS)]
    for name, column in values.items():
        table[name] = [column[query] for query in table["query_id"]]
    return table


def _compute_intervals(
    values: Mapping[str, np.ndarray], partial: Mapping[str, int] | None
) -> dict[str, tuple[float, float]]:
    """Return the interval of every mean where the queries are a sample.

    It is drawn as if the sample were a simple one, so none is too narrow.
    """
    if partial is None or "sample" not in partial:
        return {}
    return {
        name: bootstrap_interval(column, resamples=_RESAMPLES, seed=partial["seed"]) for name, column in values.items()
    }
