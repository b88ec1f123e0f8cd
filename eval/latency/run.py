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


def measure(trial: Trial, load: Callable[[ModelSpec, LoadOptions], Reranker]) -> Latency:
    """Load, score once, warm up, then time `queries` groups for each number of clients, no group twice.

    So no text of a group is known when it counts, unless two groups have it. Raises InputError when there are too few.
    """
    needed = 1 + trial.warmup + trial.queries * len(trial.clients)
    if len(trial.groups) < needed:
        raise InputError(
            f"{trial.source}: {needed} queries are needed and there are {len(trial.groups)}; --queries fewer"
        )
    start = perf_counter()
    reranker = load(trial.model, trial.options)
    reranker.check(trial.setting)
    loaded = perf_counter() - start
    with Server(reranker, trial.setting, trial.text) as server:
        first, *rest = trial.groups
        start = perf_counter()
        server.ask(first)
        answered = perf_counter() - start
        for group in rest[: trial.warmup]:
            server.ask(group)
        counted = rest[trial.warmup :]
        rounds = [counted[i * trial.queries : (i + 1) * trial.queries] for i in range(len(trial.clients))]
        served = [serve(server, groups, clients) for groups, clients in zip(rounds, trial.clients)]
    return Latency(
        model=trial.label,
        setting=trial.setting.name,
        identity=digest(reranker.identity(trial.text)),
        device=reranker.device,
        device_name=device_name(reranker.device),
        dtype=reranker.dtype,
        threads=threads(),
        candidates=max(len(group.passages) for group in counted),
        source=trial.source,
        load_seconds=loaded,
        first_seconds=answered,
        warmup=trial.warmup,
        served=tuple(served),
        made=now(),
        command=trial.command,
    )


def label_of(model: str) -> str:
    """Return what tables call a model by default, as in experiments."""
    return Path(model.removesuffix(".yaml").removesuffix(".yml")).name
