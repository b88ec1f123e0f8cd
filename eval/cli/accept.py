"""`rerankbench accept`: make a run the baseline. The only command that writes one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

log = logging.getLogger("rerankbench")


def accept(
    run: Annotated[Path, typer.Option(help="Output folder of `rerankbench run`.")],
    baseline: Annotated[Path, typer.Option(help="Baseline file to write or update.")],
    reason: Annotated[str, typer.Option(help="Why this run is the new baseline; kept in its history.")],
    policy: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE of the baseline's policy (judge=exact); can be repeated.")
    ] = None,
    tolerance: Annotated[
        list[str] | None, typer.Option(help="DATASET/MODEL/SETTING=VALUE: tolerance of one cell; can be repeated.")
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Accept cells of a sample or a limited number of queries.")
    ] = False,
    means_only: Annotated[
        bool, typer.Option("--means-only", help="Leave values by query out; a drop is then judged by the mean alone.")
    ] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove cells that the run lacks.")] = False,
) -> None:
    """Write a run's scores, counts, FLOPs and identities into a baseline file, with the reason."""
    from datetime import date

    from ...rerankers.errors import InputError
    from ..gate import baseline as baselines
    from ..gate import reach
    from ..gate.snapshot import snapshots
    from ..locks import file_lock

    tolerances: dict[str, float] = {}
    for text in tolerance or []:
        key, _, value = text.rpartition("=")
        try:
            tolerances[key] = float(value)
        except ValueError as err:
            raise InputError(f"--tolerance '{text}': expected DATASET/MODEL/SETTING=NUMBER") from err
    with file_lock(baseline):
        old = baselines.read(baseline) if baseline.exists() else baselines.Baseline()
        rules = baselines.edit_policy(old.policy, policy or [])
        new = baselines.accept(
            old,
            snapshots(run, rules.metrics),
            reason=reason,
            today=date.today(),
            policy=rules,
            means_only=means_only,
            allow_partial=allow_partial,
            prune=prune,
        )
        new = baselines.with_tolerances(new, tolerances)
        baselines.write(baseline, new)
    entry = new.history[-1]
    if (text := reach.warn_of_untestable(new)) is not None:
        log.warning("%s: %s", baseline, text)
    print(f"{baseline}: accepted {len(entry.cells)} cells, removed {len(entry.removed)}; {len(new.cells)} in all")
