"""How long queries and passages are, from what is known without fetching a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from csv import DictReader
from functools import cache

from ...configs import CONFIGS
from ...rerankers.prompting.template import TOKENS_PER_WORD
from ..data import Dataset

WITHOUT_BLANKS = frozenset({"ja", "th", "zh"})
SAMPLE = 1000  # passages whose words are counted
ASSUMED = (20, 150)  # tokens of a query and of a passage of which nothing is known
_SPECIAL = 2


@cache
def _read_published() -> dict[str, tuple[float, float]]:
    """Return `beir/NAME` -> mean words of queries and passages; the file names its source."""
    lines = (CONFIGS / "datasets" / "beir-lengths.csv").read_text(encoding="utf-8").splitlines()
    rows = DictReader(line for line in lines if not line.startswith("#"))
    return {f"beir/{row['dataset']}": (float(row["query_words"]), float(row["passage_words"])) for row in rows}


def published_lengths(name: str) -> tuple[int, int] | None:
    """Return mean tokens of a dataset's queries and passages by its published words; None where none are published."""
    words = _read_published().get("/".join(name.split("/")[:2]))  # the forums of CQADupStack are one row
    return words and (round(words[0] * TOKENS_PER_WORD) + _SPECIAL, round(words[1] * TOKENS_PER_WORD) + _SPECIAL)


def counted_lengths(dataset: Dataset) -> tuple[int, int]:
    """Return the same from the words of a dataset that is here."""
    passages = [text for (_, text), _ in zip(dataset.corpus(), range(SAMPLE))]
    language = dataset.policy.language
    return _count_tokens(list(dataset.queries.values()), language), _count_tokens(passages, language)


def _count_tokens(texts: Sequence[str], language: str) -> int:
    """Return mean tokens of some texts with two special ones; in languages without blanks a token per character."""
    lengths = [len(text) if language in WITHOUT_BLANKS else len(text.split()) * TOKENS_PER_WORD for text in texts]
    return round(sum(lengths) / max(len(lengths), 1)) + _SPECIAL
