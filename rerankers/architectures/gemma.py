"""Gemma-1 (arXiv 2403.08295), Gemma-2 (arXiv 2408.00118) and its variant of BAAI's lightweight model, Gemma-3."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models.config import DecoderConfig, decoder_matrices, layer_heads, sliding_layers
from ..models.rope_config import read_rope


def gemma(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Gemma-1."""
    matrices = _matrices(raw, where)
    return DecoderConfig(**matrices, query_scale=matrices["head_dim"] ** -0.5)


def gemma2(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Gemma-2: norms on both sides of a block, soft-capping, and every other layer with a sliding window."""
    return DecoderConfig(**_matrices(raw, where), **_second(raw, where))


def gemma3(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Gemma-3 (arXiv 2503.19786) for texts: normed queries and keys; five layers of six slide, with their own base."""
    if raw.get("use_bidirectional_attention"):
        raise InputError(f"{where}: key 'use_bidirectional_attention': true is not implemented")
    every = raw.get("sliding_window_pattern", 6)
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InputError(f"{where}: key 'sliding_window_pattern': expected a positive number, found {every!r:.60}")
    usual = [layer for layer in range(raw["num_hidden_layers"]) if (layer + 1) % every]
    stated = raw.get("rope_parameters") or {}
    if stray := [key for key in stated if key not in ("full_attention", "sliding_attention")]:
        raise InputError(f"{where}: key 'rope_parameters': '{stray[0]}' is not understood")
    whole = {**(stated.get("full_attention") or raw.get("rope_scaling") or {})}
    whole.setdefault("rope_theta", raw.get("rope_theta", 1e6))
    local = {"rope_theta": raw.get("rope_local_base_freq", 1e4), **(stated.get("sliding_attention") or {})}
    flat = {**raw, "rope_parameters": whole}
    sliding = {"sliding_layers": sliding_layers(raw, where, usual)}
    local_rope = read_rope({**flat, "rope_parameters": local}, where)
    own = {**_matrices(flat, where), **_second(raw, where), **sliding}
    return DecoderConfig(**own, local_rope=local_rope, qk_norm=True)


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
