"""What a `config.json` leaves out is the library's default, and sizes must fit each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError

# read by the native architectures; where config.json leaves one out, transformers takes its class's default
_DEFAULTED = {
    "encoder": (
        "num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size", "hidden_act",
        "layer_norm_eps", "max_position_embeddings", "type_vocab_size", "pad_token_id",
    ),
    "decoder": (
        "num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size", "intermediate_size", "rms_norm_eps",
        "max_position_embeddings",
    ),
    "modern": (
        "num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size", "norm_eps",
        "hidden_activation", "max_position_embeddings", "local_attention", "attention_bias", "mlp_bias", "norm_bias",
        "classifier_bias", "classifier_activation", "classifier_pooling",
    ),
    "own_heads": ("num_key_value_heads", "head_dim"),
    "own_key_heads": ("num_key_value_heads",),  # the width of a head follows from the hidden size
    "windows": ("max_window_layers",),
    "window": ("sliding_window",),
    "gemma2": (
        "query_pre_attn_scalar", "attn_logit_softcapping", "final_logit_softcapping", "sliding_window",
    ),
}  # fmt: skip
_DEFAULTS_OF = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta"), ("encoder",)),
    "modernbert": ("modern",),
    "gemma": ("decoder", "own_heads"),
    **dict.fromkeys(("gemma2", "cost_wise_gemma", "gemma3_text"), ("decoder", "own_heads", "gemma2")),
    "llama": ("decoder",),
    "mistral": ("decoder", "own_key_heads", "window"),
    "qwen2": ("decoder", "own_key_heads", "windows"),
    "qwen3": ("decoder", "own_heads", "windows"),
}


def completed(raw: Mapping[str, Any], kind: str | None) -> Mapping[str, Any]:
    """Return `raw` with the library's own defaults for absent keys; model types of no library stay as is."""
    groups = [g for g in _DEFAULTS_OF.get(kind or "", ()) if g != "windows" or raw.get("use_sliding_window")]
    keys = [key for group in groups for key in _DEFAULTED[group] if key not in raw]
    if not keys:
        return raw
    from transformers import CONFIG_MAPPING  # takes seconds

    library = "gemma2" if kind == "cost_wise_gemma" else str(kind)
    if library not in CONFIG_MAPPING:  # a release before that architecture
        return raw
    own = CONFIG_MAPPING[library]()
    return {**{key: getattr(own, key) for key in keys if hasattr(own, key)}, **raw}


def check_native(raw: Mapping[str, Any], where: str) -> None:
    """Raise InputError for sizes that do not fit each other in any native architecture."""
    hidden, heads = raw["hidden_size"], raw["num_attention_heads"]
    if not raw.get("head_dim") and hidden % heads:
        raise InputError(f"{where}: hidden_size {hidden} is no multiple of num_attention_heads {heads}")
    if (groups := raw.get("num_key_value_heads")) and heads % groups:
        raise InputError(f"{where}: num_attention_heads {heads} is no multiple of num_key_value_heads {groups}")
    if raw.get("sliding_window") == 0:
        raise InputError(f"{where}: key 'sliding_window': a window of no token is not implemented", unread=True)
