"""Types and ranges of what `config.json` states, before anything is built from it.

Only keys that a loader here or in transformers takes as a size, a scale or a switch are checked; others pass.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError

# far beyond any published model; what is larger is damage, and would never end or take all memory
MOST_LAYERS, MOST = 4096, 1 << 25
_WIDTHS = (
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "vocab_size",
    "start_layer",
    "layer_sep",
    "max_position_embeddings",
    "type_vocab_size",
    "sliding_window",
    "local_attention",
)
_NULLABLE = ("num_key_value_heads", "head_dim", "type_vocab_size", "sliding_window")
_SCALES = (
    "layer_norm_eps",
    "rms_norm_eps",
    "norm_eps",
    "rope_theta",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "query_pre_attn_scalar",
    "scale_emb",
    "scale_depth",
    "dim_model_base",
)
_WORDS = (
    "model_type",
    "hidden_act",
    "hidden_activation",
    "position_embedding_type",
    "head_type",
    "classifier_pooling",
)
_SWITCHES = (
    "tie_word_embeddings",
    "attention_bias",
    "mlp_bias",
    "norm_bias",
    "classifier_bias",
    "use_sliding_window",
    "layer_wise",
    "head_multi",
    "is_decoder",
    "add_cross_attention",
)


def check_config(raw: Mapping[str, Any], where: str) -> None:
    """Raise InputError for a value of a wrong type or out of range, naming the key."""
    for key, value in raw.items():
        layers = (
            key.endswith(("layers", "_layer", "n_layer")) and key not in _WIDTHS and isinstance(value, (int, float))
        )
        if layers or key == "num_hidden_layers":
            _whole(key, value, where, MOST_LAYERS)
    for key in _WIDTHS:
        if key in raw and not (raw[key] is None and key in _NULLABLE):
            unbounded = key == "max_position_embeddings" and raw[key] == -1  # XLNet
            if not unbounded:
                _whole(key, raw[key], where, MOST, least=0 if key in ("type_vocab_size", "sliding_window") else 1)
    for key in _SCALES:
        value = raw.get(key)
        if value is not None and (_no_number(value) or not 0 < value < math.inf):
            raise InputError(f"{where}: key '{key}': expected a positive number, found {value!r:.60}")
    for key in _WORDS:
        if not isinstance(raw.get(key, ""), str) and raw[key] is not None:
            raise InputError(f"{where}: key '{key}': expected text, found {raw[key]!r:.60}")
    for key in _SWITCHES:
        if not isinstance(raw.get(key, False), bool) and raw[key] is not None:
            raise InputError(f"{where}: key '{key}': expected true or false, found {raw[key]!r:.60}")
    _lists(raw, where)
    _together(raw, where)


def _together(raw: Mapping[str, Any], where: str) -> None:
    """Check sizes that must fit each other in every architecture."""
    hidden, heads, layers = (raw.get(key) for key in ("hidden_size", "num_attention_heads", "num_hidden_layers"))
    if hidden and heads and not raw.get("head_dim") and heads > hidden:
        raise InputError(f"{where}: num_attention_heads {heads} exceeds hidden_size {hidden}")
    if layers and raw.get("start_layer", 1) > layers:
        raise InputError(f"{where}: start_layer {raw['start_layer']} exceeds num_hidden_layers {layers}")


def _lists(raw: Mapping[str, Any], where: str) -> None:
    names = raw.get("architectures")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InputError(f"{where}: key 'architectures': expected a list of names, found {names!r:.60}")
    for key, least in (("pad_token_id", 0), ("num_labels", 1)):
        if raw.get(key) is not None:
            _whole(key, raw[key], where, (1 << 31) - 1, least=-1 if key == "pad_token_id" else least)
    labels = raw.get("id2label")
    if labels is not None and not isinstance(labels, dict):
        raise InputError(f"{where}: key 'id2label': expected an object, found {labels!r:.60}")
    for key in ("rope_parameters", "rope_scaling"):
        if raw.get(key) is not None and not isinstance(raw[key], dict):
            raise InputError(f"{where}: key '{key}': expected an object, found {raw[key]!r:.60}")


def _whole(key: str, value: Any, where: str, most: int, least: int = 1) -> None:
    if _no_number(value) or not isinstance(value, int):
        raise InputError(f"{where}: key '{key}': expected a whole number, found {value!r:.60}")
    if not least <= value <= most:
        raise InputError(f"{where}: key '{key}': expected {least} to {most}, found {value}")


def _no_number(value: Any) -> bool:
    return isinstance(value, bool) or not isinstance(value, (int, float)) or value != value
