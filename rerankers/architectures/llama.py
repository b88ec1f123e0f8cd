"""Llama (arXiv 2302.13971) and what has its body: Mistral, Qwen2 and Qwen3, and Llama without a causal mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models.config import DecoderConfig, decoder_matrices, sliding_layers


def llama(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Llama: biases where the config says so, no windows."""
    return DecoderConfig(**_body(raw, where), mlp_bias=bool(raw.get("mlp_bias")))


def mistral(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Mistral (arXiv 2310.06825): every layer slides where there is a window; no biases, whatever the config says."""
    body = {**_body(raw, where), "qkv_bias": False, "output_bias": False}
    window = raw.get("sliding_window")
    every = range(body["layers"] if window else 0)
    return DecoderConfig(**body, sliding_window=window, sliding_layers=tuple(every))


def qwen2(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Qwen2 and Qwen2.5 (arXiv 2407.10671, 2412.15115): biases on queries, keys and values."""
    return DecoderConfig(**{**_body(raw, where), "qkv_bias": True, "output_bias": False}, **_windows(raw, where))


def qwen3(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Qwen3 (arXiv 2505.09388): queries and keys are normed, a head has a width of its own."""
    return DecoderConfig(**_body(raw, where), **_windows(raw, where), qk_norm=True)


def llama_bidirectional(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Llama without a causal mask and with one row on the mean of its states, as NVIDIA's class runs it."""
    for key, value in (("pooling", "avg"), ("temperature", 1.0), ("num_labels", 1)):
        if raw.get(key, value) != value:
            raise InputError(f"{where}: key '{key}': {raw[key]!r:.60} is not implemented, only {value!r}")
    return DecoderConfig(**_body(raw, where), mlp_bias=bool(raw.get("mlp_bias")), bidirectional=True)


def _body(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What all of them share. Layers of other types are refused where no window is read."""
    matrices = decoder_matrices(raw, where)
    if raw["model_type"] not in ("qwen2", "qwen3") and sliding_layers(raw, where, range(0)):
        raise InputError(f"{where}: key 'layer_types': layers that slide are not implemented for {raw['model_type']}")
    tied = raw.get("tie_word_embeddings", False)  # what their classes take where the config does not say
    return {**matrices, "tied": tied, "query_scale": matrices["head_dim"] ** -0.5}


def _windows(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Qwen's windows: none unless `use_sliding_window`, then in the layers from `max_window_layers` on."""
    if not raw.get("use_sliding_window", False):
        if sliding_layers(raw, where, range(0)):
            raise InputError(f"{where}: key 'layer_types': layers slide, but use_sliding_window is false")
        return {}
    usual = range(raw["max_window_layers"], raw["num_hidden_layers"])
    return {"sliding_window": raw["sliding_window"], "sliding_layers": sliding_layers(raw, where, usual)}
