"""ModernBERT (arXiv 2412.13663), with the configuration keys of transformers 4.48 to 4.57 and those of 5.x."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models.config import count_labels, read_activation
from ..models.modern_config import MODULES, ModernConfig
from ..models.rope_config import read_nested
from .keys import architecture, unread

# the defaults of transformers' ModernBertConfig that are no attributes of its objects in every release
_EVERY, _GLOBAL_THETA, _LOCAL_THETA = 3, 160_000.0, 10_000.0


@architecture(
    "num_hidden_layers hidden_size num_attention_heads intermediate_size vocab_size hidden_activation norm_eps "
    "max_position_embeddings local_attention attention_bias mlp_bias norm_bias classifier_bias classifier_activation "
    "classifier_pooling layer_types global_attn_every_n_layers rope_parameters rope_scaling global_rope_theta "
    f"local_rope_theta {MODULES}",
    # published files have layer_norm_eps, position_embedding_type and hidden_act, which no ModernBERT reads
    idle=(
        "tie_word_embeddings decoder_bias sparse_prediction sparse_pred_ignore_index reference_compile "
        "deterministic_flash_attn repad_logits_with_grad layer_norm_eps position_embedding_type hidden_act"
    ),
    library="modernbert",
    elsewhere=True,
)
def modernbert(raw: Mapping[str, Any], where: str) -> ModernConfig:
    """Return the encoder, and the head of `ModernBertForSequenceClassification` where `architectures` names one."""
    classifier = any("SequenceClassification" in name for name in raw.get("architectures") or ())
    pooling = raw["classifier_pooling"]
    if pooling not in ("cls", "mean"):
        raise unread("classifier_pooling", pooling, where, "'cls' and 'mean'")
    if raw.get("rope_scaling"):
        raise unread("rope_scaling", raw["rope_scaling"], where, "null for ModernBERT")
    bases = read_nested(raw, where, "global_rope_theta", "local_rope_theta", (_GLOBAL_THETA, _LOCAL_THETA))
    if other := next((rope for rope in bases if rope.kind != "default"), None):
        raise unread("rope_parameters", other.kind, where, "'default' for ModernBERT")
    return ModernConfig(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=raw["num_attention_heads"],
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        activation=read_activation(raw, "hidden_activation", where),
        norm_eps=raw["norm_eps"],
        max_positions=raw["max_position_embeddings"],
        local_layers=_read_local_layers(raw, where),
        window=raw["local_attention"] // 2,
        local_theta=bases[1].theta,
        global_theta=bases[0].theta,
        attention_bias=bool(raw["attention_bias"]),
        mlp_bias=bool(raw["mlp_bias"]),
        norm_bias=bool(raw["norm_bias"]),
        head_bias=bool(raw["classifier_bias"]),
        labels=count_labels(raw) if classifier else 0,
        head="classifier" if classifier else "none",
        pooling=pooling,
        head_activation=read_activation(raw, "classifier_activation", where),
    )


def _read_local_layers(raw: Mapping[str, Any], where: str) -> tuple[int, ...]:
    """Return `layer_types`, as 5.x writes them, or every layer but each n-th."""
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
