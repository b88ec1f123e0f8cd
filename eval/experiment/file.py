"""Reads experiment files: finds them, applies `--set`, and turns every fault into one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from ...configs import find, names, parse, read
from ...rerankers.errors import InputError
from ...rerankers.validate import validated
from .part import label_of
from .schema import Experiment


def list_experiments() -> list[str]:
    """List names of the experiments that come with the package, sorted."""
    return names("experiments")


def load_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """Load the experiment in a file, or by the name of one that comes with the package.

    `overrides` are `dotted.key=YAML`, applied before validation. Raises InputError naming the file and the key.
    """
    path = Path(name) if Path(name).is_file() else find("experiments", name, "experiment")
    raw = read(path)
    raw.setdefault("name", label_of(path.name))
    return parse_experiment(raw, str(path), overrides)


def parse_experiment(raw: Mapping[str, Any], where: str, overrides: Sequence[str] = ()) -> Experiment:
    """Validate the content of a file, changed by `overrides`. Raises InputError: `where: key.path: fault`."""
    changed = deepcopy(dict(raw))
    for change in overrides:
        override(changed, change, f"--set {change}")
    return validated(Experiment, _expand_short_forms(changed), where, as_json=True)


def _expand_short_forms(raw: dict[str, Any]) -> dict[str, Any]:
    """Expand short forms: the name of a model becomes an entry."""
    entries = raw.get("rerankers")
    if isinstance(entries, list):
        raw["rerankers"] = [{"model": entry} if isinstance(entry, str) else entry for entry in entries]
    return raw


def override(raw: dict[str, Any], change: str, where: str) -> None:
    """Set one key of a file's content. `change` is `dotted.key=YAML`; raises InputError: `where: fault`."""
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise InputError(f"{where}: expected key=value, for example --set first_stage.k=50")
    value = parse(text, f"--set {key}")
    *parents, last = key.split(".")
    node: Any = raw
    for part in parents:
        node = node.setdefault(part, {}) if isinstance(node, dict) else _item(node, part, key)
    if isinstance(node, dict):
        node[last] = value
    else:
        _item(node, last, key)
        node[int(last)] = value


def _item(node: Any, part: str, key: str) -> Any:
    if not isinstance(node, list):
        raise InputError(f"--set {key}: there is nothing below '{part}' to set")
    if not (part.isascii() and part.isdecimal() and len(part) < 7) or int(part) >= len(node):
        raise InputError(f"--set {key}: '{part}' must be a number from 0 to {len(node) - 1}")
    return node[int(part)]
