"""Attention over a packed batch in one FlexAttention kernel (torch >= 2.5), for GPUs.

The mask says it all: a token sees the tokens of its own suffix and of its group's prefix that are not behind it.
FlexAttention also takes the cap on scores, which the fused kernels of scaled_dot_product_attention do not.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from .layout import Layout, as_index


def block_mask(layout: Layout, window: int | None, device: torch.device) -> BlockMask:
    """Which rows see which, shape (1, 1, rows, rows) in blocks; the same for every layer with this window."""
    group = as_index(layout.group_of_row, device)
    sequence = as_index(layout.sequence_of_row, device)
    position = as_index(layout.positions, device)

    def visible(_batch: Tensor, _head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        related = (group[q] == group[k]) & ((sequence[k] == sequence[q]) | (sequence[k] == -1))
        behind = position[q] - position[k]
        seen = related & (behind >= 0)
        return seen if window is None else seen & (behind < window)

    # only the compiled version avoids a dense (rows, rows) tensor
    compiled = {"_compile": True} if device.type == "cuda" else {}
    return create_block_mask(visible, None, None, layout.rows, layout.rows, device=str(device), **compiled)


def flex_attend(q: Tensor, k: Tensor, v: Tensor, mask: BlockMask, scale: float, softcap: float | None) -> Tensor:
    """Attention of every row: q (rows, heads, head_dim), k and v (rows, kv_heads, head_dim) -> the shape of q."""

    def capped(score: Tensor, *_: Tensor) -> Tensor:
        return score if softcap is None else softcap * torch.tanh(score / softcap)

    found = _kernel(q.device.type)(
        *(x.transpose(0, 1)[None] for x in (q, k, v)),
        score_mod=None if softcap is None else capped,
        block_mask=mask,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
    )
    return found[0].transpose(0, 1)


@cache
def _kernel(device: str) -> Any:
    # uncompiled it runs anywhere, as a plain formula: enough to test the mask on a CPU
    return torch.compile(flex_attention, dynamic=True) if device == "cuda" else flex_attention
