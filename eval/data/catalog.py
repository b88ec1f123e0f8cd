"""The datasets that have a name: `configs/datasets/*.yaml` and the built-in collections. Nothing is fetched here."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from ...configs import CONFIGS, read
from ...rerankers.errors import InputError
from ...rerankers.validate import validated
from .dataset import Policy
from .hub import HubSource
from .languages import language_code
from .lines import encodable


@dataclass(frozen=True)
class NamedDataset:
    """Where a named dataset comes from.

    Attributes:
        name: `beir/scifact`.
        policy: how it is used.
        ir_datasets: its id there; empty if it comes from the hub.
        mirrors: addresses of the zip archive that serves when ir_datasets cannot; empty if there is none.
        md5: of that archive.
        folder: the dataset's folder inside the archive.
        hub: where it comes from on the hub; None if from ir_datasets.
    """

    name: str
    policy: Policy
    ir_datasets: str = ""
    mirrors: tuple[str, ...] = ()
    md5: str = ""
    folder: str = ""
    hub: HubSource | None = None


_SOURCE_KEYS = {"ir_datasets", "md5", "folder"}
_HUB_KEYS = {"revision", "config", "layout", "relevant_only"}


@cache
def entries() -> dict[str, NamedDataset]:
    """Return all published datasets by name."""
    catalog: dict[str, NamedDataset] = {}
    for file in sorted((CONFIGS / "datasets").glob("*.yaml")):
        raw = read(file)
        for key, row in raw["datasets"].items():
            values = {**raw["defaults"], **row}
            source = {k: values.pop(k) for k in _SOURCE_KEYS & values.keys()}
            if repo := values.pop("hub", None):
                source["hub"] = HubSource(repo, **{k: values.pop(k) for k in _HUB_KEYS & values.keys()})
            policy = make_policy(values, f"{file}, {key}")
            if policy.archive:
                source["mirrors"] = tuple(m.format(archive=policy.archive) for m in raw.get("mirrors", ()))
                source.setdefault("folder", policy.archive)
            name = f"{file.stem}/{key}"
            catalog[name] = NamedDataset(name=name, policy=policy, **source)
    return catalog


def builtin_folders() -> dict[str, Path]:
    """Return the built-in collections: `builtin/<name>` -> folder."""
    return {f"builtin/{p.parent.name}": p.parent for p in sorted((CONFIGS / "builtin").glob("*/corpus.jsonl"))}


def folder_policy(folder: Path) -> Policy:
    """Return the policy in the folder's `policy.yaml`; without one the defaults of `Policy`."""
    file = folder / "policy.yaml"
    return make_policy(read(file), str(file)) if os.path.lexists(file) else Policy()


def make_policy(values: dict[str, Any], where: str) -> Policy:
    """Make a policy from keys and values.

    Raises InputError for an unknown key, a value of another type and a `join` that cannot be filled in.
    """
    policy = validated(Policy, values, where)
    try:
        policy = replace(policy, language=language_code(policy.language))
    except InputError as err:
        raise InputError(f"{where}: {err}") from err
    if not encodable(policy.join) or not _has_only_names(policy.join):
        raise InputError(f"{where}: join {policy.join!a:.80} may use {{title}} and {{text}} only, as they are")
    if "{text}" not in policy.join:
        raise InputError(f"{where}: join '{policy.join}' leaves the text out; write it as '{{title}} {{text}}'")
    return policy


def _has_only_names(join: str) -> bool:
    """Return plain `{title}` and `{text}`: no attributes, widths or conversions, which can read or fill memory."""
    try:
        parts = list(Formatter().parse(join))
    except ValueError:
        return False
    return all(name is None or (name in ("title", "text") and not spec and not kind) for _, name, spec, kind in parts)
