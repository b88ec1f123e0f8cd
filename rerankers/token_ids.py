"""The token ids that a reranker feeds its model, and those that its card's code would."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from .adapters.base import Reranker
from .api import Group
from .checkpoint.hub import resolve
from .options import TextOptions
from .prompting.template import PromptTemplate
from .registry import family_of
from .spec import ModelSpec
from .tokenization.decoder_pairs import PairTokens
from .tokenization.encoder_pairs import Pairs
from .tokenization.tokenizer import of_transformers


def token_ids(reranker: Reranker, groups: Sequence[Group], text: TextOptions) -> list[list[int]] | None:
    """Return ids of every pair, special tokens included; None for rerankers that feed no pair as one sequence."""
    tokens = reranker.prepare_distinct(groups, text)
    if isinstance(tokens, Pairs):
        return tokens.ids
    if isinstance(tokens, list) and all(isinstance(pair, PairTokens) for pair in tokens):
        return [pair.ids for pair in tokens]
    return None


def card_ids(spec: ModelSpec, pairs: Sequence[tuple[str, str]]) -> list[list[int]]:
    """Return ids of short pairs, which nothing is cut from, by transformers' tokenizer alone, as in the models' cards.

    Decoders: what begins a sequence, then every piece of the template by itself, or the pair as one text where the
    template joins it, with what the tokenizer puts around it. Encoders: the tokenizer's own pair. `spec` is that of a
    loaded reranker.
    """
    tokenizer = of_transformers(resolve(spec.source, spec.revision).folder)
    rules = family_of(spec).text_rules(spec)
    template = rules.template
    if template is None:
        return [list(row) for row in tokenizer([query for query, _ in pairs], [text for _, text in pairs])["input_ids"]]
    instruction = rules.resolve(TextOptions()).instruction
    if template.joined and template.special_tokens and not template.before:
        return [list(row) for row in tokenizer([template.whole(*pair, instruction) for pair in pairs])["input_ids"]]
    bos = tokenizer.bos_token_id if template.special_tokens else None

    def ids(pieces: Sequence[str]) -> list[int]:
        return list(chain.from_iterable(tokenizer(piece, add_special_tokens=False)["input_ids"] for piece in pieces))

    return [[*([] if bos is None else [bos]), *ids(_split_prompt(template, *pair, instruction))] for pair in pairs]


def _split_prompt(template: PromptTemplate, query: str, passage: str, instruction: str) -> Sequence[str]:
    """Return the texts that are tokenised one by one."""
    head, tail = template.head(instruction), template.tail(instruction)
    if not template.joined:
        apart = template.of_query(query, instruction), template.separator(instruction)
        return (*head, *apart, template.of_passage(passage, instruction), *tail)
    joined = template.pair(query, passage, instruction)
    return (*head, joined + "".join(tail)) if template.joined_tail else (*head, joined, *tail)
