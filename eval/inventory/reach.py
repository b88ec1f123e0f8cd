"""What is here already, and what could be fetched: quick looks that never wait long."""

from __future__ import annotations

import importlib.util
import os
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ...rerankers.registry import load_spec
from ...rerankers.spec import ModelSpec, list_models
from ..text.units import size

State = Literal["here", "needs download", "needs installation", "unreachable", "not asked"]

_SECONDS = 4.0


@dataclass(frozen=True)
class Host:
    """A server and how it answered: `reachable`, `not asked`, or why it is not reachable."""

    url: str
    serves: str
    answer: str

    @property
    def reachable(self) -> bool | None:
        """None when it was not asked."""
        return None if self.answer == "not asked" else self.answer == "reachable"


@dataclass(frozen=True)
class Item:
    """A model or a dataset and whether it can be had."""

    name: str
    state: State
    detail: str = ""


def offline() -> bool:
    """Return whether the environment forbids asking the hub (HF_HUB_OFFLINE, as the hub's client reads it)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")


def hosts(*, ask: bool) -> list[Host]:
    """Return the hub and the first mirror of the BEIR archives, tried at the same time, within a few seconds."""
    from ..data.catalog import entries

    hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    mirror = next((urlsplit(e.mirrors[0]) for e in entries().values() if e.mirrors), None)
    wanted = {hub: "models, MIRACL"}
    if mirror:
        wanted[f"{mirror.scheme}://{mirror.netloc}"] = "BEIR"
    answers = dict.fromkeys(wanted, "not asked")
    if ask:
        answers = dict.fromkeys(wanted, f"no answer within {_SECONDS:g} s")
        # threads that may hang in the resolver are abandoned: they are daemons
        threads = [threading.Thread(target=_try_hosts, args=(url, answers), daemon=True) for url in wanted]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    return [Host(url, serves, answers[url]) for url, serves in wanted.items()]


def _try_hosts(url: str, answers: dict[str, str]) -> None:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_SECONDS - 0.5):
            answers[url] = "reachable"
    except urllib.error.HTTPError as err:
        # a server that dislikes HEAD is there; a proxy that forbids the way is not
        answers[url] = "reachable" if err.code in (404, 405) else f"answers with status {err.code}"
    except (OSError, ValueError) as err:
        why = getattr(err, "reason", err)
        answers[url] = f"not reachable: {getattr(why, 'strerror', None) or why}"


def models(hub: Host) -> list[Item]:
    """Return every model that comes with the package."""
    return [_find_model(load_spec(name), hub) for name in list_models()]


def _find_model(spec: ModelSpec, hub: Host) -> Item:
    if spec.source.startswith("package:"):
        module = spec.source.removeprefix("package:")
        spec_of_package = importlib.util.find_spec(module.split(".")[0])
        return Item(
            spec.name, "here" if spec_of_package else "needs installation", f"package {module.replace('_', '-')}"
        )
    if Path(spec.source).expanduser().is_dir() or _is_in_cache(spec):
        return Item(spec.name, "here", spec.source)
    volume = f", {size(spec.download_bytes)}" if spec.download_bytes else ""
    return Item(spec.name, _state_of(hub), f"{spec.source}{volume}")


def _is_in_cache(spec: ModelSpec) -> bool:
    """Return whether the hub's cache has configuration and weights at the revision that would be used."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(spec.source, "config.json", revision=spec.revision)
    except HFValidationError:
        return False
    if not isinstance(config, str):
        return False
    return any(path.exists() for kind in ("*.safetensors", "*.bin") for path in Path(config).parent.glob(kind))


def datasets(hub: Host, beir: Host) -> list[Item]:
    """Return every dataset that has a name; `detail` is where it is or would come from."""
    import ir_datasets

    from ...rerankers.storage.cache import cache_folder
    from ..data.catalog import builtin_folders, entries

    items = [Item(name, "here", "built in") for name in builtin_folders()]
    for entry in entries().values():
        archive = cache_folder() / "archives" / (entry.policy.archive or "") / entry.folder
        if entry.hub is not None:
            folder = cache_folder() / "hub" / entry.hub.folder
            state = "here" if folder.is_dir() else _state_of(hub)
            items.append(Item(entry.name, state, str(folder) if folder.is_dir() else entry.hub.repo))
        elif entry.mirrors and archive.is_dir():
            items.append(Item(entry.name, "here", str(archive)))
        elif ir_datasets.load(entry.ir_datasets).docs_store().built():
            items.append(Item(entry.name, "here", f"ir_datasets {entry.ir_datasets}"))
        else:
            items.append(Item(entry.name, _state_of(beir if entry.mirrors else hub), entry.ir_datasets))
    return items


def _state_of(host: Host) -> State:
    return "not asked" if host.reachable is None else "needs download" if host.reachable else "unreachable"
