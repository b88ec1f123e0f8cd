"""Runs an experiment: first stages, then model by model all datasets, block by block."""

from __future__ import annotations

import gc
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
import pyarrow as pa

from ...rerankers.api import Reranker
from ...rerankers.errors import InputError
from ...rerankers.options import LoadOptions
from ...rerankers.registry import load as load_from_registry
from ...rerankers.settings import Setting
from ..data import load_dataset
from ..first_stage import imported_candidates, retrieve
from ..results import FIRST_STAGE, SCHEMA_VERSION, Cell
from .cells import Inputs, Measured, Target, remove_stale, write_cell
from .cost import PassCost, block_cost, cell_flops, cell_tokens, pair_flops
from .engine import LocalEngine
from .experiment import Experiment, RerankerEntry
from .first_stage_check import check_first_stage
from .peak import device_name
from .progress import Progress
from .provenance import environment, now
from .store import Group, locked, plan_blocks, plan_groups
from .subset import first_queries, sampled_queries

log = logging.getLogger("rerankbench")

Loader = Callable[[str, LoadOptions], Reranker]


def run_experiment(
    experiment: Experiment,
    out: Path,
    *,
    limit: int | None = None,
    sample: int | None = None,
    sample_seed: int = 0,
    overwrite: bool = False,
    load: Loader = load_from_registry,
    command: str | None = None,
) -> list[Cell]:
    """Scores what is not stored yet below `out` and writes every cell. Dataset by dataset, the first stage first.

    `limit` keeps the first queries of each dataset, `sample` a stratified sample of so many (see `subset`); both mark
    every result as partial. `overwrite` drops what is stored. Raises InputError or ScoreError; whatever was stored by
    then is kept and continued by the next call.
    """
    with locked(out):
        if overwrite:
            for name in ("cells", "scores", "candidates"):
                shutil.rmtree(out / name, ignore_errors=True)
        shared = {"experiment": experiment.model_dump(mode="json"), "command": command, **environment()}
        cut = _cut(limit, sample, sample_seed)
        inputs: list[Inputs] = []
        first_stages: list[Cell] = []
        for name in experiment.datasets:
            one = _prepare(experiment, name, out, cut)
            if any(one.dataset.name == other.dataset.name for other in inputs):
                raise InputError(f"datasets: two of them are called '{one.dataset.name}'; rename one folder")
            inputs.append(one)
            first_stages.append(_first_stage_cell(experiment, out, one, shared))
            check_first_stage(experiment, first_stages)
        names = [one.dataset.name for one in inputs]
        cells = {name: [cell] for name, cell in zip(names, first_stages)}
        for entry, settings in experiment.variants().items():
            model = _Model(experiment, entry, settings, out, load, shared)
            for one in inputs:
                cells[one.dataset.name] += model.run(one)
            del model
            _free_memory()
        found = [cell for name in names for cell in cells[name]]
        remove_stale(out, experiment.name, found)
        return found


def _cut(limit: int | None, sample: int | None, seed: int) -> dict[str, int]:
    if limit is not None and sample is not None:
        raise InputError("--limit and --sample: give one of them")
    if limit is not None:
        return {"limit": limit}
    return {} if sample is None else {"sample": sample, "seed": seed}


def _prepare(experiment: Experiment, name: str, out: Path, cut: dict[str, int]) -> Inputs:
    dataset = whole = load_dataset(name)
    folder = out / "candidates"
    if cut:
        folder /= "-".join(f"{key}-{value}" for key, value in cut.items())
        if "limit" in cut:
            dataset = first_queries(whole, cut["limit"])
        else:
            dataset = sampled_queries(whole, cut["sample"], cut["seed"])
            if len(dataset.queries) == len(whole.queries):
                cut = {}  # a sample of all queries is the dataset
    stage = experiment.first_stage
    run_file = stage.run_file(name)
    if run_file is not None:
        candidates = imported_candidates(dataset, run_file, stage.k, folder)
    else:
        device = experiment.engine.device
        candidates = retrieve(stage.retriever or "bm25", dataset, stage.k, folder, device=device)
    for warning in (*dataset.warnings, *candidates.warnings):
        log.warning("%s: %s", dataset.name, warning)
    return Inputs(dataset, candidates, cut or None)


def _first_stage_cell(experiment: Experiment, out: Path, inputs: Inputs, shared: dict[str, Any]) -> Cell:
    source = inputs.candidates.source
    model = experiment.first_stage.label or Path(str(source["run"])).name.removesuffix(".gz").rsplit(".", 1)[0]
    identity = {"schema": SCHEMA_VERSION, "first_stage": source, **inputs.identity()}
    target = Target(out, experiment.name, model, FIRST_STAGE, identity, experiment.metrics)
    if (done := target.existing(inputs)) is not None:
        return done
    rows = [(query, doc, score) for query, docs in inputs.candidates.run.items() for doc, score in docs]
    pairs = pd.DataFrame(rows, columns=["query_id", "doc_id", "score"])
    provenance = {**shared, **_data_provenance(out, inputs), "finished": now()}
    return write_cell(target, inputs, Measured(pairs), provenance)


