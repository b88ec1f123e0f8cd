"""The shapes of the two architectures, read from a `config.json` as the hub keeps it.

`DecoderConfig` serves Gemma-1, Gemma-2 (and its compressing variant) and MiniCPM; `EncoderConfig` serves BERT and
XLM-RoBERTa. Only keys that change a score or a FLOP are kept.
"""

from __future__ import annotations

import math
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
        sandwich_norms: extra norms behind attention and MLP (Gemma-2).
        embedding_scale: factor on the embeddings, rounded to the model's dtype.
        residual_scale: factor on each block's output before it is added (MiniCPM's depth scale).
        logit_scale: factor on the last hidden state before a vocabulary head (MiniCPM's dim_model_base rule).
        query_scale: factor on q.k.
        attention_softcap, final_softcap: c in c * tanh(x / c), or None.
        sliding_window: tokens that a sliding layer sees, or None; even layers slide (Gemma-2).
        rope_theta: base of the rotary embedding.
        start_layer: first layer with its own scalar head; None means one vocabulary head behind the last layer.
        layer_sep: distance between layers that have heads.
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
    norm_plus_one: bool
    sandwich_norms: bool
    embedding_scale: float
    residual_scale: float
    logit_scale: float
    query_scale: float
    attention_softcap: float | None
    final_softcap: float | None
    sliding_window: int | None
    rope_theta: float
    max_positions: int
    start_layer: int | None
    layer_sep: int = 1

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


def read_config(raw: Mapping[str, Any], where: str = "config.json") -> DecoderConfig | EncoderConfig:
    """The shape that a hub `config.json` describes.

    Raises InputError for a model type without a native implementation, a missing key, or a value that this
    implementation would silently get wrong (rotary scaling, biases in the decoder, relative positions).
    """
    kind = model_type(raw)
    try:
        if kind in ("bert", "xlm-roberta", "roberta"):
            return _encoder({**raw, "model_type": kind}, where)
        if kind in ("gemma", "gemma2", "cost_wise_gemma", "minicpm"):
            return _decoder(raw, where)
    except KeyError as err:
        raise InputError(f"{where}: key {err} is missing") from err
    raise InputError(f"{where}: model_type '{kind}' has no native implementation here")


def model_type(raw: Mapping[str, Any]) -> str | None:
    """`model_type`, or what stands for it: jina-reranker-v2 names only its classes, in `architectures`."""
    if "model_type" not in raw and any(name.startswith("XLMRoberta") for name in raw.get("architectures") or ()):
        return "xlm-roberta"
    return raw.get("model_type")


def _activation(name: str, where: str) -> str:
    if name not in _ACTIVATIONS:
        raise InputError(f"{where}: activation '{name}' is not implemented")
    return _ACTIVATIONS[name]


def _encoder(raw: Mapping[str, Any], where: str) -> EncoderConfig:
    if raw.get("position_embedding_type", "absolute") != "absolute":
        raise InputError(f"{where}: position_embedding_type '{raw['position_embedding_type']}' is not implemented")
    roberta = raw["model_type"] != "bert"
    classifier = any("SequenceClassification" in name for name in raw.get("architectures") or ())
    labels = raw.get("num_labels") or len(raw.get("id2label") or {0: "", 1: ""})
    return EncoderConfig(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=raw["num_attention_heads"],
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        activation=_activation(raw.get("hidden_act", "gelu"), where),
        norm_eps=raw.get("layer_norm_eps", 1e-12),
        max_positions=raw["max_position_embeddings"],
        position_offset=raw.get("pad_token_id", 1) + 1 if roberta else 0,
        token_types=raw.get("type_vocab_size", 2),
        labels=labels if classifier else 0,
        head=("roberta" if roberta else "bert") if classifier else "none",
    )


def _rope_theta(raw: Mapping[str, Any], where: str) -> float:
    # transformers 5 writes rope_parameters instead of rope_theta and rope_scaling
    rope = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind != "default":
        raise InputError(f"{where}: rotary scaling '{kind}' is not implemented")
    return float(rope.get("rope_theta", raw.get("rope_theta", 10000.0)))


def _decoder(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    kind = raw["model_type"]
    if raw.get("attention_bias"):
        raise InputError(f"{where}: attention_bias is not implemented")
    hidden, layers, heads = raw["hidden_size"], raw["num_hidden_layers"], raw["num_attention_heads"]
    gemma, gemma2 = kind != "minicpm", kind in ("gemma2", "cost_wise_gemma")
    head_dim = raw.get("head_dim") or hidden // heads
    # Gemma-1 runs the tanh approximation although its config.json says `gelu` (transformers, GemmaMLP)
    activation = raw.get("hidden_activation") or ("gelu_pytorch_tanh" if gemma else raw.get("hidden_act", "silu"))
    layerwise = (
        raw.get("layer_wise", False) if kind == "cost_wise_gemma" else raw.get("head_multi", "start_layer" in raw)
    )
    scalar_heads = kind in ("cost_wise_gemma", "minicpm") and bool(layerwise)
    if scalar_heads and raw.get("head_type", "simple") != "simple":
        raise InputError(f"{where}: head_type '{raw['head_type']}' is not implemented, only 'simple'")
    return DecoderConfig(
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=raw.get("num_key_value_heads") or heads,
        head_dim=head_dim,
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        activation=_activation(activation, where),
        norm_eps=raw.get("rms_norm_eps", 1e-6),
        norm_plus_one=gemma,
        sandwich_norms=gemma2,
        embedding_scale=math.sqrt(hidden) if gemma else float(raw.get("scale_emb", 1)),
        residual_scale=1.0 if gemma else raw.get("scale_depth", 1.0) / math.sqrt(layers),
        logit_scale=1.0 if gemma else raw.get("dim_model_base", hidden) / hidden,
        query_scale=(raw["query_pre_attn_scalar"] if gemma2 else head_dim) ** -0.5,
        attention_softcap=raw.get("attn_logit_softcapping") if gemma2 else None,
        final_softcap=raw.get("final_logit_softcapping") if gemma2 else None,
        sliding_window=raw.get("sliding_window") if gemma2 else None,
        rope_theta=_rope_theta(raw, where),
        max_positions=raw["max_position_embeddings"],
        start_layer=raw["start_layer"] if scalar_heads else None,
        layer_sep=raw.get("layer_sep", 1) if scalar_heads else 1,
    )
