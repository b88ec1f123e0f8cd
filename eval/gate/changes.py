"""What a changed identity is: other data, which no test compares, or another model on the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..results import FIRST_STAGE
from .findings import Finding
from .snapshot import Snapshot, changed_parts

# parts of an identity that state what is ranked and judged; the others state by which model (`runner.inputs`)
_DATA = frozenset({"dataset", "checksum", "join", "candidates", "partial"})
_NAMED = 4


def changed_data(known: Snapshot, now: Snapshot) -> list[str]:
    """Names of the data's parts that differ."""
    return sorted({name.partition(".")[0] for name in changed_parts(known.identity_parts, now.identity_parts)} & _DATA)


def named_changes(known: Snapshot, now: Snapshot) -> list[str]:
    """`part: before -> after` for every part that differs."""
    parts = changed_parts(known.identity_parts, now.identity_parts)
    return [f"{name}: {written(before)} -> {written(after)}" for name, (before, after) in parts.items()]


def change_of(known: Snapshot, now: Snapshot, name: str | None) -> str | None:
    """A sentence on another model over the same data; None where it is the same one under the same name."""
    if known.identity == now.identity and name is None:
        return None
    called = [] if name is None else [f"called {known.model} -> {name}"]
    parts = named_changes(known, now)
    more = [f"{len(parts) - _NAMED} more parts"] if len(parts) > _NAMED else []
    changes = [*called, *parts[:_NAMED], *more] or ["one that names no part"]
    return f"another model identity, compared by its scores: {'; '.join(changes)}"


def renamed(
    known: Mapping[str, Snapshot], run: Mapping[str, Snapshot]
) -> tuple[Mapping[str, Snapshot], dict[str, str]]:
    """The run under the baseline's names where just one reranker of each has no partner; what the run calls it, by key.

    A checkpoint that was saved under another name is judged, not missing; two of them could be confused, so they stay.
    """
    sides = [{s.model for s in cells.values() if s.setting != FIRST_STAGE} for cells in (known, run)]
    gone, new = sides[0] - sides[1], sides[1] - sides[0]
    if len(gone) != 1 or len(new) != 1:
        return run, {}
    before, after = gone.pop(), new.pop()
    cells, names = {}, {}
    for key, snap in run.items():
        moved = (
            snap.model_copy(update={"model": before}) if snap.model == after and snap.setting != FIRST_STAGE else snap
        )
        cells[moved.key] = moved
        if moved.key != key:
            names[moved.key] = after
    return cells, names


def soften(findings: list[Finding]) -> list[Finding]:
    """The same, failing nothing: the policy accepts whatever another identity scores."""
    return [replace(finding, level="DRIFT") if finding.level == "FAIL" else finding for finding in findings]


def written(value: Any) -> str:
    """A part of an identity in a sentence."""
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
