"""Attention over a packed batch in one FlexAttention kernel (Dong et al., 2024, arXiv 2412.05496), for GPUs.

By the mask, a token sees the tokens of its own suffix and of its group's prefix that are not after it, or,
without a causal mask, all of its sequence.
FlexAttention also takes the cap on scores, which the fused kernels of scaled_dot_product_attention do not.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .compiled import can_compile
from .layout import Layout, as_index

BLOCK = 128  # rows and columns of a block of the mask; what FlexAttention's kernels are tuned for


def serves(q: Tensor) -> bool:
    """Return whether `flex_attend` is the kernel to choose for these queries.

    It is on CUDA in half precision (in float32 it is neither exact nor fast), where Triton compiles, with a head of at
    least 16 dimensions (its smallest matrix product).
    """
    return q.dtype in (torch.bfloat16, torch.float16) and q.shape[-1] >= 16 and can_compile(q) and _known()


@cache
def _known() -> bool:
    # imported on a GPU only: it imports the compiler
    try:
        from torch.nn.attention.flex_attention import BlockMask
    except ImportError:  # torch < 2.5
        return False
    return "seq_lengths" in inspect.signature(BlockMask.from_kv_blocks).parameters


@dataclass(frozen=True)
class VisibleRange:
    """What each query sees, as rows: [start, row] and, of the shared prefix, [prefix_start, prefix_stop).

    `row` is the query's own, or without a causal mask the last one of its sequence.

    Attributes:
        row, start, prefix_start, prefix_stop: int64, shape (queries,).
        rows: keys in all.
    """

    row: np.ndarray
    start: np.ndarray
    prefix_start: np.ndarray
    prefix_stop: np.ndarray
    rows: int

    @classmethod
    def of(cls, layout: Layout, last_only: bool, *, causal: bool = True) -> VisibleRange:
        """Make the range of every row, or of each sequence's last one. Without a causal mask nothing is shared."""
        prefixes, starts = layout.prefixes, layout.prefix_starts
        none = np.zeros(int(prefixes.sum()), dtype=np.int64)  # a prefix comes after no other

        def of_rows(of_prefix: np.ndarray, of_suffix: np.ndarray) -> np.ndarray:
            if last_only:
                return of_suffix
            return np.concatenate([of_prefix, np.repeat(of_suffix, layout.lengths)])

        own = np.arange(layout.rows) if causal else np.repeat(layout.last, layout.lengths)
        return cls(
            row=layout.last if last_only else own,
            start=of_rows(np.repeat(starts, prefixes), layout.suffix_starts),
            prefix_start=of_rows(none, starts[layout.groups]),
            prefix_stop=of_rows(none, (starts + prefixes)[layout.groups]),
            rows=layout.rows,
        )

    def blocks(self) -> np.ndarray:
        """Return which blocks of keys each block of queries may look at: bool, shape (query blocks, key blocks)."""
        firsts = np.arange(0, len(self.row), BLOCK)
        first_rows = np.arange(-(-self.rows // BLOCK)) * BLOCK

        def touched(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
            """Return blocks that meet the smallest range around the ranges of each block's queries."""
            nothing = start >= stop
            start = np.minimum.reduceat(np.where(nothing, self.rows, start), firsts)[:, None]
            stop = np.maximum.reduceat(np.where(nothing, 0, stop), firsts)[:, None]
            return (first_rows < stop) & (first_rows + BLOCK > start)

        return touched(self.start, self.row + 1) | touched(self.prefix_start, self.prefix_stop)


def block_mask(ranges: VisibleRange, window: int | None, device: torch.device) -> Any:
    """Return the BlockMask of what is seen; the same for every layer with this window."""
    from torch.nn.attention.flex_attention import BlockMask

    row, start, prefix_start, prefix_stop = (
        as_index(values, device).int() for values in (ranges.row, ranges.start, ranges.prefix_start, ranges.prefix_stop)
    )

    # a tensor, because another number would have the kernel compiled again
    reach = as_index(np.array([ranges.rows if window is None else window]), device).int()[0]

    def visible(_batch: Tensor, _head: Tensor, q: Tensor, k: Tensor) -> Tensor:
        own = (k >= start[q]) & (k <= row[q]) & (row[q] - k < reach)
        prefix = (k >= prefix_start[q]) & (k < prefix_stop[q]) & (row[q] - start[q] + prefix_stop[q] - k < reach)
        return own | prefix

    blocks = ranges.blocks()
    order = np.argsort(~blocks, axis=1, kind="stable")  # the indices of the blocks to visit come first
    return BlockMask.from_kv_blocks(
        as_index(blocks.sum(1)[None, None], device).int(),
        as_index(order[None, None], device).int(),
        BLOCK_SIZE=BLOCK,
        mask_mod=visible,
        seq_lengths=(len(ranges.row), ranges.rows),
    )


def flex_attend(q: Tensor, k: Tensor, v: Tensor, mask: Any, scale: float, softcap: float | None) -> Tensor:
    """Return attention of the mask's queries.

    Args:
        q: shape (queries, heads, head_dim).
        k: shape (rows, kv_heads, head_dim).
        v: the same.
        mask: of `block_mask`.
        scale: factor on q.k.
        softcap: c in c * tanh(score / c), or None.

    Returns:
        The shape of q.
    """
    attended = _kernel(q.device.type)(
        *(x.transpose(0, 1)[None] for x in (q, k, v)),
        score_mod=_capped(softcap, q.device),
        block_mask=mask,
        scale=scale,
        enable_gqa=q.shape[1] != k.shape[1],
        # the kernel for few queries takes no mask of this kind in every release
        kernel_options={"FORCE_USE_FLEX_ATTENTION": True},
    )
    return attended[0].transpose(0, 1)


@cache
def _capped(softcap: float | None, device: torch.device) -> Callable[..., Tensor] | None:
    if softcap is None:
        return None
    cap = torch.tensor(softcap, device=device)  # a captured number would become an argument that Triton refuses

    def capped(score: Tensor, *_: Tensor) -> Tensor:
        return cap * torch.tanh(score / cap)

    return capped


@cache
def _kernel(device: str) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    # uncompiled it runs anywhere, as a plain formula: enough to test the mask on a CPU
    return torch.compile(flex_attention, dynamic=True) if device == "cuda" else flex_attention
