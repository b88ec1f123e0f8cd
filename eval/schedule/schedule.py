"""Which worker gets which block next, and what happens when a worker dies or hangs.

Nothing here depends on Ray or a model: a `WorkerPool` starts workers and runs blocks. The engine's pool is Ray actors
(`ray_pool`); predictions and tests use workers on a virtual clock (`virtual_pool`).
"""

from __future__ import annotations

import logging
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...rerankers.errors import ScoreError
from .patience import Patience

log = logging.getLogger("rerankbench")

IN_FLIGHT = 2  # blocks of a worker: the one it scores and the next, so that it never waits for the driver
HEARTBEAT = 5.0  # seconds after which the driver looks for workers that hang
_TICK = 0.001  # seconds; what is left until a deadline may be too little to move a clock
START_TIMEOUT = 1800.0  # seconds for a worker to find its resources and load the model
MAX_LOSSES = 5  # deaths in a row after which a worker is given up


@dataclass(frozen=True)
class Ready:
    """A worker has loaded the model."""

    worker: int
    info: Any


@dataclass(frozen=True)
class Refused:
    """A worker cannot load the model, and never will."""

    worker: int
    cause: Exception


@dataclass(frozen=True)
class Done:
    """A block is scored."""

    worker: int
    job: int
    result: Any


@dataclass(frozen=True)
class Failed:
    """A block cannot be scored by any worker."""

    worker: int
    job: int
    cause: str


@dataclass(frozen=True)
class Lost:
    """A worker is gone with all it held. The pool starts another in its place; `Ready` follows."""

    worker: int
    cause: str


Event = Ready | Refused | Done | Failed | Lost


class WorkerPool(Protocol):
    """Workers 0 to `workers` - 1, which are starting when the pool is made. Each runs its blocks in order."""

    workers: int

    def submit(self, worker: int, job: int) -> None:
        """Hand a block to a worker that is ready."""
        ...

    def restart(self, worker: int) -> None:
        """End a worker with all its blocks, without an event, and start another in its place."""
        ...

    def retire(self, worker: int) -> None:
        """End a worker for good."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """Return what happened, as soon as something did; empty after `seconds`."""
        ...

    def now(self) -> float:
        """Return seconds on the pool's clock."""
        ...


@dataclass
class _Worker:
    since: float  # when it was started, or when it began with its first block
    up: bool = False
    gone: bool = False
    losses: int = 0  # in a row
    restarts: int = 0
    blocks: int = 0
    holds: list[int] = field(default_factory=list)


