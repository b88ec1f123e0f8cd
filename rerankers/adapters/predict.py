"""The faces that programs know from other libraries, on every reranker: `predict`, `rank`, `compute_score`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from ..errors import InputError, suggest
from ..groups import Pair, check_texts, gather
from ..options import TextOptions
from ..settings import Setting

_TEXT = tuple(field.name for field in fields(TextOptions))
_WITHOUT_EFFECT = ("batch_size", "show_progress_bar", "num_workers")  # batches are planned by tokens


class Faces:
    """Other faces of `score`. Options by name are `setting` (`L25`, `full`) and those of `TextOptions`."""

    def predict(self: Any, pairs: Sequence[Pair] | Pair | None = None, **options: Any) -> np.ndarray:
        """Float32 scores (pairs,), as sentence-transformers' CrossEncoder gives them.

        Args:
            pairs: (query, passage) pairs, or one pair.
            options: see the class; batch_size, show_progress_bar and num_workers have no effect. mteb's `inputs1` and
                `inputs2`, loaders of queries and of passages, stand for the pairs.

        Raises InputError for anything else. A single pair gives an array of one.
        """
        if "inputs1" in options:
            from .mteb import pairs_of

            pairs, options = pairs_of(pairs, options)
        if pairs is None:
            raise InputError("predict: expected a list of (query, passage) pairs")
        return scores_of(self, pairs, "predict", options)

    def rank(
        self: Any,
        query: str,
        documents: Sequence[str],
        top_k: int | None = None,
        return_documents: bool = False,
        **options: Any,
    ) -> list[dict[str, Any]]:
        """The documents by score, best first, equal ones in the given order; at most `top_k` of them.

        Each is `{"corpus_id": its place in documents, "score": float}`, and `"text"` where `return_documents`.
        """
        check_texts(query, documents, "rank")
        if top_k is not None and (isinstance(top_k, bool) or top_k < 1):
            raise InputError(f"rank: top_k {top_k}: must be at least 1")
        scores = scores_of(self, [(query, document) for document in documents], "rank", options)
        order = np.argsort(-scores, kind="stable")[:top_k]
        found = [{"corpus_id": int(i), "score": float(scores[i])} for i in order]
        return [{**one, "text": documents[one["corpus_id"]]} for one in found] if return_documents else found

    def compute_score(
        self: Any, sentence_pairs: Sequence[Pair] | Pair, normalize: bool = False, **options: Any
    ) -> list[float]:
        """A list of scores, as FlagEmbedding gives them; `normalize` squashes each with a sigmoid."""
        scores = scores_of(self, sentence_pairs, "compute_score", options).tolist()
        return [sigmoid(score) for score in scores] if normalize else scores

    @property
    def mteb_model_meta(self: Any) -> Any:
        """What mteb wants to know of a model that it drives."""
        from .mteb import model_meta

        return model_meta(self)


def scores_of(reranker: Any, pairs: Sequence[Pair] | Pair, called: str, options: dict[str, Any]) -> np.ndarray:
    """Float32 (pairs,) under one setting. Raises InputError for an unknown option or what is no pair."""
    given = {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}
    setting = given.pop("setting", Setting())
    for name in given:
        if name not in _TEXT:
            raise InputError(f"{called}: unknown keyword '{name}'{suggest(name, [*_TEXT, 'setting'])}")
    groups, places = gather(pairs)
    if not places:
        return np.empty(0, dtype=np.float32)
    one = setting if isinstance(setting, Setting) else Setting.parse(str(setting))
    return reranker.score(groups, [one], TextOptions(**given)).scores[0][places]


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))
