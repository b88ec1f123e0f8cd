"""Llama (arXiv 2302.13971) and what has its body: Mistral, Qwen2 and Qwen3, and Llama without a causal mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models.config import DECODER_KEYS, DecoderConfig, decoder_matrices, sliding_layers
from .keys import architecture, unread

# `layer_types`: none may slide where no window is read
_KEYS = f"{DECODER_KEYS} hidden_act layer_types"
_WINDOWS = "use_sliding_window sliding_window max_window_layers"
_CAUSAL = {"is_causal": (True,), "use_bidirectional_attention": (False, None)}
# of Llama files made elsewhere: the class does what they state
_LLAMA = {**_CAUSAL, "is_llama_config": (True,), "rope_interleaved": (False, None)}


@architecture(f"{_KEYS} mlp_bias", only=_LLAMA, library="llama")
def llama(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Llama: biases where the config has them, no windows."""
    return DecoderConfig(**_read_body(raw, where), mlp_bias=bool(raw.get("mlp_bias")))


@architecture(f"{_KEYS} sliding_window", idle="attention_bias mlp_bias", only=_CAUSAL, library="mistral")
def mistral(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Mistral (arXiv 2310.06825): every layer slides where there is a window; there are no biases."""
    body = {**_read_body(raw, where), "qkv_bias": False, "output_bias": False}
    window = raw.get("sliding_window")
    every = range(body["layers"] if window else 0)
    return DecoderConfig(**body, sliding_window=window, sliding_layers=tuple(every))


@architecture(
    f"{_KEYS} {_WINDOWS}", idle="attention_bias", only={**_CAUSAL, "use_mrope": (False, None)}, library="qwen2"
)
def qwen2(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Qwen2 and Qwen2.5 (arXiv 2407.10671, 2412.15115): biases on queries, keys and values."""
    return DecoderConfig(
        **{**_read_body(raw, where), "qkv_bias": True, "output_bias": False}, **_read_windows(raw, where)
    )


@architecture(
    f"{_KEYS} {_WINDOWS}",
    only=_CAUSAL,
    # jina-reranker-v3, whose adapter runs what its class adds; zerank's, whose class reads logits of this body (the
    # name of its configuration class is a guess, no public copy of that file could be found)
    code="modeling.JinaForRanking modeling_zeranker.ZEConfig",
    library="qwen3",
)
def qwen3(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Qwen3 (arXiv 2505.09388): queries and keys are normed, a head has a width of its own."""
    return DecoderConfig(**_read_body(raw, where), **_read_windows(raw, where), qk_norm=True)


@architecture(
    f"{_KEYS} mlp_bias",
    only={"pooling": ("avg",), "temperature": (1, 1.0), "num_labels": (1,), "is_causal": (False,)},
    # nvidia/llama-nemotron-rerank-1b-v2
    code=(
        "llama_bidirectional_model.LlamaBidirectionalConfig llama_bidirectional_model.LlamaBidirectionalModel "
        "llama_bidirectional_model.LlamaBidirectionalForSequenceClassification"
    ),
    library="llama",
)
def llama_bidirectional(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Llama without a causal mask and with one row on the mean of its states, as NVIDIA's class runs it."""
    if raw.get("id2label") is not None and len(raw["id2label"]) != 1:
        raise unread("id2label", raw["id2label"], where, "one label")
    return DecoderConfig(**_read_body(raw, where), mlp_bias=bool(raw.get("mlp_bias")), bidirectional=True)


def _read_body(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return what all of them share. Layers of other types are refused where no window is read."""
    matrices = decoder_matrices(raw, where)
    if raw["model_type"] not in ("qwen2", "qwen3") and sliding_layers(raw, where, range(0)):
        raise unread("layer_types", "sliding_attention", where, f"'full_attention' for {raw['model_type']}")
    tied = raw.get("tie_word_embeddings", False)  # what their classes take where the config has no such key
    return {**matrices, "tied": tied, "query_scale": matrices["head_dim"] ** -0.5}


def _read_windows(raw: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return Qwen's windows: none unless `use_sliding_window`, then in the layers from `max_window_layers` on."""
    window = raw.get("sliding_window") if raw.get("use_sliding_window") else None
    if window is None:
        if sliding_layers(raw, where, range(0)):
            raise unread("layer_types", "sliding_attention", where, "beside use_sliding_window and sliding_window")
        return {}
    usual = range(0)
    if raw.get("layer_types") is None:
        usual = range(raw["max_window_layers"], raw["num_hidden_layers"])
    return {"sliding_window": window, "sliding_layers": sliding_layers(raw, where, usual)}
