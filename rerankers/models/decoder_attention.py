"""Attention over a packed batch whose sequences may share their prefix: causal, or of all tokens to all.

Four ways, equal up to rounding: `blocks` runs one small dense attention per prefix and per block of equally long
suffixes, `varlen` and `flex` one kernel for the whole batch (the first does not cap scores, the second waits for a
compiler), and `plain` the blocks by the formula that all are tested against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from . import flex, varlen
from .layout import Layout, SuffixBlock
from .ops import Ops

AttentionKind = Literal["auto", "blocks", "varlen", "flex", "plain"]


class Masks:
    """Masks of one batch; they come back in every layer.

    Args:
        longest: most tokens of a sequence.
        dtype: of the queries.
        device: of the queries.
    """

    def __init__(self, longest: int, dtype: torch.dtype, device: torch.device):
        self.longest, self.dtype, self.device = longest, dtype, device
        self._square: dict[int | None, Tensor] = {}
        self._whole: dict[tuple[Layout, int | None, bool], Any] = {}
        self._gathered: dict[tuple[Layout, bool], varlen.Gathered] = {}

    def get(self, queries: int, keys: int, window: int | None) -> Tensor | None:
        """Return shape (queries, keys), 0 or -inf, for the last `queries` of `keys` positions; None hides nothing."""
        if window is not None and window >= keys:
            window = None
        if queries == 1 and window is None:
            return None
        if window not in self._square:
            square = torch.full((self.longest, self.longest), -torch.inf, dtype=self.dtype, device=self.device)
            square.triu_(1)
            if window is not None:
                square += torch.full_like(square, -torch.inf).tril_(-window)
            self._square[window] = square
        # who sees whom depends on the distance only, so any part of the diagonal will do
        return self._square[window][keys - queries : keys, :keys]

    def gathered(self, layout: Layout, last_only: bool) -> varlen.Gathered:
        """Return the whole batch for the kernel of variable length."""
        key = (layout, last_only)
        if key not in self._gathered:
            self._gathered[key] = varlen.Gathered.of(layout, last_only, self.device)
        return self._gathered[key]

    def whole(self, layout: Layout, spec: AttentionSpec) -> Any:
        """Return the mask of the whole batch for FlexAttention."""
        window = None if spec.window is not None and spec.window >= self.longest else spec.window
        key = (layout, window, spec.last_only)
        if key not in self._whole:
            visible = flex.VisibleRange.of(layout, spec.last_only, causal=spec.causal)
            self._whole[key] = flex.block_mask(visible, window, self.device)
        return self._whole[key]


def plain(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float, softcap: float | None, ops: Ops
) -> Tensor:
    """Return softmax(cap(q.k * scale) + mask).v, the softmax in float32; shapes (batch, heads, tokens, head_dim)."""
    scores = ops.matmul(q, k.transpose(-1, -2)) * scale
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if mask is not None:
        scores = scores + mask
    return ops.matmul(torch.softmax(scores, dim=-1, dtype=torch.float32).to(q.dtype), v)


@dataclass(frozen=True)
class AttentionSpec:
    """What a layer's attention is.

    Attributes:
        scale: factor on q.k.
        softcap: c in c * tanh(score / c), or None.
        window: a token sees itself and the `window` - 1 tokens before it, or all when None.
        last_only: queries are the last tokens of the sequences.
        kind: `auto` is `varlen` where `varlen.serves` and scores are not capped, else `flex` where
            `flex.serves`, else `blocks`; where scores are capped, blocks run the formula.
        causal: a token sees those before it only; else all tokens of its sequence, and nothing may be shared.
    """

    scale: float
    softcap: float | None = None
    window: int | None = None
    last_only: bool = False
    kind: AttentionKind = "auto"
    causal: bool = True


def attend(q: Tensor, k: Tensor, v: Tensor, layout: Layout, spec: AttentionSpec, masks: Masks, ops: Ops) -> Tensor:
    """Return attention of every row to its sequence (causal: to those before it), or of each sequence's last one.

    Args:
        q: shape (rows, heads, head_dim), or (sequences, heads, head_dim) when `spec.last_only`.
        k: shape (rows, kv_heads, head_dim).
        v: the same.
        layout: where the rows lie.
        spec: scale, cap, window and kernel.
        masks: masks in the dtype and on the device of q.
        ops: counts the FLOPs.

    Returns:
        The shape of q.
    """
    kind = spec.kind
    if kind == "auto":
        kind = "varlen" if spec.softcap is None and varlen.serves(q) else "flex" if flex.serves(q) else "blocks"
    if kind in ("varlen", "flex"):
        ops.attention(q.shape[1], q.shape[2], _count_products(layout, spec.last_only))
        if kind == "flex":
            return flex.flex_attend(q, k, v, masks.whole(layout, spec), spec.scale, spec.softcap)
        gathered = masks.gathered(layout, spec.last_only)
        return varlen.attend_gathered(q, k, v, gathered, spec.scale, spec.window, spec.causal)
    out = torch.empty_like(q)
    if not spec.last_only:
        for start, length in zip(layout.prefix_starts.tolist(), layout.prefixes.tolist()):
            if length:
                part = slice(start, start + length)
                own_q, own_k, own_v = (x[part].transpose(0, 1)[None] for x in (q, k, v))
                out[part] = _dense(own_q, own_k, own_v, spec, masks, ops)[0].transpose(0, 1)
    for block in layout.blocks:
        own = slice(block.start, block.start + block.count * block.length)
        rows = slice(block.first, block.first + block.count) if spec.last_only else own
        queries = q[rows].unflatten(0, (block.count, -1)).transpose(1, 2)
        result = _dense(queries, _gather_keys(k, block, own), _gather_keys(v, block, own), spec, masks, ops)
        out[rows] = result.transpose(1, 2).flatten(0, 1)
    return out


def _dense(q: Tensor, k: Tensor, v: Tensor, spec: AttentionSpec, masks: Masks, ops: Ops) -> Tensor:
    """Attend: q (count, heads, queries, head_dim), k and v (count, kv_heads, keys, head_dim) -> the shape of q."""
    count, heads, queries, head_dim = q.shape
    share, keys = heads // k.shape[1], k.shape[2]  # query heads to a key head
    # key heads become batch entries, so that the query heads of each see them without a copy
    q = q.reshape(-1, share, queries, head_dim)
    k, v = (x.reshape(-1, 1, keys, head_dim).expand(-1, share, -1, -1) for x in (k, v))
    if spec.kind == "plain" or spec.softcap is not None:
        mask = masks.get(queries, keys, spec.window) if spec.causal else None
        attended = plain(q, k, v, mask, spec.scale, spec.softcap, ops)
    else:
        ops.attention(heads, head_dim, count * queries * keys)
        causal = spec.causal and queries == keys and (spec.window is None or spec.window >= keys)
        mask = None if causal or not spec.causal else masks.get(queries, keys, spec.window)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, scale=spec.scale)
    return attended.reshape(count, heads, queries, head_dim)


def _gather_keys(x: Tensor, block: SuffixBlock, own: slice) -> Tensor:
    """Return a block's keys or values (count, kv_heads, keys, head_dim): the shared prefix, then each one's own."""
    suffixes = x[own].unflatten(0, (block.count, -1)).transpose(1, 2)
    if not block.prefix:
        return suffixes
    prefix = x[block.prefix_start : block.prefix_start + block.prefix].transpose(0, 1)
    return torch.cat((prefix.expand(block.count, -1, -1, -1), suffixes), dim=2)


def _count_products(layout: Layout, last_only: bool) -> int:
    """Return queries x keys, summed over prefixes and suffixes, or over the last tokens."""
    keys = layout.prefixes[layout.groups] + layout.lengths
    return int(keys.sum() if last_only else (layout.prefixes**2).sum() + (layout.lengths * keys).sum())
