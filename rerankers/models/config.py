"""The two architectures as values. `architectures/` reads them from a `config.json` as the hub keeps it.

Only keys that change a score or a FLOP are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError


@dataclass(frozen=True)
class DecoderConfig:
    """A causal transformer.

    Attributes:
        layers, hidden, heads, kv_heads, head_dim, intermediate, vocab: the matrix shapes.
        activation: `gelu_tanh` (tanh approximation), `gelu` (exact) or `silu`, on the gate.
        norm_eps: epsilon of RMSNorm.
        norm_plus_one: the norm scales by 1 + w (Gemma) instead of w.
        sandwich_norms: extra norms after attention and MLP (Gemma-2).
        embedding_scale: factor on the embeddings, rounded to the model's dtype.
        residual_scale: factor on each block's output before it is added (MiniCPM's depth scale).
        logit_scale: factor on the last hidden state before a vocabulary head (MiniCPM's dim_model_base rule).
        query_scale: factor on q.k.
        attention_softcap, final_softcap: c in c * tanh(x / c), or None.
        sliding_window: tokens that a sliding layer sees, or None; even layers slide (Gemma-2).
        rope_theta: base of the rotary embedding.
        start_layer: first layer with its own scalar head; None means one vocabulary head after the last layer.
        layer_sep: distance between layers that have heads.
        tied: the vocabulary head is the embedding.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    activation: str
    norm_eps: float
    rope_theta: float
    max_positions: int
    query_scale: float
    norm_plus_one: bool = False
    sandwich_norms: bool = False
    embedding_scale: float = 1.0
    residual_scale: float = 1.0
    logit_scale: float = 1.0
    attention_softcap: float | None = None
    final_softcap: float | None = None
    sliding_window: int | None = None
    start_layer: int | None = None
    layer_sep: int = 1
    tied: bool = True

    @property
    def head_layers(self) -> range:
        """Cutoff layers that have a head of their own; only the full depth without layerwise heads."""
        if self.start_layer is None:
            return range(self.layers, self.layers + 1)
        return range(self.start_layer, self.layers + 1, self.layer_sep)


@dataclass(frozen=True)
class EncoderConfig:
    """A bidirectional transformer with absolute positions.

    Attributes:
        layers, hidden, heads, intermediate, vocab: the matrix shapes.
        activation: `gelu` (exact), `gelu_tanh` or `relu`.
        norm_eps: epsilon of LayerNorm.
        max_positions: rows of the position table.
        position_offset: position of the first token (XLM-RoBERTa: padding id + 1; BERT: 0).
        token_types: rows of the token type table.
        labels: outputs of the classification head; 0 for an encoder without one.
        head: `roberta` (dense, tanh, projection of the first state), `bert` (pooler, classifier) or `none`.
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    activation: str
    norm_eps: float
    max_positions: int
    position_offset: int
    token_types: int
    labels: int
    head: str

    @property
    def positions(self) -> int:
        """Most tokens of a sequence."""
        return self.max_positions - self.position_offset

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads


_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}


def model_type(raw: Mapping[str, Any]) -> str | None:
    """`model_type`, or what stands for it: jina-reranker-v2 names only its classes, in `architectures`."""
    if "model_type" not in raw and any(name.startswith("XLMRoberta") for name in raw.get("architectures") or ()):
        return "xlm-roberta"
    return raw.get("model_type")


def read_activation(name: str, where: str) -> str:
    """An activation as this package calls it. Raises InputError for one that is not implemented."""
    if name not in _ACTIVATIONS:
        raise InputError(f"{where}: activation '{name}' is not implemented")
    return _ACTIVATIONS[name]


def read_rope_theta(raw: Mapping[str, Any], where: str) -> float:
    """The base of the rotary embedding. Raises InputError for a scaling, which is not implemented."""
    # transformers 5 writes rope_parameters instead of rope_theta and rope_scaling
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise InputError(f"{where}: rotary scaling '{kind}' is not implemented")
    return float(rope.get("rope_theta", raw.get("rope_theta", 10000.0)))


def decoder_matrices(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The fields of `DecoderConfig` that all decoders read in the same way. Raises InputError for biases."""
    if raw.get("attention_bias"):
        raise InputError(f"{where}: attention_bias is not implemented")
    heads = raw["num_attention_heads"]
    return {
        "layers": raw["num_hidden_layers"],
        "hidden": raw["hidden_size"],
        "heads": heads,
        "kv_heads": raw.get("num_key_value_heads") or heads,
        "head_dim": raw.get("head_dim") or raw["hidden_size"] // heads,
        "intermediate": raw["intermediate_size"],
        "vocab": raw["vocab_size"],
        "norm_eps": raw.get("rms_norm_eps", 1e-6),
        "rope_theta": read_rope_theta(raw, where),
        "max_positions": raw["max_position_embeddings"],
        "tied": raw.get("tie_word_embeddings", True),
        "activation": read_activation(raw.get("hidden_activation") or raw.get("hidden_act", "silu"), where),
    }


def layer_heads(raw: Mapping[str, Any], has_heads: bool, where: str) -> dict[str, Any]:
    """`start_layer` and `layer_sep` of a decoder with scalar heads after its layers; nothing without them."""
    if not has_heads:
        return {}
    if raw.get("head_type", "simple") != "simple":
        raise InputError(f"{where}: head_type '{raw['head_type']}' is not implemented, only 'simple'")
    return {"start_layer": raw["start_layer"], "layer_sep": raw.get("layer_sep", 1)}
