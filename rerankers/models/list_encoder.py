"""BERT's encoder over a list: every token also sees one marked state of each other sequence of the pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import EncoderConfig
from .encoder import Encoder
from .ops import Ops
from .packed import Packed, SameLength

_ROWS = 16  # sequences whose keys and values are laid out at a time


class ListEncoder(Encoder):
    """The sequences of a pass are one list; their order is nowhere in the formulas.

    A marked state's keys and values are those of its own sequence: they are projected once, and seen by all others.
    """

    def __init__(self, config: EncoderConfig, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__(config, dtype, device)
        self.mark = 0  # place of the marked state
        self.head = [torch.empty(1, config.hidden, dtype=torch.float32, device=device)]

    @property
    def head_names(self) -> tuple[str, ...]:
        """See `Encoder.head_names`."""
        return ("linear.weight",)

    def scores(self, batch: Packed, ops: Ops) -> Tensor:
        """Return (n, 1) float32: a linear layer on each sequence's first state."""
        return ops.linear(self._first_states(batch, ops), self.head[0])

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, batch: Packed, ops: Ops, first_only: bool) -> Tensor:
        """See `Encoder._attend`; a sequence's own marked state is seen once, in its own sequence."""
        heads, dim = q.shape[1:]
        marks = batch.firsts + self.mark
        own = torch.eye(len(marks), dtype=torch.bool, device=q.device)
        out = torch.empty(q.shape[0], heads * dim, dtype=q.dtype, device=q.device)
        for same in _split(batch.neighbours):
            asks = 1 if first_only else same.length
            tokens = slice(same.start, same.start + same.count * same.length)
            first = same.first if first_only else same.start
            rows = slice(first, first + same.count * asks)
            part_q = q[rows].unflatten(0, (same.count, asks)).transpose(1, 2)
            part_k, part_v = (
                torch.cat(
                    [
                        x[tokens].unflatten(0, (same.count, same.length)),
                        x[marks].unsqueeze(0).expand(same.count, -1, -1, -1),
                    ],
                    dim=1,
                ).transpose(1, 2)
                for x in (k, v)
            )
            others = ~own[same.first : same.first + same.count]
            seen = F.pad(others, (same.length, 0), value=True)[:, None, None].expand(-1, 1, asks, -1)
            ops.attention(heads, dim, same.count * asks * (same.length + len(marks)))
            attended = F.scaled_dot_product_attention(part_q, part_k, part_v, attn_mask=seen)
            out[rows] = attended.transpose(1, 2).reshape(-1, heads * dim)
        return out


def _split(runs: list[SameLength]) -> Iterator[SameLength]:
    for run in runs:
        for first in itertools.count(0, _ROWS):
            count = min(_ROWS, run.count - first)
            if count <= 0:
                break
            yield SameLength(run.first + first, count, run.start + first * run.length, run.length)
