"""Reads experiment files: finds them, applies `--set`, and turns every fault into one line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from ...rerankers.errors import InputError, suggest
from ...rerankers.spec import CONFIGS
from .experiment import Compression, EngineOptions, Experiment, FirstStage, RerankerEntry

_PARTS: dict[tuple[str, ...], type[BaseModel]] = {
    (): Experiment,
    ("first_stage",): FirstStage,
    ("rerankers",): RerankerEntry,
    ("rerankers", "compress"): Compression,
    ("engine",): EngineOptions,
}
_WORDING = {
    "missing": "is missing",
    "int_type": "must be a whole number",
    "string_type": "must be a text",
    "tuple_type": "must be a list",
    "model_type": "must hold keys and values",
    "too_short": "must not be empty",
}


def list_experiments() -> list[str]:
    """Names of the experiments that come with the package, sorted."""
    return sorted(path.stem for path in (CONFIGS / "experiments").glob("*.yaml"))


def load_experiment(name: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in a file, or by the name of one that comes with the package.

    `overrides` are `dotted.key=YAML`, applied before validation. Raises InputError naming the file and the key.
    """
    path = Path(name)
    if not path.is_file():
        if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
            raise InputError(f"{path}: no such experiment file; `rerankbench ls experiments` lists those included")
        path = CONFIGS / "experiments" / f"{name}.yaml"
        if not path.is_file():
            raise InputError(f"experiment '{name}' is unknown{suggest(name, list_experiments())}")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(err).split())}") from err
    if not isinstance(raw, dict):
        raise InputError(f"{path}: expected keys and values, found {type(raw).__name__}")
    raw.setdefault("name", path.stem)
    for override in overrides:
        _apply(raw, override)
    return parse_experiment(raw, str(path))


def parse_experiment(raw: Mapping[str, Any], where: str) -> Experiment:
    """Validates what a file says. Raises InputError: `where: key.path: fault`."""
    try:
        # strict validation of JSON takes lists for tuples, and no text or truth value for a number
        return Experiment.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as err:
        raise InputError(f"{where}: {_one_line(err)}") from err


def _apply(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise InputError(f"--set {override}: expected key=value, for example --set first_stage.k=50")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise InputError(f"--set {key}: not valid YAML: {' '.join(str(err).split())}") from err
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
    if not part.isdigit() or int(part) >= len(node):
        raise InputError(f"--set {key}: '{part}' must be a number from 0 to {len(node) - 1}")
    return node[int(part)]


def _one_line(err: ValidationError) -> str:
    # an unknown key explains the others: `model: is missing` next to `modle: unknown key`
    first = min(err.errors(), key=lambda e: e["type"] != "extra_forbidden")
    names = [part for part in first["loc"] if part not in ("str", "dict[str,str]")]
    path = ".".join(map(str, names))
    kind = first["type"]
    if kind == "extra_forbidden":
        part = _PARTS[tuple(name for name in names[:-1] if isinstance(name, str))]
        return f"{path}: unknown key{suggest(str(names[-1]), part.model_fields)}"
    message = _WORDING.get(kind) or first["msg"].removeprefix("Value error, ")
    if kind == "literal_error":
        message = f"must be {first['ctx']['expected']}"  # pyright: ignore[reportTypedDictNotRequiredAccess]
    found = "" if kind in ("missing", "value_error", "too_short") else f", found {json.dumps(first['input'])}"
    return f"{path}: {message}{found}" if path else f"{message}{found}"
