"""Packed batches of any kind, and which rows a row sees by definition."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from rerankbench.rerankers.models.layout import Layout


def seen_by_definition(layout: Layout, window: int | None) -> np.ndarray:
    """Shape (rows, rows): a token sees its group's prefix and its own suffix, nothing behind it."""
    prefix_rows = int(layout.prefixes.sum())
    group = np.concatenate(
        [np.repeat(np.arange(len(layout.prefixes)), layout.prefixes), np.repeat(layout.groups, layout.lengths)]
    )
    sequence = np.concatenate([np.full(prefix_rows, -1), np.repeat(np.arange(len(layout.lengths)), layout.lengths)])
    q, k = np.arange(layout.rows)[:, None], np.arange(layout.rows)
    behind = layout.positions[q] - layout.positions[k]
    seen = (group[q] == group[k]) & ((sequence[k] == sequence[q]) | (sequence[k] == -1)) & (behind >= 0)
    return seen if window is None else seen & (behind < window)


@st.composite
def layouts(draw, longest: int = 150) -> Layout:
    counts = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4), label="candidates")
    prefixes = draw(st.lists(st.integers(0, longest), min_size=len(counts), max_size=len(counts)), label="prefixes")
    groups = np.repeat(np.arange(len(counts)), counts)
    lengths = draw(st.lists(st.integers(1, longest), min_size=len(groups), max_size=len(groups)), label="lengths")
    return Layout(prefixes, groups, lengths, [(0, n) for n in lengths])
