"""ModernBERT's architecture as values; `architectures/modernbert.py` reads them from a `config.json`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MODULES = "modules_dense"  # of a specification's config: [in, out] of the Dense modules beside config.json


@dataclass(frozen=True)
class ModernConfig:
    """A bidirectional transformer with rotary positions, of which some layers see a window only.

    Attributes:
        layers, hidden, heads, intermediate, vocab: the matrix shapes.
        activation: on the gate of the MLP.
        norm_eps: epsilon of LayerNorm.
        max_positions: most tokens of a sequence.
        local_layers: numbers, from 0, of the layers that see a window.
        window: tokens that such a layer sees on each side of a token.
        local_theta, global_theta: bases of the rotary embedding in layers with a window and in the others.
        attention_bias, mlp_bias, norm_bias, head_bias: which projections and norms add a bias.
        labels: outputs of the classification head; 0 for an encoder without one.
        head: `classifier` (dense, activation, norm, projection of the pooled states) or `none`.
        pooling: `cls` or `mean`.
        head_activation: after the head's dense layer.
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    activation: str
    norm_eps: float
    max_positions: int
    local_layers: tuple[int, ...]
    window: int
    local_theta: float
    global_theta: float
    attention_bias: bool
    mlp_bias: bool
    norm_bias: bool
    head_bias: bool
    labels: int
    head: Literal["classifier", "none"]
    pooling: str
    head_activation: str
    token_types: int = 0  # the model reads none

    @property
    def positions(self) -> int:
        """Most tokens of a sequence."""
        return self.max_positions

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads
