"""Sequences one after the other without padding, and bidirectional attention inside each of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import varlen
from .layout import moved
from .ops import Ops
from .window import attend_window, in_window

AttentionKind = Literal["auto", "grouped", "varlen", "nested", "plain"]


@dataclass(frozen=True)
class SameLength:
    """`count` neighbouring sequences of `length` tokens each; `first` is their place among the sequences."""

    first: int
    count: int
    start: int  # first token
    length: int


@dataclass(frozen=True)
class Packed:
    """A batch of n sequences, T tokens in all.

    Attributes:
        ids: (T,) int64 token ids.
        types: (T,) int64 token types, or None where all are 0.
        lengths: tokens of each sequence; equal lengths next to each other make the work faster.
    """

    ids: Tensor
    types: Tensor | None
    lengths: list[int]
    _seen: dict[tuple[bool, int | None], int] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def of(
        cls, sequences: Sequence[Sequence[int]], types: Sequence[Sequence[int]] | None, device: torch.device
    ) -> Packed:
        """Pack token ids, and token types of the same lengths."""

        def flat(rows: Sequence[Sequence[int]]) -> Tensor:
            return moved(torch.from_numpy(np.fromiter(itertools.chain.from_iterable(rows), np.int64)), device)

        return cls(flat(sequences), None if types is None else flat(types), [len(s) for s in sequences])

    @cached_property
    def neighbours(self) -> list[SameLength]:
        """Neighbours of equal length."""
        runs, first, start = [], 0, 0
        for length, same in itertools.groupby(self.lengths):
            count = len(list(same))
            runs.append(SameLength(first, count, start, length))
            first, start = first + count, start + count * length
        return runs

    @cached_property
    def offsets(self) -> Tensor:
        """(n + 1,) int64: where each sequence begins, and T."""
        return moved(torch.tensor([0, *itertools.accumulate(self.lengths)], dtype=torch.int64), self.ids.device)

    @cached_property
    def offsets32(self) -> tuple[Tensor, Tensor]:
        """`offsets` in int32, and those of sequences of one token each."""
        return self.offsets.int(), torch.arange(len(self.lengths) + 1, dtype=torch.int32, device=self.ids.device)

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return max(self.lengths)

    @cached_property
    def firsts(self) -> Tensor:
        """(n,) places of the first token of each sequence."""
        return self.offsets[:-1]

    @cached_property
    def places(self) -> Tensor:
        """(T,) 0, 1, 2, ... within each sequence."""
        return torch.arange(len(self.ids), device=self.ids.device) - self._repeated(self.firsts)

    def counted_places(self, skip: int) -> Tensor:
        """Return (T,) as transformers' `create_position_ids_from_input_ids`: 1, 2, ... over tokens other than `skip`.

        A token `skip` gets 0, wherever it is.
        """
        counted = (self.ids != skip).long()
        total = counted.cumsum(0)
        before = self._repeated((total - counted)[self.firsts])
        return (total - before) * counted

    def _repeated(self, x: Tensor) -> Tensor:
        """Return (T,) a value of each sequence (n,) at each of its tokens, without waiting for a GPU."""
        return x.repeat_interleave(self.offsets.diff(), output_size=len(self.ids))

    def seen(self, first_only: bool, window: int | None) -> int:
        """Return pairs of tokens that attention is about, within a window or whole; the same in every layer."""
        key = first_only, window
        if key not in self._seen:
            self._seen[key] = sum(_seen(n, first_only, window) for n in self.lengths)
        return self._seen[key]

    def pooled(self, x: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:
        """Return (n, out): `pool`, (count, length, width) to (count, out), of each sequence's rows of x (T, width)."""
        return torch.cat(
            [pool(x[r.start : r.start + r.count * r.length].view(r.count, r.length, -1)) for r in self.neighbours]
        )


