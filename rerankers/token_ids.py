"""The token ids that a reranker feeds its model, and those that its card's code would."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from .api import Group, Reranker
from .checkpoint.hub import resolve
from .options import TextOptions
from .registry import family_of
from .spec import ModelSpec
from .tokenization.decoder_pairs import PairTokens
from .tokenization.encoder_pairs import Pairs
from .tokenization.tokenizer import of_transformers


def token_ids(reranker: Reranker, groups: Sequence[Group], text: TextOptions) -> list[list[int]] | None:
    """Ids of every pair, special tokens included; None for rerankers that feed no pair as one sequence."""
    tokens = reranker.prepare(groups, text).tokens
    if isinstance(tokens, Pairs):
        return tokens.ids
    if isinstance(tokens, list) and all(isinstance(pair, PairTokens) for pair in tokens):
        return [pair.ids for pair in tokens]
    return None


def card_ids(spec: ModelSpec, pairs: Sequence[tuple[str, str]]) -> list[list[int]]:
    """Ids of short pairs, which nothing is cut from, by transformers' tokenizer alone, as the models' cards do it.

    Decoders: BOS, then every piece of the family's template by itself. Encoders: the tokenizer's own pair.
    """
    tokenizer = of_transformers(resolve(spec.source, spec.revision).folder)
    family = family_of(spec)
    if family.template is None:
        return [list(row) for row in tokenizer([query for query, _ in pairs], [text for _, text in pairs])["input_ids"]]
    template, text = family.template, family.resolve(spec, TextOptions())

    def ids(piece: str) -> list[int]:
        return list(tokenizer(piece, add_special_tokens=False)["input_ids"])

    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    return [
        [
            *begin,
            *ids(template.of_query(query)),
            *ids(template.between),
            *ids(template.of_passage(passage)),
            *chain.from_iterable(ids(piece) for piece in template.tail(text.instruction)),
        ]
        for query, passage in pairs
    ]
