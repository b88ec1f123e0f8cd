"""A user's class as a reranker: its numbers are checked, timed and handed on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..api import Executed, Group, Prepared, Requests, Scored
from ..custom import listwise, scorer, telling
from ..errors import ScoreError
from ..options import TextOptions
from ..prompting.text_rules import TextRules
from ..settings import Setting
from ..spec import ModelSpec
from .full_depth import FullDepth
from .score_checks import check_given


class CustomAdapter(FullDepth):
    """Calls an object that `custom.check` has passed. `given` are the settings that its constructor took."""

    def __init__(self, adapter: str, spec: ModelSpec, text: TextRules, model: Any, given: dict[str, str]) -> None:
        self.adapter, self.spec, self.text, self.model, self.given = adapter, spec, text, model, given
        self.shape = getattr(model, "shape", None)
        self.device = given.get("device") or str(getattr(model, "device", "cpu"))
        self.dtype = given.get("dtype", "unstated")
        self.where = f"model '{spec.source}'"
        self.reads_lists = listwise(model) is not None
        self._answers = scorer(model)

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `base.Reranker.identity`."""
        self.text.resolve(text)
        return {
            "adapter": self.adapter,
            "class": self.spec.source,
            "version": self.model.version,
            **({"dtype": self.dtype} if "dtype" in self.given else {}),
            **({"listwise": dict(how)} if (how := listwise(self.model)) else {}),
        }

    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """See `base.Reranker.score_distinct`. Raises ScoreError when the class fails or its answer does not fit."""
        self.text.resolve(text)
        pairs = [(group.query, passage) for group in groups for passage in group.passages]
        lists = [(group.query, list(group.passages)) for group in groups]
        assert self._answers is not None, "custom.check has one"
        start = time.perf_counter()
        with telling(self.where, ScoreError):
            answers = self._answers(lists) if pairs else []
        seconds = time.perf_counter() - start
        values = np.concatenate([_read_numbers(answer, self.where) for answer in answers] or [np.empty(0)])
        if len(values) != len(pairs):
            raise ScoreError(f"{self.where}: gave {len(values)} scores for {len(pairs)} pairs")
        with np.errstate(over="ignore"):
            scores = values.astype(np.float32)
        check_given(scores, pairs, self.where)
        queries, passages = self._count_tokens(pairs)
        return Scored(
            scores=np.repeat(scores[None], len(settings), axis=0),
            query_tokens=queries,
            passage_tokens=passages,
            prompt_tokens=np.zeros(len(pairs), dtype=np.int32),
            truncated=np.zeros(len(pairs), dtype=bool),
            executed=Executed(seconds={"forward": seconds}, requests=self._take_requests()),
        )

    def _take_requests(self) -> Requests | None:
        with telling(self.where, ScoreError):
            return getattr(self.model, "requests", lambda: None)()

    def _count_tokens(self, pairs: Sequence[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens of queries and passages; zeros where the class does not count them."""
        lengths = getattr(self.model, "lengths", lambda pairs: None)
        with telling(self.where, ScoreError):
            stated = lengths(pairs)
        if stated is None and self.shape is not None:
            raise ScoreError(f"{self.where}: has a `shape`, so `lengths` must give the tokens of every pair")
        with telling(self.where, ScoreError):
            counts = np.zeros((len(pairs), 2), dtype=np.int32) if stated is None else np.asarray(stated)
        if counts.size == 0:
            counts = np.zeros((0, 2), dtype=np.int32)
        if counts.dtype.kind not in "iu" or counts.shape != (len(pairs), 2) or (counts < 0).any():
            raise ScoreError(f"{self.where}: `lengths` must give (query tokens, passage tokens) for {len(pairs)} pairs")
        return counts[:, 0].astype(np.int32), counts[:, 1].astype(np.int32)


def _read_numbers(answer: Any, where: str) -> np.ndarray:
    """Return one number per pair of a list, an array or a tensor on any device; a column counts as a list."""
    with telling(where, ScoreError):
        values = answer.detach().float().cpu().numpy() if hasattr(answer, "detach") else np.asarray(answer)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "fiu":
        kind = f"{values.dtype} of shape {values.shape}"
        raise ScoreError(f"{where}: expected one number per pair, found {kind}")
    return values.astype(np.float64)