def attend_all(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    batch: Packed,
    ops: Ops,
    kind: AttentionKind = "auto",
    first_only: bool = False,
    window: int | None = None,
) -> Tensor:
    """Return softmax attention within each sequence; every token sees all tokens of its sequence, or those of a window.

    Args:
        q: (T, heads, dim), or (n, heads, dim) with `first_only`.
        k: (T, heads, dim).
        v: (T, heads, dim).
        batch: where sequences begin.
        ops: counts the products.
        kind: `grouped` runs torch's fused attention on neighbours of equal length, `varlen` and `nested` one kernel for
            all lengths (CUDA), `plain` the formula itself. `auto` is `varlen` where torch has it (2.10, half
            precision), else `nested` on CUDA, which costs milliseconds of Python per layer, else `grouped`.
        first_only: queries of the first token of each sequence only.
        window: tokens that are seen on each side; None: all. `nested` runs neighbours then.

    Returns (rows of q, heads * dim).
    """
    heads, dim = q.shape[1:]
    if window is not None and batch.longest <= window + 1:
        window = None
    if kind == "auto":
        kind = _kind(q, batch, window)
    if kind == "varlen":
        ops.attention(heads, dim, batch.seen(first_only, window))
        return _attend_varlen(q, k, v, batch, first_only, window)
    if kind == "nested" and window is None:
        ops.attention(heads, dim, batch.seen(first_only, None))
        return _nested(q, k, v, batch, first_only)
    out = torch.empty(q.shape[0], heads * dim, dtype=q.dtype, device=q.device)
    for same in batch.neighbours:
        asks = 1 if first_only else same.length
        rows = slice(same.first, same.first + same.count) if first_only else _tokens(same)
        # (rows, heads, dim) -> (count, heads, length, dim), views
        part_q = q[rows].unflatten(0, (same.count, asks)).transpose(1, 2)
        part_k, part_v = (x[_tokens(same)].unflatten(0, (same.count, same.length)).transpose(1, 2) for x in (k, v))
        if kind == "plain":
            attended = _plain(part_q, part_k, part_v, ops, window)
        elif window is not None and same.length > window + 1:
            attended = attend_window(part_q, part_k, part_v, window, ops)
        else:
            ops.attention(heads, dim, same.count * asks * same.length)
            attended = F.scaled_dot_product_attention(part_q, part_k, part_v)
        out[rows] = attended.transpose(1, 2).reshape(-1, heads * dim)
    return out


def _tokens(same: SameLength) -> slice:
    return slice(same.start, same.start + same.count * same.length)


def _seen(length: int, first_only: bool, window: int | None) -> int:
    """Return pairs of tokens that attention of one sequence is about."""
    reach = length if window is None else min(length, window + 1)
    return reach if first_only else in_window(length, reach - 1)


def _kind(q: Tensor, batch: Packed, window: int | None) -> AttentionKind:
    if not q.is_cuda:
        return "grouped"
    needs = () if window is None else ("window_size",)
    if varlen.takes(q) and varlen.kernel(*needs) is not None:
        return "varlen"
    jagged = hasattr(torch.nested, "nested_tensor_from_jagged")
    return "nested" if jagged and window is None and len(batch.neighbours) > 1 else "grouped"


def _plain(q: Tensor, k: Tensor, v: Tensor, ops: Ops, window: int | None) -> Tensor:
    logits = ops.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.shape[-1])
    if window is not None:
        asks, sees = (torch.arange(x.shape[-2], device=q.device) for x in (q, k))
        logits = logits.masked_fill((asks[:, None] - sees).abs() > window, -math.inf)
    return ops.matmul(logits.softmax(-1, dtype=torch.float32).to(v.dtype), v)


def _attend_varlen(q: Tensor, k: Tensor, v: Tensor, batch: Packed, first_only: bool, window: int | None) -> Tensor:
    longest, asks = batch.longest, 1 if first_only else batch.longest
    offsets, ones = batch.offsets32
    if first_only and window is not None:  # the kernel aligns the last query with the last key: keys beyond go
        keep = batch.places <= window
        k, v = k[keep], v[keep]
        lengths = batch.offsets.diff().clamp(max=window + 1)
        offsets, longest, window = F.pad(lengths.cumsum(0), (1, 0)).int(), window + 1, None
    more = {} if window is None else {"window_size": (window, window)}
    return varlen.kernel()(q, k, v, ones if first_only else offsets, offsets, asks, longest, **more).flatten(1)


def _nested(q: Tensor, k: Tensor, v: Tensor, batch: Packed, first_only: bool) -> Tensor:
    longest, shortest = batch.longest, min(batch.lengths)
    ones = torch.arange(len(batch.lengths) + 1, device=q.device)

    def jagged(x: Tensor, single: bool) -> Tensor:
        return torch.nested.nested_tensor_from_jagged(
            x.contiguous(),
            ones if single else batch.offsets,
            min_seqlen=1 if single else shortest,
            max_seqlen=1 if single else longest,
        ).transpose(1, 2)

    attended = F.scaled_dot_product_attention(jagged(q, first_only), jagged(k, False), jagged(v, False))
    return attended.transpose(1, 2).values().reshape(q.shape[0], -1)
