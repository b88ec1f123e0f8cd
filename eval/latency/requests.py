"""The requests: queries of a stored run with their candidates, or generated ones of known length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ...rerankers.api import Group
from ...rerankers.errors import InputError, suggest
from ...rerankers.options import LoadOptions, Task, TextOptions
from ...rerankers.validate import validated
from ..bench.pairs import Workload, make_groups
from ..data import Dataset, load_dataset
from ..experiment.schema import RerankerEntry
from ..first_stage import trec_order
from ..results import FIRST_STAGE, Cell, digest, load_cells
from ..results.latency import Latency


def generated(queries: int, candidates: int, words: tuple[int, int]) -> tuple[list[Group], str]:
    """Return texts of random words, all different, and what they are called.

    `words` are those of a query and of a passage.
    """
    work = Workload(queries=queries, candidates=candidates, query_tokens=words[0], passage_mean=words[1])
    groups = [Group(query, passages) for query, passages in make_groups(work)]
    return groups, f"generated: queries of {words[0]} words, passages of {words[1]} on average"


def entry_of(root: Path, label: str) -> RerankerEntry | None:
    """Return the entry of the run's experiment for a model by the name in its tables; None where it has none."""
    for cell in load_cells([root]):
        experiment = cell.provenance.get("experiment")
        if cell.manifest.model == label and cell.manifest.setting != FIRST_STAGE and isinstance(experiment, dict):
            where = str(cell.path / "manifest.json")
            entries = [validated(RerankerEntry, raw, where, as_json=True) for raw in experiment.get("rerankers", ())]
            return next((entry for entry in entries if entry.label == label), None)
    return None


def as_in(root: Path, label: str, task: Task, options: LoadOptions) -> tuple[TextOptions, LoadOptions, dict[str, Any]]:
    """Return text, load and family options of a model in the run's experiment; `options` fix device and dtype."""
    entry = entry_of(root, label)
    if entry is None:
        return TextOptions(task=task), options, {}
    dtype = entry.dtype if options.dtype == "auto" else options.dtype
    return entry.text_options(task), replace(options, dtype=dtype), entry.options


def known_to(root: Path, latency: Latency) -> bool:
    """Return whether the run has cells of this very model and text under this setting, so that its tables show it."""
    cells = [
        c for c in load_cells([root]) if (c.manifest.model, c.manifest.setting) == (latency.model, latency.setting)
    ]
    return any(digest(cell.manifest.identity_parts.get("reranker", {})) == latency.identity for cell in cells)


def of_run(root: Path, name: str | None, queries: int, candidates: int) -> tuple[list[Group], str, Dataset]:
    """Return the first `queries` of a run's dataset, or all, each with its best candidates.

    Raises InputError when the run has no such dataset, it cannot be read, or it has changed since it was scored.
    """
    stages = {c.manifest.dataset: c for c in load_cells([root]) if c.manifest.setting == FIRST_STAGE}
    if not stages:
        raise InputError(f"{root}: has no first stage; give the output folder of `rerankbench run`")
    name = name or next(iter(stages))
    if name not in stages:
        raise InputError(f"--dataset '{name}': is not in {root}{suggest(name, stages)}")
    cell = stages[name]
    dataset = _open_dataset(cell)
    run = {query: trec_order(scores)[:candidates] for query, scores in cell.run().items()}
    known = [query for query in dataset.queries if run.get(query)]
    groups = [Group(dataset.queries[q], dataset.texts([doc for doc, _ in run[q]])) for q in known[:queries]]
    return groups, name, dataset


def _open_dataset(cell: Cell) -> Dataset:
    name = cell.manifest.dataset
    dataset = load_dataset(cell.source)
    if dataset.checksum != cell.manifest.identity_parts.get("checksum"):
        raise InputError(f"dataset '{name}' has changed since {cell.path} was made; run it again")
    return dataset
