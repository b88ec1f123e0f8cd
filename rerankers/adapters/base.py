"""The base class of rerankers: two methods to write, and the interfaces of other libraries."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..api import Group, Prepared, Scored
from ..errors import InputError, suggest
from ..flops import Shape
from ..groups import Pair, check_texts, gather
from ..options import TextOptions
from ..settings import Setting
from ..spec import ModelSpec

if TYPE_CHECKING:
    from typing_extensions import Self

_TEXT = tuple(field.name for field in fields(TextOptions))
_WITHOUT_EFFECT = ("batch_size", "show_progress_bar", "num_workers")  # batches are planned by tokens


@dataclass(frozen=True)
class DistinctPairs:
    """The different passages of each query, and the index of each given pair among them.

    Equal pairs then have one score, whatever the processor rounds differently from one place of a batch to another.

    Attributes:
        groups: the queries with their different passages.
        index: for each given pair, its place among the different ones; int64, shape (pairs,).
    """

    groups: list[Group]
    index: np.ndarray

    @classmethod
    def of(cls, groups: Sequence[Group]) -> DistinctPairs:
        """Drop the repeated passages of each group by itself."""
        distinct, index, start = [], [], 0
        for group in groups:
            index_of = {passage: number for number, passage in enumerate(dict.fromkeys(group.passages))}
            index += [start + index_of[passage] for passage in group.passages]
            distinct.append(Group(group.query, list(index_of)))
            start += len(index_of)
        return cls(distinct, np.array(index, dtype=np.int64))

    def spread(self, scored: Scored, passes: int) -> Scored:
        """Spread the scores over the given pairs; tokens of repeated pairs count as shared, in each of the `passes`."""
        if len(self.index) == scored.scores.shape[1]:
            return scored
        arrays = {
            name: getattr(scored, name)[self.index]
            for name in ("query_tokens", "passage_tokens", "prompt_tokens", "truncated")
        }
        names = ("query_tokens", "passage_tokens", "prompt_tokens")
        repeated = sum(int(arrays[name].sum()) - int(getattr(scored, name).sum()) for name in names)
        executed = replace(scored.executed, shared_tokens=scored.executed.shared_tokens + repeated * passes)
        return Scored(scores=scored.scores[:, self.index], **arrays, executed=executed)


class Reranker(ABC):
    """A loaded model. Subclasses write `identity`, `check`, `prepare_distinct` and `score_distinct`.

    Attributes:
        spec: the specification, what the model's files state filled in.
        device, dtype: where and in what it runs.
        shape: what a pair costs; None where that is not known, so FLOPs are not measured.
        reads_lists: a score depends on the query's whole list, so that equal passages are not scored once for all.
    """

    spec: ModelSpec
    device: str
    dtype: str
    shape: Shape | None = None
    reads_lists: bool = False

    def __repr__(self) -> str:
        return f"<{self.spec.name} ({self.spec.family}) on {self.device}, {self.dtype}>"

    @abstractmethod
    def identity(self, text: TextOptions) -> dict[str, Any]:
        """Return everything on the model's side that can change a score, except the setting: JSON values only."""

    @abstractmethod
    def check(self, setting: Setting) -> list[str]:
        """Return warnings about a setting (unreachable compress layers). Raises InputError when it cannot be run."""

    def prepare_distinct(self, groups: Sequence[Group], text: TextOptions) -> Any:
        """Return token ids of pairs that all differ, for `score_distinct`; None where nothing can be done ahead."""
        return None

    @abstractmethod
    def score_distinct(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared
    ) -> Scored:
        """Score pairs that all differ (of a listwise model: whole lists) under settings that were checked."""

    def with_options(self, **chosen: Any) -> Self:
        """Return the same weights under other options of the model's family.

        Raises InputError where that cannot be done.
        """
        raise InputError(f"model '{self.spec.name}': its options cannot be changed once it is loaded; load it again")

    def prepare(self, groups: Sequence[Group], text: TextOptions) -> Prepared:
        """Turn texts into token ids; may run in another thread while `score` is busy with other groups."""
        start = time.perf_counter()
        tokens = self.prepare_distinct(self._drop_repeats(groups).groups, text)
        return Prepared(tokens, time.perf_counter() - start)

    def score(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared | None = None
    ) -> Scored:
        """Score every pair under every setting, settings with the same compression in one forward pass.

        A score depends on its pair, its setting and `text` only, and equal pairs have one score; a score of a listwise
        model depends on its whole group. `prepared` saves tokenising the same groups again.
        Raises InputError for a setting that cannot be run, ScoreError on NaN or infinity.
        """
        for setting in settings:
            self.check(setting)
        distinct = self._drop_repeats(groups)
        scored = self.score_distinct(distinct.groups, settings, text, prepared or self.prepare(groups, text))
        return distinct.spread(scored, passes=len({setting.compression for setting in settings}))

    def _drop_repeats(self, groups: Sequence[Group]) -> DistinctPairs:
        if self.reads_lists:
            return DistinctPairs(list(groups), np.arange(sum(len(group.passages) for group in groups)))
        return DistinctPairs.of(groups)

    def predict(self, pairs: Sequence[Pair] | Pair | None = None, **options: Any) -> np.ndarray:
        """Return float32 scores (pairs,), as sentence-transformers' CrossEncoder gives them.

        Args:
            pairs: (query, passage) pairs, or one pair.
            options: `setting` (`L25`, `full`) and the fields of `TextOptions`; batch_size, show_progress_bar and
                num_workers have no effect. mteb's `inputs1` and `inputs2`, loaders of queries and of passages, stand
                for the pairs.

        Raises InputError for anything else. A single pair gives an array of one.
        """
        if "inputs1" in options:
            from .mteb import pairs_of

            pairs, options = pairs_of(pairs, options)
        if pairs is None:
            raise InputError("predict: expected a list of (query, passage) pairs")
        return self._score_pairs(pairs, "predict", options)

    def rank(
        self,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """Return the documents by score, best first, equal ones in the given order; at most `top_k` of them.

        Each is `{"corpus_id": its place in documents, "score": float}`, and `"text"` where `return_documents`.
        """
        check_texts(query, documents, "rank")
        if top_k is not None and (isinstance(top_k, bool) or top_k < 1):
            raise InputError(f"rank: top_k {top_k}: must be at least 1")
        scores = self._score_pairs([(query, document) for document in documents], "rank", options)
        ranking = [{"corpus_id": int(i), "score": float(scores[i])} for i in np.argsort(-scores, kind="stable")[:top_k]]
        return [{**hit, "text": documents[hit["corpus_id"]]} for hit in ranking] if return_documents else ranking

    def compute_score(
        self, sentence_pairs: Sequence[Pair] | Pair, normalize: bool = False, **options: Any
    ) -> list[float]:
        """Return a list of scores, as FlagEmbedding gives them; `normalize` squashes each with a sigmoid."""
        scores = self._score_pairs(sentence_pairs, "compute_score", options).tolist()
        return [sigmoid(score) for score in scores] if normalize else scores

    @property
    def mteb_model_meta(self) -> Any:
        """The metadata that mteb needs of a model."""
        from .mteb import model_meta

        return model_meta(self)

    def _score_pairs(self, pairs: Sequence[Pair] | Pair, called: str, options: dict[str, Any]) -> np.ndarray:
        """Return float32 (pairs,) under one setting. Raises InputError for an unknown option or what is no pair."""
        given = {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}
        setting = given.pop("setting", Setting())
        for name in given:
            if name not in _TEXT:
                raise InputError(f"{called}: unknown keyword '{name}'{suggest(name, [*_TEXT, 'setting'])}")
        groups, indices = gather(pairs)
        if not indices:
            return np.empty(0, dtype=np.float32)
        chosen = setting if isinstance(setting, Setting) else Setting.parse(str(setting))
        return self.score(groups, [chosen], TextOptions(**given)).scores[0][indices]


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
