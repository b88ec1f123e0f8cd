"""`rerankbench check`: did quality or cost get worse than the baseline?"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from .output import annotate, emit

log = logging.getLogger("rerankbench")


def check(
    baseline: Annotated[Path, typer.Option(help="Baseline file that `rerankbench accept` wrote.")],
    run: Annotated[Path, typer.Option(help="Output folder of `rerankbench run`.")],
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Append Markdown here, as for a GitHub step summary.")] = None,
    github: Annotated[bool, typer.Option("--github", help="Print GitHub annotations on stderr.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of the table.")] = False,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="KEY=VALUE in place of the baseline's policy; can be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap intervals.")] = 0,
) -> None:
    """Compare a run with a baseline. Exit status 0: passed, 1: regression, 2: unusable input.

    Never changes the baseline; `rerankbench accept` does.
    """
    from ..gate import baseline as baselines
    from ..gate import reach, writers
    from ..gate.check import check as judge
    from ..gate.snapshot import snapshots

    known = baselines.read(baseline)
    rules = baselines.edit_policy(known.policy, policy or [])
    if (text := reach.warn_of_untestable(known.model_copy(update={"policy": rules}))) is not None:
        log.warning("%s: %s", baseline, text)
    report = judge(known, snapshots(run, rules.metrics), rules, seed)
    if junit:
        emit(writers.to_junit(report), junit)
    if markdown:
        before = markdown.read_text(encoding="utf-8") if markdown.exists() else ""
        emit(before + writers.to_markdown(report), markdown)
    if github:
        for line in writers.to_annotations(report).splitlines(keepends=True):
            annotate(line)
    emit(f"{writers.to_json(report) if as_json else writers.to_text(report)}\n")
    if not report.passed:
        raise typer.Exit(1)
