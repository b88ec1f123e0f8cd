"""What one layer and one head of a model cost, from its matrix shapes: 2 FLOPs per multiply-add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..models.config import DecoderConfig, EncoderConfig

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class LayerCost:
    """FLOPs of one layer.

    Attributes:
        keys: per token, the key and value projections.
        rest: per token, the query and output projections and the MLP.
        attention: per (query token, key token), `q.k` and `weights.v` of all heads.
    """

    keys: int
    rest: int
    attention: int

    @property
    def per_token(self) -> int:
        """All but attention."""
        return self.keys + self.rest

    def over(self, tokens: Counts, *, causal: bool) -> Counts:
        """FLOPs of the layer over `tokens` tokens: attention over s^2 pairs of them, or s(s+1)/2 if `causal`."""
        if causal:
            return tokens * (self.per_token + self.attention // 2 * (tokens + 1))  # attention is a multiple of 4
        return tokens * (self.per_token + self.attention * tokens)


def layer_cost(config: DecoderConfig | EncoderConfig) -> LayerCost:
    """Cost of any layer of the model; all its layers have one shape."""
    d, f = config.hidden, config.intermediate
    queries = config.heads * config.head_dim
    if isinstance(config, DecoderConfig):
        kv, mlp = config.kv_heads * config.head_dim, 3 * d * f  # gate, up, down
    else:
        kv, mlp = queries, 2 * d * f
    return LayerCost(keys=2 * 2 * d * kv, rest=2 * (2 * d * queries + mlp), attention=4 * queries)


def head_cost(config: DecoderConfig | EncoderConfig, family: str) -> tuple[int, int]:
    """FLOPs of the head as published: per position, and per pair.

    A scalar head (d x 1) or a vocabulary head (d x V) runs at every position of a decoder. An encoder's
    classification head (dense d x d, then d x labels) runs on the first token; a bi-encoder takes one dot product.
    """
    d = config.hidden
    if isinstance(config, DecoderConfig):
        return 2 * d * (config.vocab if config.start_layer is None else 1), 0
    if family == "bi-encoder":
        return 0, 2 * d
    if config.head == "none":
        raise InputError(f"family '{family}': the config has no classification head (see its key 'architectures')")
    return 0, 2 * d * (d + config.labels)
