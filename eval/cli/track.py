"""`rerankbench track`: results in an experiment tracker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def track(
    dirs: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Output folders of `rerankbench run`.")],
    to: Annotated[str, typer.Option(help="mlflow, trackio or wandb; its package must be installed.")],
    project: Annotated[str, typer.Option(help="The tracker's project; MLflow calls it experiment.")] = "rerankbench",
) -> None:
    """Log every variant as a run of MLflow, trackio or Weights & Biases: its figures, FLOPs and what it was.

    Where that goes is what the tracker's own settings say (MLFLOW_TRACKING_URI, WANDB_MODE=offline, ...).

    Example: `rerankbench track results/runs/quickstart --to mlflow`
    """
    from ..exchange.trackers import send, tracked
    from ..results import load_cells

    runs = tracked(load_cells(dirs))
    send(runs, to, project)
    print(f"{len(runs)} runs to {to}, project {project}: {', '.join(run.name for run in runs)}")
