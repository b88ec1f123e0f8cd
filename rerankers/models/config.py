"""The two architectures as values. `architectures/` reads them from a `config.json` as the hub has it.

Only keys that change a score or a FLOP are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from .rope_config import Rope, read_rope


@dataclass(frozen=True)
class DecoderConfig:
    """A transformer of Llama's kind, causal unless `bidirectional`.

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
        attention_cap, final_softcap: c in c * tanh(x / c), or None.
        sliding_window: tokens that a sliding layer sees, or None.
        sliding_layers: the layers that slide.
        rope: the rotary embedding, and `local_rope` that of the layers that slide; None: the same.
        qk_norm: RMSNorm of every head's query and key before they are rotated (Qwen3).
        qkv_bias, output_bias, mlp_bias: the projections that add a bias.
        start_layer: first layer with its own scalar head; None means one vocabulary head after the last layer.
        layer_sep: distance between layers that have heads.
        tied: the vocabulary head is the embedding.
        bidirectional: tokens see all of their sequence, and one row scores the mean of its last states.
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
    rope: Rope
    max_positions: int
    query_scale: float
    norm_plus_one: bool = False
    sandwich_norms: bool = False
    embedding_scale: float = 1.0
    residual_scale: float = 1.0
    logit_scale: float = 1.0
    attention_cap: float | None = None
    final_softcap: float | None = None
    sliding_window: int | None = None
    sliding_layers: tuple[int, ...] = ()
    local_rope: Rope | None = None
    qk_norm: bool = False
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    start_layer: int | None = None
    layer_sep: int = 1
    tied: bool = True
    bidirectional: bool = False

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


def count_labels(raw: Mapping[str, Any]) -> int:
    """Count outputs of a classification head: those that `id2label` names, else `num_labels`, else two."""
    named = raw.get("id2label")
    return len(named) if named is not None else raw.get("num_labels") or 2


def model_type(raw: Mapping[str, Any]) -> str | None:
    """Return `model_type`, or what replaces it: jina-reranker-v2 names only its classes, in `architectures`."""
    if "model_type" not in raw and any(name.startswith("XLMRoberta") for name in raw.get("architectures") or ()):
        return "xlm-roberta"
    return raw.get("model_type")


def read_activation(raw: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    """Read an activation as this package calls it. Raises InputError for one that is not implemented."""
    name = raw[key] if default is None else raw.get(key, default)
    if name not in _ACTIVATIONS:
        raise InputError(f"{where}: key '{key}': activation '{name}' is not implemented", unread=True)
    return _ACTIVATIONS[name]


# what `decoder_matrices` reads, beside the name of the activation
DECODER_KEYS = (
    "num_hidden_layers hidden_size num_attention_heads num_key_value_heads head_dim intermediate_size vocab_size "
    "rms_norm_eps max_position_embeddings tie_word_embeddings attention_bias rope_theta rope_scaling rope_parameters "
    "original_max_position_embeddings partial_rotary_factor"
)


def decoder_matrices(
    raw: Mapping[str, Any], where: str, activation: str = "hidden_act", rope: Rope | None = None
) -> dict[str, Any]:
    """Return the fields of `DecoderConfig` that all decoders read in the same way.

    `activation` is the key that names it; `rope` is the rotary embedding where the architecture has a way of its own.
    """
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
        "rope": rope or read_rope(raw, where),
        "max_positions": raw["max_position_embeddings"],
        "tied": raw.get("tie_word_embeddings", True),
        "qkv_bias": bool(raw.get("attention_bias")),
        "output_bias": bool(raw.get("attention_bias")),
        "activation": read_activation(raw, activation, where, "silu"),
    }


def layer_heads(raw: Mapping[str, Any], has_heads: bool, where: str) -> dict[str, Any]:
    """Return `start_layer` and `layer_sep` of a decoder with scalar heads after its layers; nothing without them."""
    if not has_heads:
        return {}
    if raw.get("head_type", "simple") != "simple":
        raise InputError(
            f"{where}: key 'head_type': '{raw['head_type']}' is not implemented, only 'simple'", unread=True
        )
    return {"start_layer": raw["start_layer"], "layer_sep": raw.get("layer_sep", 1)}


def sliding_layers(raw: Mapping[str, Any], where: str, usual: Iterable[int]) -> tuple[int, ...]:
    """Return the layers that `layer_types` lets slide; without that key, `usual`. Raises InputError for other types."""
    kinds, layers = raw.get("layer_types"), raw["num_hidden_layers"]
    if kinds is None:
        return tuple(usual)
    if not isinstance(kinds, list) or len(kinds) != layers:
        raise InputError(f"{where}: key 'layer_types': expected a list of {layers} types, one for each layer")
    if other := [kind for kind in kinds if kind not in ("full_attention", "sliding_attention")]:
        raise InputError(f"{where}: key 'layer_types': {other[0]!r:.60} is not implemented", unread=True)
    return tuple(layer for layer, kind in enumerate(kinds) if kind == "sliding_attention")
