"""Token ids of a template filled in, put together by hand as FlagEmbedding's classes and the model card do it.

    BOS  query  between  passage  after

The query and the passage are cut apart from each other; then, when both together are still too long, the passage is
cut again (together with what is between), and the pieces after it are appended, so that they are never cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from .api import Group
from .options import ResolvedText
from .pairs import distinct_ids
from .template import PromptTemplate
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class PairTokens:
    """One pair as ids.

    Attributes:
        ids: all ids, BOS to prompt.
        query: how many of them are BOS, query and what stands between it and the passage.
        prompt: how many stand after the pair.
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
    tokenizer: Tokenizer, groups: Sequence[Group], text: ResolvedText, template: PromptTemplate, *, begin: Sequence[int]
) -> list[PairTokens]:
    """Ids of every pair, groups in order and passages in order. Each text is tokenised once.

    Args:
        tokenizer: without special tokens and limits.
        groups: queries with their passages.
        text: instruction and lengths.
        template: what surrounds the texts.
        begin: the ids that begin a sequence.
    """
    separator, *after = tokenizer.ids([template.between, *template.tail(text.instruction)])
    tail = list(chain.from_iterable(after))
    limit = text.max_length + (0 if text.truncation == "snippet" else len(tail))
    queries = distinct_ids(tokenizer, [template.of_query(group.query) for group in groups])
    passages = distinct_ids(tokenizer, [template.of_passage(p) for group in groups for p in group.passages])

    pairs = []
    for group in groups:
        query_ids = queries[template.of_query(group.query)]
        first = [*begin, *tokenizer.cut(query_ids, text.query_max_length)]
        for passage in group.passages:
            passage_ids = passages[template.of_passage(passage)]
            second, kept = separator + tokenizer.cut(passage_ids, text.max_length), len(separator)
            # `only_second` truncation of transformers leaves the pair alone when the second part is too short for it
            surplus = len(first) + len(second) - limit
            if 0 < surplus < len(second):
                second = tokenizer.cut(second, len(second) - surplus)
                if tokenizer.truncation_side == "left":  # the separator before the passage goes first
                    kept = max(0, kept - surplus)
            pairs.append(
                PairTokens(
                    ids=first + second + tail,
                    query=len(first) + min(kept, len(second)),
                    prompt=len(tail),
                    truncated=len(query_ids) > text.query_max_length or len(second) - len(separator) < len(passage_ids),
                )
            )
    return pairs
