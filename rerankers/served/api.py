"""The shapes of rerank requests and answers, from configs/served.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ...configs import CONFIGS, read
from ..errors import InputError, ScoreError, suggest

_LARGEST = 1 << 1023  # an integer beyond it is no float


@dataclass(frozen=True)
class Api:
    """One shape; the attributes are the keys of configs/served.yaml, which explains them."""

    name: str
    source: str
    path: str
    send: Mapping[str, str]
    fixed: Mapping[str, Any]
    results: str
    index: str
    score: str
    most: int
    url: str | None = None
    key: str | None = None
    billed: str | None = None
    unit: str | None = None

    def payload(self, model: str, query: str, documents: Sequence[str], more: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is sent; `more` overrides what is fixed."""
        values = {"model": model, "query": query, "documents": list(documents), "cut": len(documents)}
        return {**self.fixed, **more, **{field: values[name] for name, field in self.send.items()}}

    def parse(self, answer: Any, documents: int) -> Answer:
        """Parse scores by index among the documents, whatever their order; some may be missing.

        Raises ScoreError for an answer of another shape, an index out of range or repeated, or a score that
        is no number.
        """
        results = _look_up(answer, self.results) if self.results else answer
        if not isinstance(results, list):
            raise ScoreError(f"the answer has no list '{self.results}'" if self.results else "the answer is no list")
        if len(results) > documents:
            raise ScoreError(f"the answer has {len(results)} results for {documents} documents")
        scores: dict[int, float] = {}
        for result in results:
            entry = result if isinstance(result, dict) else {}
            index, score = entry.get(self.index), entry.get(self.score)
            if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < documents:
                raise ScoreError(f"{self.index} {index!r:.40} in the answer is none of {documents} documents")
            if index in scores:
                raise ScoreError(f"{self.index} {index} comes twice in the answer")
            if isinstance(score, bool) or not isinstance(score, int | float) or _too_large(score):
                raise ScoreError(f"{self.score} {score!r:.40} in the answer is no number")
            scores[index] = float(score)
        billed = _look_up(answer, self.billed) if self.billed else None
        if isinstance(billed, bool) or not isinstance(billed, int | float) or not 0 <= billed < 1e15:
            return Answer(scores)
        return Answer(scores, float(billed))


@dataclass(frozen=True)
class Answer:
    """Scores by index, and the cost that the answer states; None where it states none."""

    scores: Mapping[int, float] = field(default_factory=dict)
    billed: float | None = None


@cache
def apis() -> dict[str, Api]:
    """Return shape by name."""
    return {name: Api(name=name, **entry) for name, entry in read(CONFIGS / "served.yaml").items()}


def api_named(name: Any, where: str) -> Api:
    """Raise InputError for an unknown name."""
    if name not in apis():
        raise InputError(f"{where}: api {name!r:.40} is unknown{suggest(str(name), apis())}")
    return apis()[name]


def _too_large(score: float) -> bool:
    return isinstance(score, int) and abs(score) >= _LARGEST


def _look_up(answer: Any, path: str) -> Any:
    """Return the value below dotted keys; None where there is none."""
    for key in path.split("."):
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer
