"""Is the first stage the published one? Checked before any time goes into reranking its candidates."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ...rerankers.errors import InputError
from ..data import list_datasets
from ..experiment.schema import Experiment
from ..published import load_published
from ..results import FIRST_STAGE, Cell

log = logging.getLogger("rerankbench")


def check_first_stage(experiment: Experiment, cells: Sequence[Cell]) -> None:
    """Compare the newest of the first-stage cells, or the macro group that it completes, with the published figure.

    Partial cells and rows that the published table lacks pass unchecked, which is logged. Raises InputError for a
    figure out of tolerance, unless `first_stage.on_mismatch` is `warn`.
    """
    stage = experiment.first_stage
    if stage.check is None:
        return
    table = load_published(stage.check)
    newest = cells[-1].manifest
    row = newest.group or newest.dataset
    published = table.value(row, table.first_stage, FIRST_STAGE) if table.first_stage else None
    if published is None or newest.partial:
        why = "only some queries were run" if newest.partial else f"'{table.name}' has no figure for it"
        log.info("%s: first stage not checked: %s", row, why)
        return
    means = {cell.manifest.dataset: cell.manifest.metrics[table.metric] for cell in cells}
    members = [info.name for info in list_datasets() if newest.group and info.policy.group == newest.group]
    names = members or [newest.dataset]
    if any(name not in means for name in names):
        return  # the group is not complete yet
    measured = 100 * sum(means[name] for name in names) / len(names)
    allowed = table.tolerance.first_stage if stage.tolerance is None else stage.tolerance
    printed = f"'{table.name}' prints {published:.{table.decimals}f}"
    line = f"{row}: the first stage has {table.metric} {measured:.2f}, {printed} (tolerance {allowed:g})"
    if abs(measured - published) <= allowed + 1e-9:
        log.info("%s: met", line)
    elif stage.on_mismatch == "warn":
        log.warning("%s", line)
    else:
        raise InputError(
            f"{line}; reranking was not started; --set first_stage.on_mismatch=warn starts it nevertheless"
        )
