"""Runs an experiment: first stages, then model by model all datasets, block by block."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...rerankers.errors import ScoreError
from ...rerankers.registry import load as load_from_registry
from ..data import load_dataset
from ..experiment.models import Specs, find_models, unresolved
from ..experiment.schema import Experiment
from ..first_stage.dense import MakeEncoder
from ..locks import folder_lock
from ..results import FIRST_STAGE, SCHEMA_VERSION, Cell, memo_of, write_expected
from .cells import Target, data_provenance, remove_stale
from .engine import BlocksFailed
from .engines import Loader, encoders, engines
from .first_stage import find_candidates, name_of_stage
from .first_stage_check import check_first_stage
from .identity_cache import finished, remember
from .inputs import Inputs, check_row_names
from .provenance import environment, now
from .run_folder import claim, removed_if_refused
from .subset import WHOLE, Part

log = logging.getLogger("rerankbench")

_FIRST_STAGE_CHUNK = 64  # queries that are written and judged at a time


def run_experiment(
    experiment: Experiment,
    out: Path,
    *,
    part: Part = WHOLE,
    overwrite: bool = False,
    load: Loader = load_from_registry,
    specs: Specs | None = None,
    command: str | None = None,
) -> list[Cell]:
    """Score what is not stored yet below `out`, and write every cell: the results of one variant on one dataset.

    Returns them by dataset, each dataset's first stage first. `part` chooses queries of each dataset (the first N, or
    a sample); such results are marked as partial. `overwrite` drops what is stored.
    `specs` are the models by label; None finds them. Raises InputError or ScoreError; whatever was stored by then is
    kept and continued by the next call.
    """
    if specs is None:
        specs = find_models(experiment) if load is load_from_registry else unresolved(experiment)
    with removed_if_refused(out), folder_lock(out):
        claim(out, overwrite)
        shared = {"experiment": experiment.model_dump(mode="json"), "command": command, **environment()}
        inputs: list[Inputs] = []
        first_stages: list[Cell] = []
        with encoders(experiment.engine) as make_encoder:
            for name in experiment.datasets:
                prepared = _prepare(experiment, name, out, part, make_encoder)
                inputs.append(prepared)
                check_row_names([(each.dataset.name, each.dataset.policy.group) for each in inputs])
                first_stages.append(_write_first_stage_cell(experiment, out, prepared, shared))
                check_first_stage(experiment, first_stages)
        del make_encoder
        _free_memory()
        names = [prepared.dataset.name for prepared in inputs]
        write_expected(out, experiment.name, names, _list_variants(experiment, first_stages))
        cells = {name: [cell] for name, cell in zip(names, first_stages)}
        for name, of_model in _rerank(experiment, specs, inputs, out, load, shared):
            cells[name] += of_model
        written = [cell for name in names for cell in cells[name]]
        remove_stale(out, experiment.name, written)
        memo_of(out).save()
        return written


def _list_variants(experiment: Experiment, first_stages: Sequence[Cell]) -> list[tuple[str, str]]:
    """Return every (model, setting) of the experiment: first stages, then rerankers."""
    stages = dict.fromkeys((cell.manifest.model, FIRST_STAGE) for cell in first_stages)
    variants = experiment.variants()
    return [*stages, *((entry.label, setting.name) for entry, settings in variants.items() for setting in settings)]


def _prepare(experiment: Experiment, name: str, out: Path, part: Part, make_encoder: MakeEncoder) -> Inputs:
    dataset = whole = load_dataset(name)
    folder, cut = out / "candidates", part.as_json()
    if cut:
        folder /= "-".join(f"{key}-{value}" for key, value in cut.items())
        dataset = part.of(whole)
        if part.sample is not None and len(dataset.queries) == len(whole.queries):
            cut = {}  # a sample of all queries is the dataset
    candidates = find_candidates(experiment, name, dataset, folder, make_encoder)
    for warning in (*dataset.warnings, *candidates.warnings):
        log.warning("%s: %s", dataset.name, warning)
    return Inputs(dataset, candidates, cut or None, name)


def _write_first_stage_cell(experiment: Experiment, out: Path, inputs: Inputs, shared: dict[str, Any]) -> Cell:
    source, model = inputs.candidates.source, name_of_stage(experiment, inputs.source)
    identity = {"schema": SCHEMA_VERSION, "first_stage": source, **inputs.identity()}
    target = Target(out, experiment.name, model, FIRST_STAGE, identity, experiment.metrics)
    if (done := target.existing(inputs)) is not None:
        return done
    import pandas as pd  # here: a finished run needs none

    from .cell_writer import CellWriter, Measured

    run = inputs.candidates.run
    provenance = {**data_provenance(out, inputs), "finished": now()}
    with CellWriter(target, inputs) as writer:
        queries = list(run)
        for start in range(0, len(queries), _FIRST_STAGE_CHUNK):
            chunk = queries[start : start + _FIRST_STAGE_CHUNK]
            rows = [(query, doc, score) for query in chunk for doc, score in run[query]]
            writer.add(pd.DataFrame(rows, columns=["query_id", "doc_id", "score"]))
        cell = writer.finish(Measured(), provenance, shared)
    target.remember(cell, inputs)
    return cell


def _rerank(
    experiment: Experiment,
    specs: Specs,
    inputs: Sequence[Inputs],
    out: Path,
    load: Loader,
    shared: dict[str, Any],
) -> Iterator[tuple[str, list[Cell]]]:
    """Yield (dataset, its cells), model by model. Raises ScoreError after the last model where blocks were given up."""
    if not experiment.rerankers:
        return
    given_up: list[BlocksFailed] = []
    with ExitStack() as stack:
        make_engine = stack.enter_context(engines(experiment.engine, load, load_dataset))
        stack.callback(gc.unfreeze)
        for entry, settings in experiment.variants().items():
            by_registry, spec = load is load_from_registry, specs[entry.label]
            if by_registry and (done := finished(experiment, entry, spec, settings, inputs, out)) is not None:
                yield from done.items()
                continue
            from .model_run import ModelRun  # here: a finished run needs no pandas

            model = ModelRun(experiment, entry, spec, settings, inputs, out, make_engine, shared)
            try:
                if by_registry:
                    remember(experiment, entry, spec, inputs, model.loaded.identities)
                yield from model.run().items()
            except BlocksFailed as err:
                log.error("%s: %s", entry.label, err)
                given_up.append(err)
            finally:
                model.close()
                del model
                _free_memory()
    if given_up:
        raise given_up[0] if len(given_up) == 1 else ScoreError("; ".join(map(str, given_up)))


def _free_memory() -> None:
    gc.collect()
    gc.freeze()  # what is left stays, and is not looked through again after every model
    pa.default_memory_pool().release_unused()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
