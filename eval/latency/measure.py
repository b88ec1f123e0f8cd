"""Times queries one by one. A client sends one, waits and sends the next; the model answers one at a time."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np

from ...rerankers import Reranker
from ...rerankers.api import Executed, Group, Scored
from ...rerankers.options import TextOptions
from ...rerankers.settings import Setting
from ..results.latency import Served, Spread

PHASES = ("wait", "tokenise", "forward")
_LEAST = {95: 20, 99: 100}  # queries without which a percentile is no more than the longest one


@dataclass
class Timed:
    """Seconds of each query, from asking to the answer, and by phase; tokens of all pairs and those not computed."""

    total: list[float] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PHASES})
    tokens: int = 0
    kept: int = 0

    _adding: threading.Lock = field(default_factory=threading.Lock)

    def add(self, total: float, wait: float, executed: Executed, tokens: int) -> None:
        """Add one query, from any thread."""
        with self._adding:
            self.total.append(total)
            for name, seconds in (("wait", wait), *((n, executed.seconds.get(n, 0.0)) for n in PHASES[1:])):
                self.phases[name].append(seconds)
            self.tokens += tokens
            self.kept += executed.shared_tokens


class Server:
    """A model that answers one query at a time, in the order in which they come. A context."""

    def __init__(self, reranker: Reranker, setting: Setting, text: TextOptions) -> None:
        self._reranker, self._setting, self._text = reranker, setting, text
        self._queue = ThreadPoolExecutor(1)  # a lock would let the client that has just been served go first again

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self._queue.shutdown(cancel_futures=True)

    def ask(self, group: Group, timed: Timed | None = None, *, alone: bool = True) -> None:
        """Score one query; the answer is thrown away, its times are kept if wanted. Who is `alone` needs no queue."""
        arrived = perf_counter()
        begun, scored = self._answer(group) if alone else self._queue.submit(self._answer, group).result()
        done = perf_counter()
        if timed is not None:
            lengths = (scored.query_tokens, scored.passage_tokens, scored.prompt_tokens)
            timed.add(
                done - arrived, begun - arrived, scored.executed, int(sum(x.sum(dtype=np.int64) for x in lengths))
            )

    def _answer(self, group: Group) -> tuple[float, Scored]:
        begun = perf_counter()
        return begun, self._reranker.score([group], [self._setting], self._text)


def serve(server: Server, groups: Sequence[Group], clients: int) -> Served:
    """Time every group once, by so many clients."""
    timed, waiting, taking = Timed(), iter(groups), threading.Lock()

    def client() -> None:
        while True:
            with taking:
                group = next(waiting, None)
            if group is None:
                return
            server.ask(group, timed, alone=clients == 1)

    start = perf_counter()
    if clients == 1:
        client()
    else:
        with ThreadPoolExecutor(clients) as pool:
            for future in [pool.submit(client) for _ in range(clients)]:
                future.result()
    seconds = perf_counter() - start
    return Served(
        clients=clients,
        queries=len(groups),
        queries_per_second=len(groups) / seconds,
        tokens=timed.tokens / len(groups),
        kept=timed.kept / timed.tokens if timed.tokens else 0.0,
        total=spread(timed.total),
        phases={name: spread(values) for name, values in timed.phases.items()},
    )


def spread(seconds: Sequence[float]) -> Spread:
    """Return the spread of some measured times, at least one."""
    values = np.asarray(seconds, dtype=np.float64)

    def percentile(p: int) -> float | None:
        enough = values.size >= _LEAST.get(p, 1)
        return float(np.quantile(values, p / 100, method="inverted_cdf")) if enough else None

    middle = percentile(50)
    assert middle is not None, "there is at least one"
    return Spread(
        mean=float(values.mean()), p50=middle, p95=percentile(95), p99=percentile(99), longest=float(values.max())
    )
