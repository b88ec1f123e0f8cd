"""ModernBERT (arXiv 2412.13663), with the configuration keys of transformers 4.48 to 4.57 and those of 5.x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models.config import read_activation
from ..models.modern_config import ModernConfig

# the defaults of transformers' ModernBertConfig that are no attributes of its objects in every release
_EVERY, _GLOBAL_THETA, _LOCAL_THETA = 3, 160_000.0, 10_000.0


def modernbert(raw: Mapping[str, Any], where: str) -> ModernConfig:
    """The encoder, and the head of `ModernBertForSequenceClassification` where `architectures` names one."""
    classifier = any("SequenceClassification" in name for name in raw.get("architectures") or ())
    labels = raw.get("num_labels") or len(raw.get("id2label") or {0: "", 1: ""})
    pooling = raw["classifier_pooling"]
    if pooling not in ("cls", "mean"):
        raise InputError(f"{where}: classifier_pooling {pooling!r:.40} is not implemented, only 'cls' and 'mean'")
    bases = _bases(raw, where)
    return ModernConfig(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=raw["num_attention_heads"],
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        activation=read_activation(raw["hidden_activation"], where),
        norm_eps=raw["norm_eps"],
        max_positions=raw["max_position_embeddings"],
        local_layers=_local_layers(raw, where),
        window=raw["local_attention"] // 2,
        local_theta=bases["sliding_attention"],
        global_theta=bases["full_attention"],
        attention_bias=bool(raw["attention_bias"]),
        mlp_bias=bool(raw["mlp_bias"]),
        norm_bias=bool(raw["norm_bias"]),
        head_bias=bool(raw["classifier_bias"]),
        labels=labels if classifier else 0,
        head="classifier" if classifier else "none",
        pooling=pooling,
        head_activation=read_activation(raw["classifier_activation"], where),
    )


def _local_layers(raw: Mapping[str, Any], where: str) -> tuple[int, ...]:
    """`layer_types`, as 5.x writes them, or every layer but each n-th."""
    layers, kinds = raw["num_hidden_layers"], raw.get("layer_types")
    if kinds is None:
        every = raw.get("global_attn_every_n_layers", _EVERY)
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InputError(f"{where}: key 'global_attn_every_n_layers': expected a whole number, found {every!r:.40}")
        return tuple(layer for layer in range(layers) if layer % every)
    known = ("full_attention", "sliding_attention")
    if not isinstance(kinds, list) or len(kinds) != layers or not all(kind in known for kind in kinds):
        raise InputError(f"{where}: key 'layer_types': expected {layers} times {' or '.join(known)}")
    return tuple(layer for layer, kind in enumerate(kinds) if kind == known[1])


def _bases(raw: Mapping[str, Any], where: str) -> dict[str, float]:
    """The two bases: from `rope_parameters` (5.x), else from `global_rope_theta` and `local_rope_theta`."""
    if raw.get("rope_scaling"):
        raise InputError(f"{where}: rotary scaling {raw['rope_scaling']!r:.60} is not implemented")
    stated = raw.get("rope_parameters") or {}
    if stray := sorted(set(stated) - {"full_attention", "sliding_attention"}):
        raise InputError(f"{where}: key 'rope_parameters': '{stray[0]}' is not understood")
    found = {}
    for kind, key, default in (
        ("full_attention", "global_rope_theta", _GLOBAL_THETA),
        ("sliding_attention", "local_rope_theta", _LOCAL_THETA),
    ):
        rope = stated.get(kind) or {"rope_type": "default"}
        if not isinstance(rope, dict) or {**rope, "rope_theta": 0} != {"rope_type": "default", "rope_theta": 0}:
            raise InputError(f"{where}: key 'rope_parameters': {rope!r:.60} is not implemented")
        theta = rope.get("rope_theta", raw.get(key, default))
        if isinstance(theta, bool) or not isinstance(theta, (int, float)) or not 0 < theta < float("inf"):
            raise InputError(f"{where}: base of {kind}: expected a positive number, found {theta!r:.60}")
        found[kind] = float(theta)
    return found
