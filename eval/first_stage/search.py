"""Exact search: inner products of all queries with all vectors, chunk by chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from .embeddings import EmbeddingStore

if TYPE_CHECKING:
    import torch

_BUDGET = 1 << 24  # scores and vector components that a chunk may have, each
_LEAST = 1024  # rows in a chunk


def search(
    queries: np.ndarray,
    store: EmbeddingStore,
    k: int,
    *,
    device: str = "cpu",
    chunk_rows: int | None = None,
    title: str = "search",
    progress: bool | None = None,
) -> list[dict[str, float]]:
    """Return the k best documents of every query, id -> float32 inner product; ties by document id, descending.

    `queries` is float32, shape (queries, dimensions). Products are taken in float32 whatever the store has. Memory
    is bounded by the chunk (by default some 64 MB of scores and as much of vectors), not by the corpus.
    """
    import torch

    count, dimensions = queries.shape
    k = min(k, store.documents)
    rows = chunk_rows or max(_LEAST, _BUDGET // max(count, dimensions))
    wanted = torch.from_numpy(np.ascontiguousarray(queries, dtype=np.float32)).to(device)
    best = torch.empty((count, 0), device=device)
    nearest = torch.empty((count, 0), dtype=torch.int64, device=device)
    quiet = None if progress is None else not progress
    with tqdm(total=store.documents, desc=title, unit=" docs", disable=quiet) as bar:
        for start, vectors in store.chunks(rows):
            scores = wanted @ torch.from_numpy(vectors).to(device).float().T
            at = torch.arange(start, start + len(vectors), device=device).expand_as(scores)
            top, at_rows = _select_best(scores, at, k, store)
            best, nearest = _select_best(torch.cat([best, top], 1), torch.cat([nearest, at_rows], 1), k, store)
            bar.update(len(vectors))
    values, at_rows = best.cpu().numpy(), nearest.cpu().numpy()
    names = store.ids(at_rows.flatten().tolist())
    return [dict(zip(names[i * k : (i + 1) * k], map(float, values[i]), strict=True)) for i in range(count)]


def _select_best(
    scores: torch.Tensor, rows: torch.Tensor, k: int, store: EmbeddingStore
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the k highest of each line with their rows. Where the cut falls between equal scores, the ids decide."""
    import torch

    if scores.shape[1] <= k:
        return scores, rows
    top, at = torch.topk(scores, k + 1, dim=1)
    best = torch.gather(rows, 1, at[:, :k])
    for line in torch.nonzero(top[:, k] == top[:, k - 1]).flatten().tolist():
        last = top[line, k - 1]
        above = int((top[line] > last).sum())
        tied = rows[line][scores[line] == last].tolist()
        order = sorted(zip(store.ids(tied), tied, strict=True), reverse=True)
        best[line, above:] = torch.tensor([row for _, row in order[: k - above]], device=rows.device)
    return top[:, :k], best
