"""Token ids of a template filled in, put together by hand as the published code of each model does it.

    special  before  query  between  passage  after

The query and the passage are cut apart from each other; then, when both together are still too long, the passage is
cut again (together with what is between), and the pieces after it are appended, so that they are never cut. Where the
template joins the pair, it is one text, cut at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from ..api import Group
from ..errors import InputError
from ..options import ResolvedText
from ..prompting.template import PromptTemplate
from .encoder_pairs import distinct_ids
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class PairTokens:
    """One pair as ids.

    Attributes:
        ids: all ids, BOS to prompt.
        query: how many of them are BOS, query and what is before them and between query and passage. These do not
            depend on the passage, but for how many they are.
        prompt: how many come after the pair.
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
    """Return ids of every pair, groups in order and passages in order. Each text is tokenised once.

    Args:
        tokenizer: without special tokens and limits.
        groups: queries with their passages.
        text: instruction and lengths.
        template: what surrounds the texts.
        begin: the ids that begin a sequence.

    Raises InputError when the template alone is longer than the limit.
    """
    frame = _make_frame(tokenizer, text, template, begin)
    return list((_cut_joined if template.joined else _cut_apart)(tokenizer, groups, text, template, frame))


@dataclass(frozen=True)
class _Frame:
    """Ids around the pair, and the most that come before those after it."""

    head: list[int]
    tail: list[int]
    limit: int


def _make_frame(tokenizer: Tokenizer, text: ResolvedText, template: PromptTemplate, begin: Sequence[int]) -> _Frame:
    head = [*begin, *chain.from_iterable(tokenizer.ids(template.head(text.instruction)))]
    tail = _find_tail(tokenizer, text, template)
    if template.limit == "sequence":
        limit = text.max_length - len(tail)
        if limit <= len(head):
            own = len(head) + len(tail)
            raise InputError(f"max_length {text.max_length}: the template alone takes {own} tokens; allow more")
    elif template.limit == "pair":
        limit = text.max_length + len(head) - len(begin)
    else:
        limit = text.max_length + (0 if text.truncation == "snippet" else len(tail))
    return _Frame(head, tail, limit)


def _find_tail(tokenizer: Tokenizer, text: ResolvedText, template: PromptTemplate) -> list[int]:
    """Return ids after the pair; where joined to it, the last ones that two prompts share (sentence-transformers)."""
    if not template.joined_tail:
        return list(chain.from_iterable(tokenizer.ids(template.tail(text.instruction))))
    first, second = tokenizer.ids([template.whole(filler, filler, text.instruction) for filler in ("0", "1 2 3 4")])
    count = _count_common(first[::-1], second[::-1])
    return first[len(first) - count :] if count < min(len(first), len(second)) else []


def _cut_apart(
    tokenizer: Tokenizer, groups: Sequence[Group], text: ResolvedText, template: PromptTemplate, frame: _Frame
) -> Iterator[PairTokens]:
    """Cut query and passage each to its own limit."""
    (separator,) = tokenizer.ids([template.separator(text.instruction)])
    queries = distinct_ids(tokenizer, [template.of_query(group.query, text.instruction) for group in groups])
    passages = distinct_ids(
        tokenizer, [template.of_passage(p, text.instruction) for group in groups for p in group.passages]
    )
    for group in groups:
        query_ids = queries[template.of_query(group.query, text.instruction)]
        first = [*frame.head, *tokenizer.cut(query_ids, text.query_max_length)]
        for passage in group.passages:
            passage_ids = passages[template.of_passage(passage, text.instruction)]
            second, before = separator + tokenizer.cut(passage_ids, text.max_length), len(separator)
            # `only_second` truncation of transformers leaves the pair alone when the second part is too short for it
            surplus = len(first) + len(second) - frame.limit
            if 0 < surplus < len(second):
                second = tokenizer.cut(second, len(second) - surplus)
                if tokenizer.truncation_side == "left":  # the separator before the passage goes first
                    before = max(0, before - surplus)
            yield PairTokens(
                ids=first + second + frame.tail,
                query=len(first) + min(before, len(second)),
                prompt=len(frame.tail),
                truncated=template.shortens(group.query, passage)
                or len(query_ids) > text.query_max_length
                or len(second) - len(separator) < len(passage_ids),
            )


def _cut_joined(
    tokenizer: Tokenizer, groups: Sequence[Group], text: ResolvedText, template: PromptTemplate, frame: _Frame
) -> Iterator[PairTokens]:
    """Tokenise each pair as one text. Its query part is what it has in common with that part tokenised alone.

    Where the passage comes first, only what is before the pair does not depend on it.
    """
    end = "".join(template.tail(text.instruction)) if template.joined_tail else ""
    opening = template.separator(text.instruction) + template.opening(text.instruction)
    texts = [
        template.pair(group.query, passage, text.instruction) + end for group in groups for passage in group.passages
    ]
    ids_of = distinct_ids(tokenizer, texts)
    starts = [
        "" if template.passage_first else template.of_query(group.query, text.instruction) + opening for group in groups
    ]
    alone, remaining, room = distinct_ids(tokenizer, starts), iter(texts), frame.limit - len(frame.head)
    for start, group in zip(starts, groups):
        for passage in group.passages:
            whole, tail = ids_of[next(remaining)], frame.tail
            if template.joined_tail:
                whole, tail = whole[: len(whole) - len(tail)], whole[len(whole) - len(tail) :]
            cut = tokenizer.cut(whole, room)
            if len(cut) < len(whole):
                tail = frame.tail
            yield PairTokens(
                ids=frame.head + cut + tail,
                query=len(frame.head) + _count_common(alone[start], cut),
                prompt=len(tail),
                truncated=len(cut) < len(whole) or template.shortens(group.query, passage),
            )


def _count_common(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many leading ids are the same."""
    return next((i for i, (a, b) in enumerate(zip(first, second)) if a != b), min(len(first), len(second)))
