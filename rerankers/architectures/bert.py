"""BERT (arXiv 1810.04805) and its descendants with the same body: RoBERTa and XLM-RoBERTa."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models.config import EncoderConfig, read_activation


def bert(raw: Mapping[str, Any], where: str) -> EncoderConfig:
    """BERT: positions from 0, a pooler before the classifier."""
    return _encoder(raw, where, head="bert", position_offset=0)


def roberta(raw: Mapping[str, Any], where: str) -> EncoderConfig:
    """RoBERTa and XLM-RoBERTa: positions from the padding id + 1, a head on the first state."""
    padding = raw.get("pad_token_id")
    if padding is None or padding < 0:
        raise InputError(f"{where}: key 'pad_token_id': positions are counted from it, so it cannot be {padding}")
    return _encoder(raw, where, head="roberta", position_offset=padding + 1)


BODIES = {"bert": bert, "roberta": roberta, "xlm-roberta": roberta}


def _encoder(raw: Mapping[str, Any], where: str, *, head: str, position_offset: int) -> EncoderConfig:
    if raw.get("position_embedding_type", "absolute") != "absolute":
        raise InputError(f"{where}: position_embedding_type '{raw['position_embedding_type']}' is not implemented")
    classifier = any("SequenceClassification" in name for name in raw.get("architectures") or ())
    labels = raw.get("num_labels") or len(raw.get("id2label") or {0: "", 1: ""})
    return EncoderConfig(
        layers=raw["num_hidden_layers"],
        hidden=raw["hidden_size"],
        heads=raw["num_attention_heads"],
        intermediate=raw["intermediate_size"],
        vocab=raw["vocab_size"],
        activation=read_activation(raw.get("hidden_act", "gelu"), where),
        norm_eps=raw.get("layer_norm_eps", 1e-12),
        max_positions=raw["max_position_embeddings"],
        position_offset=position_offset,
        token_types=raw.get("type_vocab_size", 2),
        labels=labels if classifier else 0,
        head=head if classifier else "none",
    )
