"""`rerankbench plan`: what an experiment will cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ...rerankers.errors import InputError
from ..text.aligned import listing, paragraph
from .bounds import MOST_QUERIES, MOST_TOKENS, number

if TYPE_CHECKING:
    from ..plan.plan import Plan


def plan(
    experiment: Annotated[str, typer.Argument(help="Experiment file, or a name from `rerankbench ls experiments`.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, as for `rerankbench run`.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=MOST_QUERIES, help="Only the first N queries of each dataset.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Hours on a device of configs/devices.yaml, at --share.")] = None,
    share: Annotated[
        float,
        typer.Option(
            min=0.01, max=1.0, callback=number, help="Share of the device's peak that is sustained; an assumption."
        ),
    ] = 0.4,
    tflops: Annotated[float | None, typer.Option(help="Hours at this many sustained TFLOP/s.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Hours on this many of these devices together, with --device or --tflops.")
    ] = None,
    query_tokens: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_TOKENS, help="Query tokens of absent datasets; default: BEIR's, else 20."),
    ] = None,
    passage_tokens: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_TOKENS, help="Passage tokens of absent datasets; default: BEIR's, else 150."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Cells, pairs, tokens, PFLOPs and hours of an experiment. Nothing is downloaded, no model is loaded.

    Example: rerankbench plan quickstart --tflops 0.1
    """
    from ..experiment.file import load_experiment
    from ..hardware.devices import find_speed
    from ..plan.plan import make_plan
    from ..schedule.spread import spread

    peak = find_speed(device, tflops)
    sustained = peak * share if device and peak else peak
    wanted = load_experiment(experiment, set_ or ())
    made = make_plan(wanted, limit=limit, query_tokens=query_tokens, passage_tokens=passage_tokens)
    together = None
    if workers is not None:
        if sustained is None:
            raise InputError("--workers: say how fast one of them is, with --device or --tflops")
        together = spread(made, wanted.engine.block_queries, workers, sustained)
    if as_json:
        print(json.dumps({**made.as_json(sustained), "spread": together and asdict(together)}, indent=2))
        return
    print(plan_text(made, sustained, share))
    if together is not None:
        share_used = "" if together.efficiency is None else f", {together.efficiency:.0%} of their time used"
        print(
            f"{workers} workers: {together.hours:,.2f} hours in {together.blocks:,} blocks{share_used}, "
            "without loading the models"
        )
    if device:
        print(f"hours assume {share:.0%} of the {peak:g} TFLOP/s that {device} has at most")


def plan_text(plan: Plan, tflops: float | None = None, share: float = 0.4) -> str:
    """The plan as a person reads it: hours at `tflops` sustained, else at `share` of the peak of every known device."""
    from ...rerankers.prompting.template import TOKENS_PER_WORD
    from ..plan.plan import hours

    sizes = [
        (s.dataset, f"{s.queries:,}", f"{s.pairs:,}", f"{s.query_tokens} + {s.passage_tokens}, {s.lengths}")
        for s in plan.sizes
    ]
    lines = [_table(("dataset", "queries", "pairs", "tokens per query + passage"), sizes, (1, 2, 3)), ""]
    costs = []
    for model, setting in dict.fromkeys((cell.model, cell.setting) for cell in plan.cells):
        cells = [cell for cell in plan.cells if (cell.model, cell.setting) == (model, setting)]
        tokens, pflops = sum(cell.tokens or 0 for cell in cells), sum(cell.pflops or 0.0 for cell in cells)
        known = model not in plan.unknown
        figures = (f"{tokens / 1e9:,.3f}", f"{pflops:,.3f}") if known else ("unknown", "unknown")
        costs.append((model, setting, *figures))
    lines.append(_table(("model", "setting", "Gtokens", "PFLOPs"), costs, (2, 3)) if costs else "no reranker")
    if plan.encodings:
        documents = sum(one.documents for one in plan.encodings)
        known = all(one.pflops is not None for one in plan.encodings)
        cost = f"{plan.encoding_pflops:,.3f} PFLOPs, {plan.disk_bytes / 1e9:,.2f} GB of vectors on disk"
        lines += ["", f"first stage: {documents:,} documents to encode: {cost if known else 'cost unknown'}"]
    time = hours(plan.pflops + plan.encoding_pflops, tflops)
    pairs = sum(one.pairs for one in plan.passes)
    passes = f"{len(plan.cells)} cells from {len(plan.passes)} forward passes over at most {pairs:,} pairs"
    first = " with the first stage" if plan.encodings else ""
    at = f", {time:,.2f} hours{first} at {tflops:g} TFLOP/s" if time is not None else ""
    lines += [
        "",
        f"{passes}: {plan.pflops:,.3f} PFLOPs{at}",
        *([] if tflops else _hours_by_device(plan.pflops + plan.encoding_pflops, share)),
        f"downloads: {plan.download_bytes / 1e9:,.2f} GB"
        + (f", and {', '.join(plan.unsized)}, whose size is not known" if plan.unsized else ""),
        f"estimate: reference FLOPs of mean lengths; {TOKENS_PER_WORD} tokens a word where words are counted, "
        "those of prompts among them; a pass costs what its deepest setting costs",
    ]
    return "\n".join(line if "\n" in line or not line else paragraph(line).rstrip() for line in lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> str:
    return listing(head, rows, right=right).rstrip()


def _hours_by_device(pflops: float, share: float) -> list[str]:
    """One line: hours on every device of configs/devices.yaml."""
    from ...configs import CONFIGS, read
    from ..plan.plan import hours

    if not pflops:
        return []
    times = {name: hours(pflops, peak * share) for name, peak in read(CONFIGS / "devices.yaml").items()}
    by_device = ", ".join(f"{name} {_rounded(time or 0.0)}" for name, time in times.items())
    return [f"hours at {share:.0%} of a device's peak: {by_device}"]


def _rounded(time: float) -> str:
    return "< 0.01" if time < 0.01 else f"{time:,.2g}" if time < 10 else f"{time:,.0f}"
