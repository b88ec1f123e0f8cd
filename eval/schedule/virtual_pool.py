"""Workers that sleep on a virtual clock: what the scheduler will do, without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count

from .patience import Patience
from .schedule import Done, Event, Ready, Schedule


class VirtualPool:
    """A pool whose blocks take `seconds[block]`, and whose messages take `latency` each way."""

    def __init__(
        self, workers: int, seconds: Sequence[float], *, load_seconds: float = 0.0, latency: float = 0.0
    ) -> None:
        self.workers, self.seconds, self.load_seconds, self.latency = workers, seconds, load_seconds, latency
        self.clock = 0.0
        self._free = [0.0] * workers  # when each is done with all its blocks
        self._events: list[tuple[float, int, Event]] = []
        self._order = count()
        for worker in range(workers):
            self._announce(load_seconds, Ready(worker, None))

    def _announce(self, at: float, event: Event) -> None:
        heappush(self._events, (at, next(self._order), event))

    def submit(self, worker: int, job: int) -> None:
        """See `WorkerPool.submit`."""
        self._free[worker] = max(self._free[worker], self.clock + self.latency) + self.seconds[job]
        self._announce(self._free[worker] + self.latency, Done(worker, job, None))

    def restart(self, worker: int) -> None:
        """See `WorkerPool.restart`."""
        self.retire(worker)
        self._free[worker] = self.clock
        self._announce(self.clock + self.load_seconds, Ready(worker, None))

    def retire(self, worker: int) -> None:
        """See `WorkerPool.retire`."""
        self._events = sorted(entry for entry in self._events if entry[2].worker != worker)

    def wait(self, seconds: float) -> list[Event]:
        """See `WorkerPool.wait`; moves the clock."""
        until = self.clock + seconds
        self.clock = max(self.clock, min(until, self._events[0][0] if self._events else until))
        events: list[Event] = []
        while self._events and self._events[0][0] <= self.clock:
            events.append(heappop(self._events)[2])
        return events

    def now(self) -> float:
        """See `WorkerPool.now`."""
        return self.clock


def predict(
    seconds: Sequence[float],
    workers: int,
    *,
    expected: Sequence[float] | None = None,
    load_seconds: float = 0.0,
    latency: float = 0.0,
    store_seconds: float = 0.0,
) -> float:
    """Return seconds until all blocks are stored, when the scheduler runs them on so many workers.

    Args:
        seconds: what each block takes.
        workers: how many there are.
        expected: what the scheduler believes it takes; the truth by default.
        load_seconds: until a worker is ready.
        latency: of a message between driver and worker.
        store_seconds: what a result costs the driver, which does nothing else meanwhile.
    """
    pool = VirtualPool(workers, seconds, load_seconds=load_seconds, latency=latency)
    schedule = Schedule(pool, Patience(fixed=float("inf")))
    if seconds:
        schedule.start()
    for _ in schedule.run(expected or seconds):
        pool.clock += store_seconds
    return pool.clock
