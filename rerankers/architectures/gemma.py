"""Gemma-1 (arXiv 2403.08295), Gemma-2 (arXiv 2408.00118), and the compressing variant of BAAI's lightweight model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..models.config import DecoderConfig, decoder_matrices, layer_heads, sliding_layers


def gemma(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Gemma-1."""
    matrices = _matrices(raw, where)
    return DecoderConfig(**matrices, query_scale=matrices["head_dim"] ** -0.5)


def gemma2(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Gemma-2: norms on both sides of a block, soft-capping, and every other layer with a sliding window."""
    return DecoderConfig(**_matrices(raw, where), **_second(raw, where))


def cost_wise_gemma(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Gemma-2 with a scalar head after layers from `start_layer` on, every `layer_sep`."""
    heads = layer_heads(raw, bool(raw.get("layer_wise", False)), where)
    return DecoderConfig(**_matrices(raw, where), **_second(raw, where), **heads)


def _matrices(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    # Gemma-1 runs the tanh approximation although its config.json says `gelu` (transformers, GemmaMLP)
    named = {**raw, "hidden_activation": raw.get("hidden_activation") or "gelu_pytorch_tanh"}
    return {
        **decoder_matrices(named, where),
        "norm_plus_one": True,
        "embedding_scale": math.sqrt(raw["hidden_size"]),
    }


def _second(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {
        "sandwich_norms": True,
        "query_scale": raw["query_pre_attn_scalar"] ** -0.5,
        "attention_softcap": raw.get("attn_logit_softcapping"),
        "final_softcap": raw.get("final_logit_softcapping"),
        "sliding_window": raw.get("sliding_window"),
        "sliding_layers": sliding_layers(raw, where, range(0, raw["num_hidden_layers"], 2)),
    }
