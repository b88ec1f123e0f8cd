"""Token ids of query-passage pairs for encoders. Each distinct text is tokenised once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .api import Group
from .options import TextOptions
from .tokenizer import Tokenizer


@dataclass(frozen=True)
class Pairs:
    """Pairs in the order of the groups and of their passages.

    Attributes:
        ids: with special tokens, one list per pair.
        query_tokens: length of each pair's first part, `<s> q </s></s>` or `[CLS] q [SEP]`; int32 (pairs,).
        truncated: whether a text lost tokens; bool (pairs,).
    """

    ids: list[list[int]]
    query_tokens: np.ndarray
    truncated: np.ndarray

    @property
    def passage_tokens(self) -> np.ndarray:
        """Length of each pair's second part, `p </s>` or `p [SEP]`; int32 (pairs,)."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int32) - self.query_tokens

    def types(self, index: int) -> list[int]:
        """Token types as BERT has them: 0 for the first part, 1 for the second."""
        first = int(self.query_tokens[index])
        return [0] * first + [1] * (len(self.ids[index]) - first)


def build_pairs(tokenizer: Tokenizer, groups: Sequence[Group], text: TextOptions) -> Pairs:
    """Tokenise and join. `text` must have its lengths filled in (`TextOptions.with_defaults`)."""
    assert text.max_length is not None
    assert text.query_max_length is not None
    queries = distinct_ids(tokenizer, [group.query for group in groups])
    passages = distinct_ids(tokenizer, [passage for group in groups for passage in group.passages])
    before, between, after = tokenizer.pair_template()
    special = len(before) + len(between) + len(after)
    found, first_parts, truncated = [], [], []
    for group in groups:
        for passage in group.passages:
            whole_q, whole_p = queries[group.query], passages[passage]
            if text.truncation == "class":
                q, p = cut_as_class(whole_q, whole_p, special, text.max_length, text.query_max_length)
            else:
                q, p = cut_longest_first(whole_q, whole_p, special, text.max_length)
            found.append([*before, *q, *between, *p, *after])
            first_parts.append(len(before) + len(q) + len(between))
            truncated.append(len(q) < len(whole_q) or len(p) < len(whole_p))
    return Pairs(found, np.array(first_parts, dtype=np.int32), np.array(truncated, dtype=bool))


def distinct_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, list[int]]:
    """Ids by text, each distinct text tokenised once."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, tokenizer.ids(distinct)))


def cut_as_class(
    query: list[int], passage: list[int], special: int, max_length: int, query_max_length: int
) -> tuple[list[int], list[int]]:
    """Truncation of FlagEmbedding's FlagReranker: the query at its own limit, then the passage to fit.

    Where cutting the passage cannot be enough (or would leave none of it), nothing more is cut and the pair stays too
    long: what `prepare_for_model(truncation="only_second")` of transformers does.
    """
    query, passage = query[:query_max_length], passage[:max_length]
    excess = len(query) + len(passage) + special - max_length
    if 0 < excess < len(passage):
        passage = passage[:-excess]
    return query, passage


def cut_longest_first(
    query: list[int], passage: list[int], special: int, max_length: int
) -> tuple[list[int], list[int]]:
    """Truncation of `tokenizer(pairs, truncation=True)`: the longer text is cut to the shorter one's length first.

    The lengths are those of `LongestFirst` in the tokenizers library (utils/truncation.rs).
    """
    room = max(0, max_length - special)
    if len(query) + len(passage) <= room:
        return query, passage
    short, long = sorted((len(query), len(passage)))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short = room // 2
        long = short + room % 2
    if len(query) > len(passage):
        short, long = long, short
    return query[:short], passage[:long]
