"""What goes into a reranker and what comes out: groups of (query, passages), float32 scores and token counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .groups import Group

__all__ = ["Executed", "Group", "Prepared", "Requests", "Scored", "listening", "report_share"]


REMOTE = "remote"  # the device of models that a server runs

_listener: ContextVar[Callable[[float], None] | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Callable[[float], None]) -> Iterator[None]:
    """Within, `listener` gets the share of the tokens of a `Reranker.score` call that is done, batch by batch."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)


def report_share(share: float) -> None:
    """Report the share of the tokens of a call that is done, to the listener if there is one."""
    if (listener := _listener.get()) is not None:
        listener(share)


@dataclass(frozen=True)
class Requests:
    """The requests to a server.

    Attributes:
        sent, retried: requests that went out, and how many of them were repetitions.
        seconds: from each answered request to its answer; pauses between attempts left out.
        billed: the cost that the server states, in `unit`; None where it states none.
    """

    sent: int
    retried: int
    seconds: tuple[float, ...]
    billed: float | None = None
    unit: str | None = None

    def __add__(self, other: Requests | None) -> Requests:
        if other is None:
            return self
        billed = [amount for amount in (self.billed, other.billed) if amount is not None]
        return Requests(
            self.sent + other.sent,
            self.retried + other.retried,
            self.seconds + other.seconds,
            sum(billed) if billed else None,
            self.unit or other.unit,
        )


@dataclass
class Executed:
    """What one call of `Reranker.score` really ran.

    Attributes:
        flops: 2 x multiply-adds of all matrix products, padding included, shared prefixes counted once.
        real_tokens: tokens that entered a forward pass and are no padding, summed over the passes (one for each
            compression); a shared prefix counts once.
        padded_tokens: padding that entered one.
        shared_tokens: tokens that were not computed again: shared prefixes of queries, and repeated pairs.
        seconds: wall time by phase: `tokenise`, `forward`.
        requests: of a server, where there is one.
    """

    flops: int = 0
    real_tokens: int = 0
    padded_tokens: int = 0
    shared_tokens: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    requests: Requests | None = None

    def __add__(self, other: Executed) -> Executed:
        phases = {*self.seconds, *other.seconds}
        return Executed(
            self.flops + other.flops,
            self.real_tokens + other.real_tokens,
            self.padded_tokens + other.padded_tokens,
            self.shared_tokens + other.shared_tokens,
            {p: self.seconds.get(p, 0.0) + other.seconds.get(p, 0.0) for p in sorted(phases)},
            self.requests + other.requests if self.requests else other.requests,
        )


@dataclass
class Scored:
    """Scores of all pairs of some groups, pairs in the order of the groups and of their passages.

    Attributes:
        scores: float32, shape (settings, pairs); higher is more relevant, the scale is the family's.
        query_tokens, passage_tokens, prompt_tokens: int32, shape (pairs,): the ids fed to the model. The query
            counts its BOS and the separator after it, the prompt counts the separator before it; in encoders the
            special tokens count with the query (`<s> q </s></s>`) and the passage (`p </s>`). Where vectors of tokens
            are compared, the prompt counts tokens of the passage that are read and not compared. All 0: not counted.
        truncated: bool, shape (pairs,): the query or the passage lost tokens; False where tokens are not counted.
        executed: what ran.
    """

    scores: np.ndarray
    query_tokens: np.ndarray
    passage_tokens: np.ndarray
    prompt_tokens: np.ndarray
    truncated: np.ndarray
    executed: Executed

    def __repr__(self) -> str:
        return f"<Scored {self.scores.shape[0]} settings x {self.scores.shape[1]} pairs>"


@dataclass(frozen=True)
class Prepared:
    """Token ids of the distinct pairs of some groups.

    Attributes:
        tokens: in a form that only the reranker that made them reads.
        seconds: wall time of tokenising.
    """

    tokens: Any
    seconds: float
