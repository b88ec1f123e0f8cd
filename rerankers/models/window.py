"""Attention in which a token sees those at most `window` away, by torch's fused kernel on pieces of the sequence."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from .ops import Ops


def in_window(length: int, window: int) -> int:
    """Return pairs (query, key) of a sequence whose distance is at most `window`."""
    reach = min(window, length - 1)
    return length * (2 * reach + 1) - reach * (reach + 1)


def attend_window(q: Tensor, k: Tensor, v: Tensor, window: int, ops: Ops) -> Tensor:
    """Return softmax attention of queries 0, 1, ... of sequences of one length.

    Args:
        q: (count, heads, queries, dim); one query is that of the first token.
        k: (count, heads, length, dim).
        v: the same.
        window: tokens seen on each side.
        ops: counts the products that are computed: a piece of queries and all keys that any of them sees.

    Returns the shape of q.
    """
    count, heads, queries, dim = q.shape
    length = k.shape[2]
    # pieces of twice the window compute half as much again as needed; short sequences gain nothing from being cut
    piece = queries if length <= 4 * window else max(1, 2 * window)
    parts = []
    for start in range(0, queries, piece):
        stop = min(queries, start + piece)
        low, high = max(0, start - window), min(length, stop + window)
        band = _kept_band if (stop - start) * (high - low) <= _WORTH_KEEPING else _band
        mask = band(stop - start, high - low, start - low, window, q.dtype, q.device)
        ops.attention(heads, dim, count * (stop - start) * (high - low))
        keys, values = k[:, :, low:high], v[:, :, low:high]
        parts.append(F.scaled_dot_product_attention(q[:, :, start:stop], keys, values, attn_mask=mask))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


def _band(queries: int, keys: int, ahead: int, window: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (queries, keys): 0 where the distance is at most `window`, else -inf; query 0 is at key `ahead`."""
    asks, sees = torch.arange(queries, device=device) + ahead, torch.arange(keys, device=device)
    far = (asks[:, None] - sees).abs() > window
    return torch.zeros(queries, keys, dtype=dtype, device=device).masked_fill_(far, float("-inf"))


_WORTH_KEEPING = 1 << 18  # numbers; every layer of a batch needs the same few masks
_kept_band = lru_cache(maxsize=32)(_band)
