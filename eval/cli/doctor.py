"""`rerankbench doctor`: what is installed, which devices there are, what can be reached."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ..text.sanitize import to_json
from .output import emit

if TYPE_CHECKING:
    from ..inventory.installation import Device, Folder
    from ..inventory.reach import Item


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Contact no server, as HF_HUB_OFFLINE=1 does.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show versions, devices, folders, and which models and datasets are here or can be had.

    Nothing is downloaded. Ends with status 1 when something would make runs fail.
    """
    from ..inventory import installation, reach

    versions, folders = installation.versions(), installation.folders()
    problems, remarks = installation.problems(versions, folders), installation.remarks(folders)
    hosts = reach.hosts(ask=not (offline or reach.offline()))
    hub, beir = hosts[0], hosts[-1]
    models, datasets = reach.models(hub), reach.datasets(hub, beir)
    devices, extras = installation.devices(), installation.extras()
    if as_json:
        records = {
            "devices": devices,
            "folders": folders,
            "hosts": hosts,
            "models": models,
            "datasets": datasets,
            "extras": extras,
        }
        plain = {key: [asdict(item) for item in items] for key, items in records.items()}
        findings = {"versions": versions, **plain, "problems": problems, "remarks": remarks}
        emit(to_json(findings, indent=2) + "\n")
    else:
        sections = {
            "Versions": [(name, number or "not installed") for name, number in versions.items()],
            "Devices": [(device.kind, _device(device)) for device in devices],
            "Folders": [(folder.what, _folder(folder)) for folder in folders],
            "Servers": [(host.serves, f"{host.url}: {host.answer}") for host in hosts],
            "Models": [(item.name, f"{item.state} ({item.detail})") for item in models],
            "Datasets": _datasets(datasets),
            "Extras": [(e.name, f"{'installed' if e.installed else 'not installed'}: {e.purpose}") for e in extras],
            "Problems": [("", line) for line in [*problems, *remarks]] or [("", "none")],
        }
        emit("\n".join(_section(title, rows) for title, rows in sections.items()))
    if problems:
        raise typer.Exit(1)


def _section(title: str, rows: list[tuple[str, str]]) -> str:
    from ..text.aligned import listing

    text = listing(("", ""), [(f"  {name}" if name else "", value) for name, value in rows])
    return f"{title}\n{text}"


def _device(device: Device) -> str:
    from ..text.units import size

    memory = f", {size(device.memory)}" if device.memory else ""
    return f"{device.name}{memory}; bf16 {device.bf16}; {device.detail}".rstrip("; ")


def _folder(folder: Folder) -> str:
    from ..text.units import size

    state = "exists" if folder.exists else "will be made"
    access = "" if folder.writable else ", NOT writable"
    return f"{folder.path} ({folder.variable}): {state}{access}, {size(folder.free)} free"


def _datasets(items: list[Item]) -> list[tuple[str, str]]:
    """By collection: how many are in which state, and which are here."""
    rows = []
    for family in dict.fromkeys(item.name.split("/")[0] for item in items):
        members = [item for item in items if item.name.split("/")[0] == family]
        states = Counter(item.state for item in members)
        here = [item.name.partition("/")[2] for item in members if item.state == "here"]
        counts = ", ".join(f"{state}: {count}" for state, count in states.items())
        named = f" ({' '.join(here)})" if here and len(here) < len(members) else ""
        rows.append((family, counts + named))
    return rows
