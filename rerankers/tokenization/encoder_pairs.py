"""Token ids of query-passage pairs for encoders. Each distinct text is tokenised once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..api import Group
from ..errors import InputError
from ..options import ResolvedText
from .tokenizer import Template, Tokenizer


@dataclass(frozen=True)
class Pairs:
    """Pairs in the order of the groups and of their passages.

    Attributes:
        ids: with special tokens, one list per pair.
        template: what is around the two texts.
        query_tokens: length of each pair's first part, `<s> q </s></s>` or `[CLS] q [SEP]`; int32 (pairs,).
        truncated: whether a text lost tokens; bool (pairs,).
    """

    ids: list[list[int]]
    template: Template
    query_tokens: np.ndarray
    truncated: np.ndarray

    @property
    def passage_tokens(self) -> np.ndarray:
        """Length of each pair's second part, `p </s>` or `p [SEP]`; int32 (pairs,)."""
        return np.array([len(ids) for ids in self.ids], dtype=np.int32) - self.query_tokens

    def types(self, index: int) -> list[int]:
        """Return token types of a pair, as the tokenizer's template has them."""
        query = int(self.query_tokens[index]) - len(self.template.parts[0]) - len(self.template.parts[1])
        return self.template.types(query, len(self.ids[index]) - self.template.special - query)


def build_pairs(tokenizer: Tokenizer, groups: Sequence[Group], text: ResolvedText) -> Pairs:
    """Tokenise and join."""
    queries = distinct_ids(tokenizer, [group.query for group in groups])
    passages = distinct_ids(tokenizer, [passage for group in groups for passage in group.passages])
    template = tokenizer.pair_template()
    around = len(template.parts[0]) + len(template.parts[1])
    sequences, first_parts, truncated = [], [], []
    for group in groups:
        for passage in group.passages:
            whole_q, whole_p = queries[group.query], passages[passage]
            if text.truncation == "class":
                most_q, most_p = room_as_class(
                    len(whole_q), len(whole_p), template.special, text.max_length, text.query_max_length
                )
            else:
                most_q, most_p = room_longest_first(len(whole_q), len(whole_p), template.special, text.max_length)
            q, p = tokenizer.cut(whole_q, most_q), tokenizer.cut(whole_p, most_p)
            sequences.append(template.join(q, p))
            first_parts.append(around + len(q))
            truncated.append(len(q) < len(whole_q) or len(p) < len(whole_p))
    return Pairs(sequences, template, np.array(first_parts, dtype=np.int32), np.array(truncated, dtype=bool))


def check_types(tokenizer: Tokenizer, template: Template, rows: int) -> None:
    """Raise InputError when the tokenizer yields a token type beyond the `rows` of the model's table.

    Without rows the model reads no types, whatever the tokenizer yields.
    """
    highest = max([*template.text_types, *(kind for part in template.part_types for kind in part)])
    if tokenizer.has_types and 0 < rows <= highest:
        raise InputError(
            f"{tokenizer.folder}: the tokenizer yields token type {highest}, but type_vocab_size in config.json is "
            f"{rows}; the two do not belong together"
        )


def distinct_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> dict[str, list[int]]:
    """Return ids by text, each distinct text tokenised once."""
    distinct = list(dict.fromkeys(texts))
    return dict(zip(distinct, tokenizer.ids(distinct)))


def room_as_class(query: int, passage: int, special: int, max_length: int, query_max_length: int) -> tuple[int, int]:
    """Return tokens left of a query and a passage in FlagEmbedding's FlagReranker: first the query's own limit.

    Then the passage is cut to fit. Where that cannot be enough (or would leave none of it), nothing more is cut and the
    pair stays too long: what `prepare_for_model(truncation="only_second")` of transformers does.
    """
    query, passage = min(query, query_max_length), min(passage, max_length)
    excess = query + passage + special - max_length
    return query, passage - excess if 0 < excess < passage else passage


def room_longest_first(query: int, passage: int, special: int, max_length: int) -> tuple[int, int]:
    """Return tokens left of a query and a passage in `tokenizer(pairs, truncation=True)`: the longer one is cut first.

    The lengths are those of `LongestFirst` in the tokenizers library (utils/truncation.rs).
    """
    room = max(0, max_length - special)
    if query + passage <= room:
        return query, passage
    short, long = sorted((query, passage))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short = room // 2
        long = short + room % 2
    return (long, short) if query > passage else (short, long)
