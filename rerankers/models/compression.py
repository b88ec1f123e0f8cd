"""Token compression of the lightweight reranker: neighbouring passage states are replaced by their mean.

Query and prompt stay as they are, so shared query prefixes stay shared. Positions are counted again afterwards.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .layout import Layout, as_index, moved


def compress(x: Tensor, layout: Layout, ratio: int) -> tuple[Tensor, Layout]:
    """Shorten every passage to ceil(length / ratio) states; a last partial group is the mean of what it has.

    Args:
        x: states, shape (rows, hidden).
        layout: where they lie.
        ratio: neighbours that become one; any integer from 1 on.

    Returns:
        The states, shape (fewer rows, hidden), and the layout they have now.
    """
    starts, stops = layout.passages.T
    remaining = -(-(stops - starts) // ratio)
    after = Layout(
        layout.prefixes,
        layout.groups,
        layout.lengths - (stops - starts) + remaining,
        np.stack([starts, starts + remaining], axis=1),
    )
    # one entry per new row: the first old row that it averages, and how many
    first = np.empty(after.rows, dtype=np.int64)
    count = np.ones(after.rows, dtype=np.int64)
    prefix_rows = int(layout.prefixes.sum())
    first[:prefix_rows] = np.arange(prefix_rows)
    for i in range(len(layout.lengths)):
        old, new = layout.suffix_starts[i], after.suffix_starts[i]
        start, stop, means, length = starts[i], stops[i], remaining[i], after.lengths[i]
        offsets = np.arange(means) * ratio + start
        first[new : new + start] = old + np.arange(start)
        first[new + start : new + start + means] = old + offsets
        count[new + start : new + start + means] = np.minimum(ratio, stop - offsets)
        first[new + start + means : new + length] = old + stop + np.arange(length - start - means)
    out = x[as_index(first, x.device)]
    merged = np.flatnonzero(count > 1)
    if len(merged):
        steps = np.minimum(np.arange(ratio), count[merged, None] - 1)
        weight = (np.arange(ratio) < count[merged, None]) / count[merged, None]
        neighbours = x[as_index(first[merged, None] + steps, x.device)].float()
        weights = moved(torch.from_numpy(weight.astype(np.float32)), x.device)
        out[as_index(merged, x.device)] = (neighbours * weights[..., None]).sum(dim=1).to(x.dtype)
    return out, after
