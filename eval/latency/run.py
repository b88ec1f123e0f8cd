"""One measurement from loading to the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from ...rerankers import Reranker
from ...rerankers.api import Group
from ...rerankers.errors import InputError
from ...rerankers.options import LoadOptions, TextOptions
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ..hardware.peak import device_name
from ..results import digest
from ..results.latency import Latency
from ..runner.provenance import now, threads
from .measure import Server, serve

WARMUP = 3  # queries that do not count, of each number of clients: shapes are compiled, caches filled


@dataclass(frozen=True)
class Trial:
    """What to measure. `label` is what tables call the model, `source` what the texts are."""

    model: ModelSpec
    label: str
    setting: Setting
    text: TextOptions
    options: LoadOptions
    clients: Sequence[int]
    groups: Sequence[Group]
    source: str
    queries: int
    warmup: int = WARMUP
    command: str | None = None


def measure(asked: Trial, load: Callable[[ModelSpec, LoadOptions], Reranker]) -> Latency:
    """Load, ask once, warm up, then time `queries` groups for each number of clients, no group twice.

    So no text of a group is known when it counts, unless two groups have it. Raises InputError when there are too few.
    """
    needed = 1 + asked.warmup + asked.queries * len(asked.clients)
    if len(asked.groups) < needed:
        raise InputError(
            f"{asked.source}: {needed} queries are needed and there are {len(asked.groups)}; --queries fewer"
        )
    start = perf_counter()
    reranker = load(asked.model, asked.options)
    reranker.check(asked.setting)
    loaded = perf_counter() - start
    with Server(reranker, asked.setting, asked.text) as server:
        first, *rest = asked.groups
        start = perf_counter()
        server.ask(first)
        answered = perf_counter() - start
        for group in rest[: asked.warmup]:
            server.ask(group)
        counted = rest[asked.warmup :]
        rounds = [counted[i * asked.queries : (i + 1) * asked.queries] for i in range(len(asked.clients))]
        found = [serve(server, groups, clients) for groups, clients in zip(rounds, asked.clients)]
    return Latency(
        model=asked.label,
        setting=asked.setting.name,
        identity=digest(reranker.identity(asked.text)),
        device=reranker.device,
        device_name=device_name(reranker.device),
        dtype=reranker.dtype,
        threads=threads(),
        candidates=max(len(group.passages) for group in counted),
        source=asked.source,
        load_seconds=loaded,
        first_seconds=answered,
        warmup=asked.warmup,
        served=tuple(found),
        made=now(),
        command=asked.command,
    )


def label_of(model: str) -> str:
    """What tables call a model by default, as in experiments."""
    return Path(model.removesuffix(".yaml").removesuffix(".yml")).name
