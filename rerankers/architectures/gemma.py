"""Gemma-1 (arXiv 2403.08295), Gemma-2 (arXiv 2408.00118) and its variant of BAAI's lightweight model, Gemma-3."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InputError
from ..models.config import DECODER_KEYS, DecoderConfig, decoder_matrices, layer_heads, sliding_layers
from ..models.rope_config import Rope, read_nested
from .keys import architecture, unread

_SECOND = "query_pre_attn_scalar sliding_window layer_types attn_logit_softcapping final_logit_softcapping"
# false where it is there: no token sees those after it
_CAUSAL = {"use_bidirectional_attention": (False, None), "is_causal": (True,)}


@architecture(f"{DECODER_KEYS} hidden_act hidden_activation", only=_CAUSAL, library="gemma")
def gemma(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Gemma-1.

    transformers before 5 obeys `hidden_activation` and without it runs the tanh approximation; 5.x obeys `hidden_act`,
    and takes `gelu` for that approximation. A file in which the two readings differ is refused.
    """
    usual = "gelu_pytorch_tanh"
    older, newer = raw.get("hidden_activation") or usual, raw.get("hidden_act", usual)
    if older != (usual if newer == "gelu" else newer):
        raise InputError(
            f"{where}: keys 'hidden_act' and 'hidden_activation': releases of transformers read {newer!r:.30} and "
            f"{raw.get('hidden_activation')!r:.30} in two ways; write the activation that the model was trained with "
            "under both",
            unread=True,
        )
    matrices = _read_matrices({**raw, "hidden_activation": older}, where)
    return DecoderConfig(**matrices, query_scale=matrices["head_dim"] ** -0.5)


@architecture(f"{DECODER_KEYS} hidden_activation {_SECOND}", idle="hidden_act", only=_CAUSAL, library="gemma2")
def gemma2(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Gemma-2: norms on both sides of a block, soft-capping, and every other layer with a sliding window."""
    return DecoderConfig(**_read_matrices(raw, where), **_read_second(raw, where))


@architecture(
    f"{DECODER_KEYS} hidden_activation {_SECOND} rope_local_base_freq sliding_window_pattern",
    # what `layer_types` was made of; a cap that no release of transformers applies
    idle="_sliding_window_pattern attn_logit_softcapping",
    only=_CAUSAL,
    library="gemma3_text",
)
def gemma3(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Gemma-3 (arXiv 2503.19786) for texts: normed queries and keys; five layers of six slide, by another base.

    transformers never caps its attention scores, whatever `attn_logit_softcapping` is (modeling_gemma3.py).
    """
    every = raw.get("sliding_window_pattern", 6)
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InputError(f"{where}: key 'sliding_window_pattern': expected a positive number, found {every!r:.60}")
    usual = [layer for layer in range(raw["num_hidden_layers"]) if (layer + 1) % every]
    whole, local = read_nested(raw, where, "rope_theta", "rope_local_base_freq")
    own = {**_read_matrices(raw, where, whole), **_read_second(raw, where, usual), "attention_cap": None}
    return DecoderConfig(**own, local_rope=local, qk_norm=True)


@architecture(
    f"{DECODER_KEYS} hidden_activation {_SECOND} layer_wise head_type start_layer layer_sep",
    idle="hidden_act sliding_window_size",
    only=_CAUSAL,
    code="gemma_config.CostWiseGemmaConfig gemma_model.CostWiseGemmaModel gemma_model.CostWiseGemmaForCausalLM",
    library="gemma2",
)
def cost_wise_gemma(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read Gemma-2 with a scalar head after layers from `start_layer` on, every `layer_sep`."""
    heads = layer_heads(raw, bool(raw.get("layer_wise", False)), where)
    return DecoderConfig(**_read_matrices(raw, where), **_read_second(raw, where), **heads)


def _read_matrices(raw: Mapping[str, Any], where: str, rope: Rope | None = None) -> dict[str, Any]:
    named = {**raw, "hidden_activation": raw.get("hidden_activation", "gelu_pytorch_tanh")}
    return {
        **decoder_matrices(named, where, "hidden_activation", rope),
        "norm_plus_one": True,
        "embedding_scale": math.sqrt(raw["hidden_size"]),
    }


def _read_second(raw: Mapping[str, Any], where: str, usual: Iterable[int] | None = None) -> dict[str, Any]:
    """Return what Gemma-2 and what follows it have; `usual` layers slide where no key states which."""
    window = raw.get("sliding_window")
    sliding = sliding_layers(raw, where, range(0, raw["num_hidden_layers"], 2) if usual is None else usual)
    if sliding and window is None:
        raise unread("sliding_window", window, where, "a number, since layers slide")
    return {
        "sandwich_norms": True,
        "query_scale": raw["query_pre_attn_scalar"] ** -0.5,
        "attention_cap": raw.get("attn_logit_softcapping"),
        "final_softcap": raw.get("final_logit_softcapping"),
        "sliding_window": window,
        "sliding_layers": sliding,
    }
