"""The datasets that have a name: `configs/datasets/*.yaml` and the built-in collections. Nothing is fetched here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from ...rerankers.errors import InputError, suggest
from ...rerankers.spec import CONFIGS
from .dataset import Policy


@dataclass(frozen=True)
class Entry:
    """Where a named dataset comes from.

    Attributes:
        name: `beir/scifact`.
        policy: how it is used.
        ir_datasets: its id there.
        mirrors: addresses of the zip archive that serves when ir_datasets cannot; empty if there is none.
        md5: of that archive.
        folder: the dataset's folder inside the archive.
    """

    name: str
    policy: Policy
    ir_datasets: str
    mirrors: tuple[str, ...] = ()
    md5: str = ""
    folder: str = ""


_POLICY_KEYS = {f.name for f in fields(Policy)}
_SOURCE_KEYS = {"ir_datasets", "md5", "folder"}


@cache
def entries() -> dict[str, Entry]:
    """All published datasets by name."""
    found: dict[str, Entry] = {}
    for file in sorted((CONFIGS / "datasets").glob("*.yaml")):
        raw = read_yaml(file)
        for key, row in raw["datasets"].items():
            values = {**raw["defaults"], **row}
            source = {k: values.pop(k) for k in _SOURCE_KEYS & values.keys()}
            policy = make_policy(values, f"{file}, {key}")
            if policy.archive:
                source["mirrors"] = tuple(m.format(archive=policy.archive) for m in raw.get("mirrors", ()))
                source.setdefault("folder", policy.archive)
            name = f"{file.stem}/{key}"
            found[name] = Entry(name=name, policy=policy, **source)
    return found


def builtin_folders() -> dict[str, Path]:
    """The built-in collections: `builtin/<name>` -> folder."""
    return {f"builtin/{p.parent.name}": p.parent for p in sorted((CONFIGS / "builtin").glob("*/corpus.jsonl"))}


def folder_policy(folder: Path) -> Policy:
    """What the folder's `policy.yaml` says; without one the defaults of `Policy`."""
    file = folder / "policy.yaml"
    return make_policy(read_yaml(file), str(file)) if file.is_file() else Policy()


def make_policy(values: dict[str, Any], where: str) -> Policy:
    """A policy from keys and values.

    Raises InputError for an unknown key, a value of another type and a `join` that cannot be filled in.
    """
    for key in values:
        if key not in _POLICY_KEYS:
            raise InputError(f"{where}: unknown key '{key}'{suggest(str(key), _POLICY_KEYS)}")
    try:
        policy = TypeAdapter(Policy).validate_python(values)
    except ValidationError as err:
        first = err.errors()[0]
        raise InputError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from err
    try:
        joined = policy.passage("title", "text")
    except (LookupError, ValueError, AttributeError) as err:
        raise InputError(f"{where}: join '{policy.join}' may use {{title}} and {{text}} only") from err
    if "text" not in joined:
        raise InputError(f"{where}: join '{policy.join}' leaves the text out; write it as '{{title}} {{text}}'")
    return policy


def read_yaml(file: Path) -> dict[str, Any]:
    """Keys and values of a YAML file. Raises InputError when it holds anything else."""
    try:
        raw = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        raise InputError(f"{file}: not valid YAML: {' '.join(str(err).split())}") from err
    if not isinstance(raw, dict):
        raise InputError(f"{file}: expected keys and values, found {type(raw).__name__}")
    return raw
