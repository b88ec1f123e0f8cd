"""BERT (arXiv 1810.04805) and its descendants with the same body: RoBERTa and XLM-RoBERTa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models.config import EncoderConfig, count_labels, read_activation
from .keys import architecture, unread

_KEYS = (
    "num_hidden_layers hidden_size num_attention_heads intermediate_size vocab_size hidden_act layer_norm_eps "
    "max_position_embeddings type_vocab_size position_embedding_type"
)
# the pooler of Google's first multilingual releases, which no class builds
_IDLE = (
    "tie_word_embeddings directionality pooler_fc_size pooler_num_attention_heads pooler_num_fc_layers "
    "pooler_size_per_head pooler_type"
)
# transformers hands it to its kernel, which then reads from left to right
_ONLY = {"is_causal": (False,)}


@architecture(_KEYS, idle=_IDLE, only=_ONLY, library="bert", elsewhere=True)
def bert(raw: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read BERT: positions from 0, a pooler before the classifier."""
    return _read_encoder(raw, where, head="bert", position_offset=0)


def _read_roberta(raw: Mapping[str, Any], where: str) -> EncoderConfig:
    """Read RoBERTa and XLM-RoBERTa: positions from the padding id + 1, a head on the first state."""
    padding = raw.get("pad_token_id")
    if padding is None or padding < 0:
        raise InputError(f"{where}: key 'pad_token_id': positions are counted from it, so it cannot be {padding}")
    return _read_encoder(raw, where, head="roberta", position_offset=padding + 1)


roberta = architecture(f"{_KEYS} pad_token_id", idle=_IDLE, only=_ONLY, library="roberta", elsewhere=True)(
    _read_roberta
)
# also jina-reranker-v2, whose code runs the same body with FlashAttention's kernels; its keys are those of
# XLMRobertaFlashConfig (jinaai/xlm-roberta-flash-implementation, configuration_xlm_roberta.py)
xlm_roberta = architecture(
    f"{_KEYS} pad_token_id",
    idle=f"{_IDLE} lora_rank lora_alpha lora_dropout_p lora_main_params_trainable",
    only={
        **_ONLY,
        "lora_adaptations": (None,),
        "load_trained_adapters": (False, None),
        "emb_pooler": (None,),
        "matryoshka_dimensions": (None,),
        "truncate_dim": (None,),
    },
    code=(
        "configuration_xlm_roberta.XLMRobertaFlashConfig modeling_xlm_roberta.XLMRobertaForSequenceClassification "
        "modeling_xlm_roberta.XLMRobertaModel modeling_xlm_roberta.XLMRobertaPreTrainedModel "
        "modeling_xlm_roberta.XLMRobertaForMaskedLM"
    ),
    library="xlm-roberta",
    elsewhere=True,
)(_read_roberta)

BODIES = {"bert": bert, "roberta": roberta, "xlm-roberta": xlm_roberta}


def _read_encoder(raw: Mapping[str, Any], where: str, *, head: str, position_offset: int) -> EncoderConfig:
    if raw.get("position_embedding_type", "absolute") != "absolute":
        raise unread("position_embedding_type", raw["position_embedding_type"], where, "'absolute'")
    if raw.get("type_vocab_size", 2) == 0:
        raise unread("type_vocab_size", 0, where, "1 or more")
    classifier = any("SequenceClassification" in name for name in raw.get("architectures") or ())
    return EncoderConfig(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=raw["num_attention_heads"],
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        activation=read_activation(raw, "hidden_act", where, "gelu"),
        norm_eps=raw.get("layer_norm_eps", 1e-12),
        max_positions=raw["max_position_embeddings"],
        position_offset=position_offset,
        token_types=raw.get("type_vocab_size", 2),
        labels=count_labels(raw) if classifier else 0,
        head=head if classifier else "none",
    )