class _Model:
    """One loaded model and what the experiment wants of it."""

    def __init__(
        self,
        experiment: Experiment,
        entry: RerankerEntry,
        settings: Sequence[Setting],
        out: Path,
        load: Loader,
        shared: dict[str, Any],
    ) -> None:
        self.experiment, self.entry, self.settings, self.out, self.shared = experiment, entry, settings, out, shared
        self.options = experiment.load_options(entry)
        start = perf_counter()
        self.reranker = load(entry.model, self.options)
        self.load_seconds = perf_counter() - start
        log.info("%s: loaded on %s as %s", entry.label, self.reranker.device, self.reranker.dtype)
        self.warnings = {setting: tuple(self.reranker.check(setting)) for setting in settings}
        for warning in dict.fromkeys(w for warnings in self.warnings.values() for w in warnings):
            log.warning("%s: %s", entry.label, warning)

    def run(self, inputs: Inputs) -> list[Cell]:
        """Scores a dataset under all settings and writes its cells, in the order of the settings."""
        started, dataset = now(), inputs.dataset
        text = self.entry.text_options(dataset.policy.prompt)
        base = {"schema": SCHEMA_VERSION, "reranker": self.reranker.identity(text), **inputs.identity()}
        targets = {
            s: Target(
                self.out,
                self.experiment.name,
                self.entry.label,
                s.name,
                {**base, "setting": s.name},
                self.experiment.metrics,
            )
            for s in self.settings
        }
        root = self.out / "scores" / dataset.name / self.entry.label
        cells: dict[Setting, Cell] = {}
        for group in plan_groups(root, base, self.settings, self.experiment.engine.block_queries):
            wanted = [setting for setting in group.settings if setting in targets and setting not in cells]
            pairs, cost = self._score(group, inputs, LocalEngine(self.reranker, dataset, group.settings, text))
            for setting in wanted:
                done = targets[setting].existing(inputs)
                cells[setting] = done or self._cell(targets[setting], inputs, setting, pairs, cost, started)
        return [cells[setting] for setting in self.settings]

    def _score(self, group: Group, inputs: Inputs, engine: LocalEngine) -> tuple[pd.DataFrame, PassCost]:
        """Executes the blocks that are not stored, then reads all of them."""
        blocks = plan_blocks(inputs.candidates.run, group.block_queries)
        group.open()
        tables = {block.index: group.stored(block) for block in blocks}
        missing = [block for block in blocks if tables[block.index] is None]
        total, left = (sum(block.pairs for block in some) for some in (blocks, missing))
        title = f"{inputs.dataset.name} · {self.entry.label} · {', '.join(s.name for s in group.settings)}"
        progress = Progress(title, total, total - left)
        for block, scored in engine.run_blocks(missing):
            group.write(block, scored, block_cost(scored, self.reranker))
            tables[block.index] = group.stored(block)
            progress.add(block.pairs)
        progress.close()
        stored = [table for table in tables.values() if table is not None]
        pairs = pa.concat_tables([group.empty(), *stored]).to_pandas()
        return pairs, PassCost([group.cost(block) for block in blocks], group.settings)

    def _cell(
        self, target: Target, inputs: Inputs, setting: Setting, pairs: pd.DataFrame, cost: PassCost, started: str
    ) -> Cell:
        reference = pair_flops(self.reranker, setting, pairs)
        rows = pairs[["query_id", "doc_id", "truncated"]].assign(
            score=pairs[setting.name],
            tokens=pairs["query_tokens"] + pairs["passage_tokens"] + pairs["prompt_tokens"],
        )
        if reference is not None:
            rows["flops_reference"] = reference
        measured = Measured(
            rows,
            flops=cell_flops(self.reranker, setting, pairs, reference, cost.total("flops")),
            tokens=cell_tokens(pairs, cost),
            cost=cost.summary(len(pairs), self.reranker, self.load_seconds),
            warnings=self.warnings[setting],
        )
        spec = self.reranker.spec
        provenance = {
            **self.shared,
            **_data_provenance(self.out, inputs),
            "model": {"name": spec.name, "family": spec.family, "source": spec.source, "revision": spec.revision},
            "options": vars(self.options),
            "device": self.reranker.device,
            "device_name": device_name(self.reranker.device),
            "dtype": self.reranker.dtype,
            "started": started,
            "finished": now(),
        }
        return write_cell(target, inputs, measured, provenance)


def _data_provenance(out: Path, inputs: Inputs) -> dict[str, Any]:
    candidates, dataset = inputs.candidates, inputs.dataset
    path = candidates.path
    return {
        "candidates": {
            "source": candidates.source,
            "hash": candidates.hash,
            "k": candidates.k,
            "path": str(path.relative_to(out) if path.is_relative_to(out) else path),
        },
        "data": {"policy": vars(dataset.policy), "documents": len(dataset), "warnings": list(dataset.warnings)},
    }


def _free_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
