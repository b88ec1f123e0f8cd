"""Token ids of the decoder families, put together by hand as FlagEmbedding's classes and the model card do it.

    BOS  A: query  \\n  B: passage  \\n  prompt

The query and the passage are cut apart from each other; then, when both together are still too long, the passage is
cut again (together with the separator before it), and separator and prompt are appended, so that they are never cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .api import Group
from .options import TextOptions
from .tokenizer import Tokenizer

SEPARATOR = "\n"


@dataclass(frozen=True)
class Sides:
    """What is written in front of the texts of a pair before they are tokenised."""

    query: str = "A: "
    passage: str = "B: "


@dataclass(frozen=True)
class PairTokens:
    """One pair as ids.

    Attributes:
        ids: all ids, BOS to prompt.
        query: how many of them are BOS, query and the separator behind it.
        prompt: how many are the separator before the prompt and the prompt.
        truncated: the query or the passage lost tokens.
    """

    ids: list[int]
    query: int
    prompt: int
    truncated: bool

    @property
    def passage(self) -> int:
        """Tokens of the passage."""
        return len(self.ids) - self.query - self.prompt


def pair_tokens(
    tokenizer: Tokenizer, groups: Sequence[Group], text: TextOptions, sides: Sides, *, bos: Sequence[int]
) -> list[PairTokens]:
    """Ids of every pair, groups in order and passages in order. Each text is tokenised once.

    Args:
        tokenizer: without special tokens and limits.
        groups: queries with their passages.
        text: prompt (its text, not its name) and lengths, defaults filled in.
        sides: prefixes of the texts.
        bos: the ids that begin a sequence.
    """
    if text.max_length is None or text.query_max_length is None or text.prompt is None:
        raise ValueError("text options without their defaults")
    separator, prompt = tokenizer.ids([SEPARATOR, text.prompt])
    tail = separator + prompt
    limit = text.max_length + (0 if text.truncation == "snippet" else len(tail))
    queries = _ids_of(tokenizer, [sides.query + group.query for group in groups])
    passages = _ids_of(tokenizer, [sides.passage + passage for group in groups for passage in group.passages])

    found = []
    for group in groups:
        query_ids = queries[sides.query + group.query]
        first = [*bos, *tokenizer.cut(query_ids, text.query_max_length)]
        for passage in group.passages:
            passage_ids = passages[sides.passage + passage]
            second, kept = separator + tokenizer.cut(passage_ids, text.max_length), len(separator)
            # `only_second` truncation of transformers leaves the pair alone when the second part is too short for it
            surplus = len(first) + len(second) - limit
            if 0 < surplus < len(second):
                second = tokenizer.cut(second, len(second) - surplus)
                if tokenizer.truncation_side == "left":  # the separator before the passage goes first
                    kept = max(0, kept - surplus)
            found.append(
                PairTokens(
                    ids=first + second + tail,
                    query=len(first) + min(kept, len(second)),
                    prompt=len(tail),
                    truncated=len(query_ids) > text.query_max_length or len(second) - len(separator) < len(passage_ids),
                )
            )
    return found


def _ids_of(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, list[int]]:
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, tokenizer.ids(distinct)))
