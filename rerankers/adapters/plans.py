"""What a family plans for an adapter before it loads a model: frozen, complete, and without torch.

An adapter runs its plan and asks nothing back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..architectures.set_encoder import SetConfig
from ..checkpoint.token_vectors import TokenVectors
from ..flops import Shape
from ..models.config import DecoderConfig, EncoderConfig
from ..models.output_rows import OutputRows
from ..options import Truncation
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec


@dataclass(frozen=True)
class DecoderPlan:
    """Everything that an adapter needs of a decoder to score pairs with it.

    Attributes:
        adapter: name and version of the family; part of the identity.
        spec: the specification, its length filled in.
        config: the body.
        shape: what a pair costs, and the cutoffs.
        text: how texts are worded and cut.
        begin: ids that begin a sequence, by the way that pairs are cut.
        rows: the rows of the output head that score each cutoff layer on its own.
        untrained: cutoff layers that no head was trained for.
        softcap: whether the configured cap on attention scores is applied.
        recipe: what else can change a score, for the identity: JSON values.
    """

    adapter: str
    spec: ModelSpec
    config: DecoderConfig
    shape: Shape
    text: TextRules
    begin: Mapping[Truncation, tuple[int, ...]]
    rows: Mapping[int, OutputRows]
    untrained: range = range(0)
    softcap: bool = True
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PairPlan:
    """Everything that an adapter needs of a classifier of pairs.

    Attributes:
        adapter: name and version of the family; part of the identity.
        spec: the specification, its length filled in.
        text: how texts are cut.
        positions: most tokens of a pair, as the model has positions; None: any number.
        ids: rows of its table of word embeddings; None: unknown.
        shape: what a pair costs; None: not known.
        query_prompt: put before every query.
        activation: what sentence-transformers saved as the function on a logit; None: the logit itself.
        recipe: what else can change a score, for the identity: JSON values.
    """

    adapter: str
    spec: ModelSpec
    text: TextRules
    positions: int | None
    ids: int | None
    shape: Shape | None = None
    query_prompt: str = ""
    activation: str | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TextPlan:
    """Everything that an adapter needs of a text encoder used as a reranker.

    Attributes:
        adapter: name and version of the family; part of the identity.
        spec: the specification, its length filled in.
        text: limits of each text.
        config: the body.
        shape: what a pair costs.
        width: of the vectors that are compared.
    """

    adapter: str
    spec: ModelSpec
    text: TextRules
    config: EncoderConfig
    shape: Shape
    width: int


@dataclass(frozen=True)
class ListPlan:
    """Everything that an adapter needs of a listwise model.

    Attributes:
        adapter: name and version of the family; part of the identity.
        spec: the specification.
        text: limits of a passage and of the query, each alone.
        config: the body.
    """

    adapter: str
    spec: ModelSpec
    text: TextRules
    config: DecoderConfig


@dataclass(frozen=True)
class TokensPlan:
    """Everything that an adapter needs of an encoder whose vectors of tokens are compared.

    Attributes:
        adapter: name and version of the family; part of the identity.
        spec: the specification, its length filled in.
        text: limits of each text.
        vectors: how they are made and compared, as the folder states it.
        shape: what a pair costs; None: not known.
        width: of a vector.
        positions: most tokens of a text, as the model has positions; None: any number.
    """

    adapter: str
    spec: ModelSpec
    text: TextRules
    vectors: TokenVectors
    shape: Shape | None
    width: int
    positions: int | None


@dataclass(frozen=True)
class SetPlan:
    """Everything that an adapter needs of an encoder that reads a list side by side.

    Attributes:
        adapter: name and version of the family; part of the identity.
        spec: the specification.
        text: limits of a passage and of the query, each alone.
        config: the body, and how its sequences see each other.
    """

    adapter: str
    spec: ModelSpec
    text: TextRules
    config: SetConfig
