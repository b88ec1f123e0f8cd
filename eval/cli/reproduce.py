"""`rerankbench reproduce`: plan, verify, first-stage check, run, and the table beside the published one."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...rerankers.errors import InputError
from .bounds import number

if TYPE_CHECKING:
    from ..experiment.schema import Experiment
    from ..published import PublishedTable
    from ..reproduce.order import Unit
    from ..results import Cell
    from ..verify.verify import Verification


def reproduce(
    experiment: Annotated[str, typer.Argument(help="Experiment file, or a name from `rerankbench ls experiments`.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key, as for `rerankbench run`.")
    ] = None,
    published: Annotated[
        str | None,
        typer.Option(help="Table to compare with; default: the one that is checked, or of that name."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0, callback=number, metavar="HOURS", help="Only the cheapest datasets that fit, by the plan."),
    ] = None,
    device: Annotated[str | None, typer.Option(help="Plan for a device of configs/devices.yaml, at --share.")] = None,
    share: Annotated[
        float,
        typer.Option(min=0.01, max=1.0, callback=number, help="Share of the peak that is sustained; an assumption."),
    ] = 0.4,
    tflops: Annotated[
        float | None, typer.Option(help="Plan at this many sustained TFLOP/s; default: --share of what is measured.")
    ] = None,
    goldens: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of published pairs, instead of the shipped ones."),
    ] = None,
    verify: Annotated[bool, typer.Option(help="Score the published pairs of every model first.")] = True,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="DIR", help="Output folder; default results/runs/NAME.")
    ] = None,
) -> None:
    """Everything for one published table; the same command continues. Status 1: a model or a figure is off.

    Datasets are run in the order of their cost, the members of a macro group together. Models are verified first, and
    nothing is run while one does not score as published. Example: rerankbench reproduce beir-bge-large --budget 3
    """
    from ..experiment.file import load_experiment
    from ..plan.plan import make_plan
    from ..reproduce.order import units_of, within

    wanted = load_experiment(experiment, set_ or ())
    table = _table(wanted, published)
    folder = out or Path("results/runs") / wanted.name
    speed = _speed(wanted, device, share, tflops)
    units = units_of(make_plan(wanted))
    chosen = within(units, _done(wanted, units, folder), budget, speed)
    _show(units, chosen, speed, budget)
    if not chosen:
        raise InputError(f"--budget {budget:g}: not even the cheapest dataset fits; see the plan above")
    folder.mkdir(parents=True, exist_ok=True)
    if verify and (off := _verify(wanted, folder, goldens)):
        print(f"{', '.join(off)}: not as published, so nothing was run; --no-verify runs all the same", file=sys.stderr)
        raise typer.Exit(1)
    if not _run(wanted, chosen, folder, table):
        raise typer.Exit(1)


def _run(experiment: Experiment, chosen: Sequence[Unit], folder: Path, table: PublishedTable) -> bool:
    """Run some datasets and print the table beside the published one; whether no figure is off."""
    from ..reproduce.verdicts import summary
    from ..runner.run import run_experiment
    from ..tables import render

    names = [name for unit in chosen for name in unit.datasets]
    some = experiment.model_copy(update={"datasets": tuple(names)})
    cells = run_experiment(some, folder, command=shlex.join(["rerankbench", *sys.argv[1:]]))
    print(render(cells, metric=table.metric, published=table.name), end="")
    line, fine = summary(cells, table)
    print(line)
    print(f"results: {folder}", file=sys.stderr)
    return fine


def _table(experiment: Experiment, name: str | None) -> PublishedTable:
    from ..published import list_published, load_published

    name = name or experiment.first_stage.check or experiment.name
    if name not in list_published():
        raise InputError(f"experiment '{experiment.name}': no published table is named; choose one with --published")
    return load_published(name)


def _speed(experiment: Experiment, device: str | None, share: float, tflops: float | None) -> float:
    """Sustained TFLOP/s: as given, a share of a device's peak, or a share of what a matrix product reaches here."""
    from ..first_stage.encode import resolve_device
    from ..hardware.devices import find_speed
    from ..hardware.peak import peak_tflops

    stated = find_speed(device, tflops)
    if stated is not None:
        return stated * share if device else stated
    here = resolve_device(experiment.engine.device)
    return share * peak_tflops(here, "bfloat16" if here.startswith("cuda") else "float32")


def _done(experiment: Experiment, units: Sequence[Unit], folder: Path) -> set[str]:
    """Rows of which every cell is there."""
    from ..results import load_cells

    if not any(folder.glob("cells/**/manifest.json")):
        return set()
    cells: list[Cell] = load_cells([folder])
    present = {(cell.manifest.dataset, cell.manifest.model, cell.manifest.setting) for cell in cells}
    variants = [(entry.label, s.name) for entry, settings in experiment.variants().items() for s in settings]
    return {unit.row for unit in units if all((name, *v) in present for name in unit.datasets for v in variants)}


def _show(units: Sequence[Unit], chosen: Sequence[Unit], speed: float, budget: float | None) -> None:
    from ..text.aligned import listing

    rows = []
    for unit in units:
        hours = unit.hours(speed)
        known = "?" if unit.pflops is None else f"{unit.pflops:,.3f}"
        rows.append((unit.row, f"{unit.pairs:,}", known, "?" if hours is None else f"{hours * 60:,.1f}",
                     "yes" if unit in chosen else "no"))  # fmt: skip
    print(listing(("DATASET", "PAIRS", "PFLOPS", "MINUTES", "RUN"), rows, right=(1, 2, 3)), end="")
    within = "" if budget is None else f", budget {budget:g} hours"
    print(f"minutes at {speed:.3g} sustained TFLOP/s, an estimate{within}\n")


def _verify(experiment: Experiment, folder: Path, goldens: Path | None) -> list[str]:
    from ..experiment.models import find_models
    from ..reproduce.verified import verify_models
    from ..verify.text import to_text

    def tell(model: str, text: Verification | str) -> None:
        print(f"{model}: {text}\n" if isinstance(text, str) else to_text(text))

    return verify_models(experiment, find_models(experiment), folder, goldens, tell)
