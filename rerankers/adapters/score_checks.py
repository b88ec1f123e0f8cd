"""The one place where scores that cannot be used are refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import ScoreError


def check_finite(scores: np.ndarray, layers: Sequence[int | str], pairs: Sequence[tuple[str, str]], dtype: str) -> None:
    """Raise ScoreError for the first NaN or infinity, naming pair and layer.

    Args:
        scores: (settings, pairs).
        layers: the layer that each row was read after, or a setting's name.
        pairs: query and passage of each column.
        dtype: in which the model ran, for the advice.
    """
    finite = np.isfinite(scores)
    if finite.all():
        return
    row, column = np.argwhere(~finite)[0]
    if dtype == "float16":
        advice = "float16 overflows easily: use dtype bfloat16 or float32"
    elif dtype == "float32":
        advice = "the weights are damaged or contain NaN: download them again"
    else:
        advice = "try dtype float32; if it stays, the weights are damaged"
    others = int((~finite).any(axis=0).sum()) - 1
    raise ScoreError(
        f"score {scores[row, column]} at layer {layers[row]} for {_name_pair(pairs, column)}"
        f"{f' and {others} more pairs' if others else ''}; {advice}"
    )


def check_given(scores: np.ndarray, pairs: Sequence[tuple[str, str]], where: str) -> None:
    """Raise ScoreError likewise for scores (pairs,) of other code; `where` names it."""
    finite = np.isfinite(scores)
    if not finite.all():
        column = int(np.argmin(finite))
        raise ScoreError(f"{where}: gave the score {scores[column]} for {_name_pair(pairs, column)}")


def _name_pair(pairs: Sequence[tuple[str, str]], column: int) -> str:
    query, passage = (f"'{text[:60]}...'" if len(text) > 60 else f"'{text}'" for text in pairs[column])
    return f"pair {column} (query {query}, passage {passage})"
