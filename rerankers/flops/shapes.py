"""What one layer and one head of a model cost, from its matrix shapes: 2 FLOPs per multiply-add."""

from __future__ import annotations

from dataclasses import dataclass

from ..models.config import DecoderConfig, EncoderConfig


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


def layer_cost(config: DecoderConfig | EncoderConfig) -> LayerCost:
    """Cost of any layer of the model; all its layers have one shape."""
    d, f = config.hidden, config.intermediate
    queries = config.heads * config.head_dim
    if isinstance(config, DecoderConfig):
        kv, mlp = config.kv_heads * config.head_dim, 3 * d * f  # gate, up, down
    else:
        kv, mlp = queries, 2 * d * f
    return LayerCost(keys=2 * 2 * d * kv, rest=2 * (2 * d * queries + mlp), attention=4 * queries)


def head_cost(config: DecoderConfig | EncoderConfig) -> tuple[int, int]:
    """FLOPs of the head as published: per position, and per pair.

    A scalar head (d x 1) or a vocabulary head (d x V) runs at every position of a decoder. An encoder's
    classification head (dense d x d, then d x labels) runs on the first token only.
    """
    d = config.hidden
    if isinstance(config, DecoderConfig):
        return 2 * d * (config.vocab if config.start_layer is None else 1), 0
    return 0, 2 * d * (d + config.labels) if config.head != "none" else 0
