"""Vectors of texts that came by before, the least recently used forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import torch


class VectorCache:
    """At most `limit` bytes of tensors by key."""

    def __init__(self, limit: int) -> None:
        self.limit, self.size = limit, 0
        self._kept: OrderedDict[Hashable, torch.Tensor] = OrderedDict()

    def get(self, key: Hashable) -> torch.Tensor | None:
        """Return the tensor of a key, which counts as used now; None when it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, key: Hashable, value: torch.Tensor) -> None:
        """Keep a tensor, forgetting others as needed."""
        self._kept[key] = value
        self.size += value.nbytes
        while self.size > self.limit and self._kept:
            _, forgotten = self._kept.popitem(last=False)
            self.size -= forgotten.nbytes
