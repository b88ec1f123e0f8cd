"""Variants as runs of an experiment tracker: MLflow, Weights & Biases or trackio, by its own settings.

Which server or folder, and by which key, is each tracker's own business (MLFLOW_TRACKING_URI, WANDB_MODE, ...).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from sys import stderr
from typing import Any

from ...rerankers.errors import InputError, refusing, suggest
from ..board.frontier import label
from ..board.pivot import Board, Variant, pivot
from ..results import Cell


@dataclass(frozen=True)
class Tracked:
    """One variant: what it was, and its figures.

    Attributes:
        name: `MODEL SETTING`, and why it is partial where it is.
        params: the experiment, and the reranker's part of the identity.
        figures: `DATASET/METRIC` and `mean/METRIC` as fractions, and `flops_per_query` over the rows where measured.
    """

    name: str
    params: Mapping[str, str]
    figures: Mapping[str, float]


def tracked(cells: Sequence[Cell]) -> list[Tracked]:
    """Return a run for each variant of the cells. Raises InputError when there are none."""
    metrics = sorted({name for cell in cells for name in cell.manifest.metrics}) or ["nDCG@10"]
    boards = [pivot(cells, metric) for metric in metrics]
    return [_track(boards, variant) for variant in boards[0].variants]


def _track(boards: Sequence[Board], variant: Variant) -> Tracked:
    figures: dict[str, float] = {}
    for board in boards:
        rows = {name: board.figure(name, variant) for row in board.rows for name in (row.name, *row.members)}
        for name, figure in {**rows, "mean": board.mean(variant)}.items():
            if figure.score is not None:
                figures[f"{name}/{board.metric}"] = figure.score / 100
    # without cells: a metric that it was not judged by
    means = [mean for board in boards if (mean := board.mean(variant)).cells]
    flops = [mean.flops for mean in means if mean.flops is not None]
    figures |= {"flops_per_query": flops[0]} if flops else {}
    first = means[0].cells[0].manifest
    reranker = first.identity_parts.get("reranker")
    params = {"experiment": first.experiment, "model": variant.model, "setting": variant.setting}
    params |= {name: str(value) for name, value in (reranker if isinstance(reranker, dict) else {}).items()}
    partial = f" ({'; '.join(means[0].partial)})" if means[0].partial else ""
    return Tracked(f"{label(variant)}{partial}", params, figures)


def send(runs: Sequence[Tracked], tracker: str, project: str) -> None:
    """Log every run to a project (an experiment, as MLflow calls it); sent again they are there twice.

    Raises InputError for another tracker, one that is not installed, and what it refuses.
    """
    if tracker not in TRACKERS:
        raise InputError(f"no tracker '{tracker}'{suggest(tracker, TRACKERS)}")
    try:
        module = importlib.import_module(tracker)
    except ModuleNotFoundError as err:
        raise InputError(f"{tracker} is not installed: pip install {tracker}") from err
    with redirect_stdout(stderr):  # its own output is no result
        for run in runs:
            with refusing(f"{tracker}: {run.name} was not logged", 300):
                TRACKERS[tracker](module, project, run)


def _log_to_mlflow(mlflow: Any, project: str, run: Tracked) -> None:
    # letters, digits and _-./: and blanks are all that MLflow lets a metric be called
    figures = {re.sub(r"[^\w./: -]", "_", name): value for name, value in run.figures.items()}
    if len(figures) < len(run.figures):
        raise InputError(f"{run.name}: MLflow has no '@' and would give two of {', '.join(run.figures)} one name")
    mlflow.set_experiment(project)
    with mlflow.start_run(run_name=run.name):
        mlflow.log_params(run.params)
        mlflow.log_metrics(figures)


def _log_to_wandb(wandb: Any, project: str, run: Tracked) -> None:
    logged = wandb.init(project=project, name=run.name, config=dict(run.params))  # trackio has the same interface
    logged.log(dict(run.figures))
    logged.finish()


TRACKERS: Mapping[str, Callable[[Any, str, Tracked], None]] = {
    "mlflow": _log_to_mlflow,
    "trackio": _log_to_wandb,
    "wandb": _log_to_wandb,
}
