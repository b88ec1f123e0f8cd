"""The first stage of an experiment on one dataset: candidates of each source, fused where there are several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data import Dataset
from ..experiment.schema import Experiment
from ..experiment.stages import Bm25Source, DenseSource, FusedStage, ListedSource, RunSource, Source
from ..first_stage import (
    Candidates,
    fused_candidates,
    fused_name,
    imported_candidates,
    imported_name,
    listed_candidates,
    retrieve,
)
from ..first_stage.dense import MakeEncoder


def find_candidates(
    experiment: Experiment, name: str, dataset: Dataset, folder: Path, make_encoder: MakeEncoder
) -> Candidates:
    """Return the candidates of a dataset, which the experiment calls `name`, reused from `folder` or kept there."""
    stage = experiment.first_stage
    how = {"device": experiment.engine.device, "make_encoder": make_encoder}
    if isinstance(stage, FusedStage):
        parts = [_of_source(part, name, dataset, stage.depth or stage.k, folder, how) for part in stage.fuse]
        fused = fused_candidates(dataset, parts, stage.k, folder, stage.rank_constant)
        who = [
            line for part, made in zip(stage.fuse, parts) if isinstance(part, ListedSource) for line in made.warnings
        ]
        return replace(fused, warnings=(*fused.warnings, *who))
    return _of_source(stage, name, dataset, stage.k, folder, how)


def _of_source(source: Source, name: str, dataset: Dataset, k: int, folder: Path, how: Mapping[str, Any]) -> Candidates:
    if isinstance(source, RunSource):
        return imported_candidates(dataset, source.run_file(name), k, folder)
    if isinstance(source, ListedSource):
        return listed_candidates(source.candidates, dataset, k, folder, positives=source.positives)
    if isinstance(source, Bm25Source):
        return retrieve(source.retriever, dataset, k, folder, bm25=source.options)
    assert isinstance(source, DenseSource)
    return retrieve(source.retriever, dataset, k, folder, **how)


def name_of_stage(experiment: Experiment, name: str) -> str:
    """Return what tables call the first stage on a dataset. Raises InputError for a run whose file has no such name."""
    stage = experiment.first_stage
    if stage.label is not None:
        return stage.label
    names = [part.label or imported_name(str(part.run_file(name))) for part in stage.sources]  # pyright: ignore
    return fused_name(stage.method, names) if isinstance(stage, FusedStage) else names[0]
