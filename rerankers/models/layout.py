"""Where the tokens of a batch lie when they are packed one after the other, with query prefixes shared.

Rows of a packed batch: the shared prefix of every group, then the suffix of every sequence, groups in order.

    prefix of group 0 | prefix of group 1 | ... | suffixes of group 0 | suffixes of group 1 | ...

A sequence is its group's prefix followed by its own suffix, so the token in row `j` of a suffix has position
`prefix + j`. A suffix alone belongs to a group whose prefix is empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor


@dataclass(frozen=True)
class SuffixBlock:
    """Sequences of one group with suffixes of equal length, side by side.

    Attributes:
        prefix_start, prefix: first row and length of the group's prefix.
        start, count, length: first row, number of suffixes and their length; the rows are contiguous.
        first: index of the first of these sequences.
    """

    prefix_start: int
    prefix: int
    start: int
    count: int
    length: int
    first: int


class Layout:
    """Boundaries of a packed batch.

    Args:
        prefixes: tokens of each group's prefix, 0 where nothing is shared.
        groups: the group of each sequence, ascending.
        lengths: tokens of each suffix, at least 1.
        passages: [start, stop) of the passage within each suffix: what compression may shorten.
    """

    def __init__(self, prefixes: ArrayLike, groups: ArrayLike, lengths: ArrayLike, passages: ArrayLike):
        self.prefixes = np.asarray(prefixes, dtype=np.int64)
        self.groups = np.asarray(groups, dtype=np.int64)
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.passages = np.asarray(passages, dtype=np.int64).reshape(-1, 2)

    @cached_property
    def rows(self) -> int:
        """Tokens of the packed batch."""
        return int(self.prefixes.sum() + self.lengths.sum())

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int((self.prefixes[self.groups] + self.lengths).max())

    @cached_property
    def prefix_starts(self) -> np.ndarray:
        """First row of each prefix, shape (groups,)."""
        return np.cumsum(self.prefixes) - self.prefixes

    @cached_property
    def suffix_starts(self) -> np.ndarray:
        """First row of each suffix, shape (sequences,)."""
        return self.prefixes.sum() + np.cumsum(self.lengths) - self.lengths

    @cached_property
    def last(self) -> np.ndarray:
        """Row of each sequence's last token, shape (sequences,)."""
        return self.suffix_starts + self.lengths - 1

    @cached_property
    def positions(self) -> np.ndarray:
        """Position of every row within its sequence, shape (rows,)."""
        suffixes = counted(self.lengths) + np.repeat(self.prefixes[self.groups], self.lengths)
        return np.concatenate([counted(self.prefixes), suffixes])

    @cached_property
    def blocks(self) -> list[SuffixBlock]:
        """Runs of neighbouring sequences with the same group and length; callers sort by length to make them long."""
        blocks: list[SuffixBlock] = []
        same = (np.diff(self.groups) == 0) & (np.diff(self.lengths) == 0)
        edges = np.concatenate([[0], np.flatnonzero(~same) + 1, [len(self.lengths)]])
        for first, stop in zip(edges[:-1].tolist(), edges[1:].tolist()):
            group = self.groups[first]
            blocks.append(
                SuffixBlock(
                    prefix_start=int(self.prefix_starts[group]),
                    prefix=int(self.prefixes[group]),
                    start=int(self.suffix_starts[first]),
                    count=stop - first,
                    length=int(self.lengths[first]),
                    first=first,
                )
            )
        return blocks


def counted(lengths: np.ndarray) -> np.ndarray:
    """Return 0, 1, .., n-1 for each n of `lengths`, joined."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def as_index(values: np.ndarray, device: torch.device) -> Tensor:
    """Return an int64 index tensor on the model's device."""
    return moved(torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64)), device)


def moved(x: Tensor, device: torch.device) -> Tensor:
    """Return a CPU tensor on the model's device; work that is under way on a GPU is not waited for."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
