"""Torch's kernel for sequences of any length after each other (flash attention: Dao 2023, arXiv 2307.08691), for GPUs.

It aligns a sequence's last query with its last key, so a causal sequence may have fewer queries than keys: those of a
suffix see the shared prefix and the suffix, whose keys are gathered one after the other.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .layout import Layout, as_index, counted, moved

_WIDEST = 256  # of a head: the kernel's limit


@cache
def kernel(*needs: str) -> Any:
    """Return `varlen_attn` where this torch has these parameters, else None (torch 2.10; `window_size` 2.11)."""
    # imported on a GPU only: it imports 70 MB of compiler
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    known = inspect.signature(varlen_attn).parameters
    return varlen_attn if known.keys() >= {*needs} else None


def takes(q: Tensor) -> bool:
    """Return whether the kernel takes such queries (rows, heads, head_dim): CUDA, half precision, of its head sizes."""
    return q.is_cuda and q.dtype != torch.float32 and q.shape[-1] % 8 == 0 and q.shape[-1] <= _WIDEST


def serves(q: Tensor) -> bool:
    """Return whether `attend_gathered` is the kernel to choose for these queries of a decoder without capped scores."""
    return takes(q) and kernel("window_size", "scale") is not None


@dataclass(frozen=True)
class Gathered:
    """A packed batch as the kernel wants it.

    Attributes:
        keys: rows of the keys, (keys,) int64; None where they lie as they are needed.
        query_starts, key_starts: int32 (sequences + 1,): where the queries, and the keys, of each sequence begin.
        most_queries, most_keys: of one sequence.
    """

    keys: Tensor | None
    query_starts: Tensor
    key_starts: Tensor
    most_queries: int
    most_keys: int

    @classmethod
    def of(cls, layout: Layout, last_only: bool, device: torch.device) -> Gathered:
        """Gather each prefix, unless only last tokens have queries, then each suffix with the prefix before it."""
        shared = layout.prefixes[layout.groups]
        rows = _rows(layout.prefix_starts[layout.groups], shared, layout.suffix_starts, layout.lengths)
        queries, keys = layout.lengths, shared + layout.lengths
        if last_only:
            queries = np.ones_like(queries)
        else:
            own = layout.prefixes[layout.prefixes > 0]
            queries, keys = np.concatenate([own, queries]), np.concatenate([own, keys])
            rows = np.concatenate([np.arange(own.sum()), rows])
        return cls(
            keys=as_index(rows, device) if shared.any() else None,
            query_starts=_offsets(queries, device),
            key_starts=_offsets(keys, device),
            most_queries=int(queries.max()),
            most_keys=int(keys.max()),
        )


def _rows(starts: np.ndarray, lengths: np.ndarray, own_starts: np.ndarray, own_lengths: np.ndarray) -> np.ndarray:
    """Return row numbers of one stretch and another, for each sequence, all after each other."""
    each = lengths + own_lengths
    positions = counted(each)
    first, own_first, before = (np.repeat(values, each) for values in (starts, own_starts - lengths, lengths))
    return positions + np.where(positions < before, first, own_first)


def _offsets(lengths: np.ndarray, device: torch.device) -> Tensor:
    return moved(torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)), device)


def attend_gathered(
    q: Tensor, k: Tensor, v: Tensor, batch: Gathered, scale: float, window: int | None, causal: bool
) -> Tensor:
    """Return attention of the batch's queries.

    Args:
        q: shape (queries, heads, head_dim).
        k: shape (rows, kv_heads, head_dim).
        v: the same.
        batch: of `Gathered.of`.
        scale: factor on q.k.
        window: a token key_starts itself and the `window` - 1 tokens before it; None: all of them.
        causal: a token key_starts those before it only.

    Returns:
        The shape of q.
    """
    if batch.keys is not None:
        k, v = k[batch.keys], v[batch.keys]
    more: dict[str, Any] = {"scale": scale, "window_size": (-1 if window is None else window - 1, 0 if causal else -1)}
    if (share := q.shape[1] // k.shape[1]) > 1:
        if kernel("enable_gqa") is not None:
            more["enable_gqa"] = True
        else:
            k, v = (x.repeat_interleave(share, dim=1) for x in (k, v))
    run = kernel("window_size", "scale")
    return run(q, k, v, batch.query_starts, batch.key_starts, batch.most_queries, batch.most_keys, **more)