class Schedule:
    """Runs blocks on a pool: longest first, each by one worker, again by another one when that worker is lost.

    Attributes:
        failures: block -> why it was given up; the blocks are those of the last `run`.
        workers: what each worker is doing and has done.
    """

    def __init__(self, pool: WorkerPool, patience: Patience, *, retries: int = 2) -> None:
        self.pool, self.patience, self.retries = pool, patience, retries
        self.workers = [_Worker(pool.now()) for _ in range(pool.workers)]
        self.failures: dict[int, str] = {}
        self._costs: Sequence[float] = ()
        self._pending: list[int] = []
        self._refused: dict[int, set[int]] = {}  # block -> workers it failed on
        self._fails: dict[int, int] = {}
        self._last_cause = "none came up"

    def start(self) -> Any:
        """Return what the first worker that is ready returned.

        Raises its error when no worker can load the model.
        """
        while self._list_live():
            events = self.pool.wait(HEARTBEAT)
            for event in events:
                self._handle(event)
            for event in events:
                if isinstance(event, Ready):
                    return event.info
                if isinstance(event, Refused) and not self._list_live():
                    raise event.cause
            self._check_clocks()
        raise ScoreError(f"no worker is left: {self._last_cause}")

    def run(self, costs: Sequence[float]) -> Iterator[tuple[int, int, Any]]:
        """Yield (worker, block, result) as blocks finish; block `i` is estimated to cost `costs[i]`, in any unit.

        A block that no worker could score is in `failures` afterwards. At most `IN_FLIGHT` blocks per worker are
        handed out and not yet yielded, however slow the caller is.
        """
        self._costs, self.failures, self._refused, self._fails = costs, {}, {}, {}
        self._pending = sorted(range(len(costs)), key=lambda job: (costs[job], -job))
        while self._pending or any(worker.holds for worker in self.workers):
            self._hand_out()
            finished = [done for event in self.pool.wait(self._seconds_to_deadline()) if (done := self._handle(event))]
            self._check_clocks()
            if not self._list_live():
                self.failures.update(dict.fromkeys(self._pending, f"no worker is left: {self._last_cause}"))
                self._pending = []
            self._hand_out()  # before the results are looked at, which takes the driver's time
            yield from finished

    def _list_live(self) -> set[int]:
        return {index for index, worker in enumerate(self.workers) if not worker.gone}

    def _hand_out(self) -> None:
        live = self._list_live()
        for already in range(IN_FLIGHT):
            # towards the end nothing is handed out ahead: it could wait behind a long block while others idle
            if already and len(self._pending) <= len(live):
                return
            for index, worker in enumerate(self.workers):
                if worker.up and len(worker.holds) == already and (job := self._take(index, live)) is not None:
                    if not worker.holds:
                        worker.since = self.pool.now()
                    worker.holds.append(job)
                    self.pool.submit(index, job)

    def _take(self, index: int, live: set[int]) -> int | None:
        """Return the longest block that this worker has not failed at, unless every worker has."""
        for position in range(len(self._pending) - 1, -1, -1):
            refused = self._refused.get(self._pending[position], set())
            if index not in refused or live <= refused:
                return self._pending.pop(position)
        return None

    def _handle(self, event: Event) -> tuple[int, int, Any] | None:
        worker, now = self.workers[event.worker], self.pool.now()
        match event:
            case Ready():
                worker.up, worker.since = True, now
            case Refused():
                self._retire(event.worker, str(event.cause))
            case Lost():
                self._lose(event.worker, event.cause)
            case Done() | Failed():
                worker.holds.remove(event.job)
                if isinstance(event, Failed):
                    self.failures[event.job] = event.cause
                else:
                    self.patience.observe(self._costs[event.job], now - worker.since)
                    worker.blocks, worker.losses = worker.blocks + 1, 0
                worker.since = now
        return (event.worker, event.job, event.result) if isinstance(event, Done) else None

    def _lose(self, index: int, cause: str) -> None:
        """Start the worker again. The block it was at has failed there; the next one, if any, has not been begun."""
        worker = self.workers[index]
        held, worker.holds = worker.holds, []
        worker.up, worker.since = False, self.pool.now()
        worker.losses, worker.restarts = worker.losses + 1, worker.restarts + 1
        log.warning("worker %d: %s", index, cause)
        for job in held[:1]:
            self._refused.setdefault(job, set()).add(index)
            self._fails[job] = self._fails.get(job, 0) + 1
        for job in held:
            if (failures := self._fails.get(job, 0)) > self.retries:
                self.failures[job] = f"given up after {failures} attempts: {cause}"
            else:
                insort(self._pending, job, key=lambda j: (self._costs[j], -j))
        if worker.losses >= MAX_LOSSES:
            self._retire(index, f"{worker.losses} deaths in a row, the last one: {cause}")

    def _retire(self, index: int, cause: str) -> None:
        self.workers[index].up, self.workers[index].gone = False, True
        self._last_cause = cause
        self.pool.retire(index)
        log.warning("worker %d takes no further part: %s", index, cause)

    def _seconds_to_deadline(self) -> float:
        now, waits = self.pool.now(), [HEARTBEAT]
        for worker in self.workers:
            if worker.holds:
                waits.append(worker.since + self.patience.seconds(self._costs[worker.holds[0]]) - now)
        return max(_TICK, min(waits))

    def _check_clocks(self) -> None:
        for index, worker in enumerate(self.workers):
            waited = self.pool.now() - worker.since
            if worker.gone:
                continue
            if worker.holds:
                allowed = self.patience.seconds(self._costs[worker.holds[0]])
                if waited >= allowed:
                    self.pool.restart(index)
                    self._lose(index, f"no answer within {allowed:.0f} s (engine.block_timeout)")
            elif not worker.up and waited >= START_TIMEOUT:
                self._retire(index, f"it did not start within {START_TIMEOUT:.0f} s: are its resources there?")
