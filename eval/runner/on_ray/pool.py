"""Ray actors as a pool. Ray places them, notices their death and carries what they return; nothing else waits here."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Protocol

import ray
from ray.exceptions import RayError, RayTaskError

from ....rerankers.errors import InputError, ScoreError
from ...schedule.schedule import Done, Event, Failed, Lost, Ready, Refused

_DETAIL = re.compile(r"Worker exit type: (?P<kind>\w+) Worker exit detail: (?P<detail>.*?)(?: Some common causes|$)")
_LONGEST = 300  # characters of a cause
_AHEAD = "ahead"  # Ray's name of the thread that prepares


class Introduced(Protocol):
    """What a worker returns when it is ready. All workers must have the same `identity`."""

    @property
    def identity(self) -> Any:
        """What it has loaded."""
        ...

    @property
    def node(self) -> str:
        """The machine's name."""
        ...

    @property
    def pid(self) -> int:
        """The process there."""
        ...


class RayPool:
    """One actor per worker, each with its share of CPUs and GPUs. `order` makes the order for a block."""

    def __init__(self, workers: int, actor: type, recipe: Any, *, cpus: float, gpus: float) -> None:
        """Take the actors' class: `actor(recipe)` has the methods `ready() -> Introduced` and `score(order)`.

        One that has `prepare(order)` too gets that call first, beside the block that it scores meanwhile.
        """
        self.workers = workers
        self.introductions: dict[int, Introduced] = {}
        self.order: Callable[[int], Any] = _refuse_orders
        self._recipe = recipe
        # an actor that died stays dead, so that Ray reports why; `_begin` makes its successor
        self._prepares = hasattr(actor, "prepare")
        beside: dict[str, Any] = {"concurrency_groups": {_AHEAD: 1}} if self._prepares else {}
        self._class = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, **beside)(actor)
        self._actors: dict[int, Any] = {}
        self._calls: dict[Any, tuple[int, int | None]] = {}  # what is awaited -> worker, block (None: `ready`)
        for worker in range(workers):
            self._begin(worker)

    def actor(self, worker: int) -> Any:
        """Return the actor's handle."""
        return self._actors[worker]

    def _begin(self, worker: int) -> None:
        self._actors[worker] = self._class.remote(self._recipe)
        self._calls[self._actors[worker].ready.remote()] = worker, None

    def submit(self, worker: int, job: int) -> None:
        """See `Pool.submit`."""
        actor, order = self._actors[worker], self.order(job)
        # what it prepared stays there; the reference shows when, or with which error
        needs = [actor.prepare.options(concurrency_group=_AHEAD).remote(order)] if self._prepares else []
        self._calls[actor.score.remote(order, *needs)] = worker, job

    def restart(self, worker: int) -> None:
        """See `Pool.restart`."""
        self.retire(worker)
        self._begin(worker)

    def retire(self, worker: int) -> None:
        """See `Pool.retire`."""
        self._calls = {ref: call for ref, call in self._calls.items() if call[0] != worker}
        if (actor := self._actors.pop(worker, None)) is not None:
            ray.kill(actor)

    def wait(self, seconds: float) -> list[Event]:
        """See `Pool.wait`."""
        done, _ = ray.wait(list(self._calls), num_returns=1, timeout=seconds)
        if done:  # what else has come meanwhile
            done, _ = ray.wait(list(self._calls), num_returns=len(self._calls), timeout=0)
        # a dead worker's calls fail together; the first one is reported, and the others with it
        return [self._take_event(ref) for ref in done if ref in self._calls]

    def _take_event(self, ref: Any) -> Event:
        worker, job = self._calls.pop(ref)
        try:
            value: Any = ray.get(ref)
        except RayTaskError as err:
            fault: Exception = err
            while isinstance(fault, RayTaskError) and isinstance(fault.cause, Exception):  # twice if it was prepared
                fault = fault.cause
            if isinstance(fault, (InputError, ScoreError)):
                return Refused(worker, fault) if job is None else Failed(worker, job, str(fault))
            self.restart(worker)  # whatever went wrong, the process may not be sound any more
            return Lost(worker, _shorten(f"{type(fault).__name__}: {fault}"))
        except RayError as err:
            cause = self._describe_death(worker, err)
            self.restart(worker)
            return Lost(worker, cause)
        if job is not None:
            return Done(worker, job, value)
        return self._introduce(worker, value)

    def _introduce(self, worker: int, introduction: Introduced) -> Event:
        first = next(iter(self.introductions.values()), introduction)
        if introduction.identity != first.identity:
            error = InputError(f"the model on {introduction.node} is not the one on {first.node}; give both the same")
            return Refused(worker, error)
        self.introductions[worker] = introduction
        return Ready(worker, introduction)

    def _describe_death(self, worker: int, err: RayError) -> str:
        match = _DETAIL.search(" ".join(str(err).split()))
        detail = f"{match['kind']}, {match['detail']}" if match else str(err)
        known = self.introductions.get(worker)
        where = f"process {known.pid} on {known.node}" if known else "its process"
        return _shorten(f"{where} died: {detail}")

    def now(self) -> float:
        """See `Pool.now`."""
        return time.monotonic()

    def close(self) -> None:
        """End all workers."""
        for worker in range(self.workers):
            self.retire(worker)


def _shorten(cause: str) -> str:
    line = " ".join(cause.split())
    return line if len(line) <= _LONGEST else line[:_LONGEST] + "…"


def _refuse_orders(job: int) -> Any:
    raise RuntimeError(f"block {job} of nothing")
