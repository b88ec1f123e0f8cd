"""Set-Encoder (Schlatt et al., ECIR 2025) as lightning-ir saves it: BERT or ELECTRA whose documents see each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..models.config import EncoderConfig
from .bert import bert
from .keys import architecture, unread

_OWN = "backbone_model_type depth add_extra_token sample_missing_docs query_length doc_length"
# ELECTRA's pooling of other tasks, and files that lightning-ir writes beside the weights
_IDLE = (
    "summary_activation summary_last_dropout summary_type summary_use_proj tokenizer_pattern tie_word_embeddings "
    "generator_size"
)


@dataclass(frozen=True)
class SetConfig:
    """A body whose sequences attend to one marked state of each other sequence, and how its texts are cut.

    Attributes:
        body: the encoder.
        depth: most passages of a list.
        mark: place of the state that other passages see.
        full: whether the publisher's code fills a shorter list up with random states.
        query_length, passage_length: most tokens of each text; None: any number.
    """

    body: EncoderConfig
    depth: int
    mark: int
    full: bool
    query_length: int | None
    passage_length: int | None


@architecture(
    f"{_OWN} embedding_size num_hidden_layers hidden_size num_attention_heads intermediate_size vocab_size hidden_act "
    "layer_norm_eps max_position_embeddings type_vocab_size position_embedding_type",
    idle=_IDLE,
    only={
        "_bert_pool": (False, None),
        "pooling_strategy": ("first",),
        "linear_bias": (False,),
        "scoring_strategy": ("rank",),
        "use_adapter": (False, None),
        "adapter_config": (None,),
        "pretrained_adapter_name_or_path": (None,),
    },
)
def set_encoder(raw: Mapping[str, Any], where: str) -> SetConfig:
    """Read the body and the list's rules; what lightning-ir writes by default may be left out."""
    if raw.get("backbone_model_type", "bert") not in ("bert", "electra"):
        raise unread("backbone_model_type", raw["backbone_model_type"], where, "'bert' and 'electra'")
    if raw.get("embedding_size") not in (None, raw["hidden_size"]):
        raise unread("embedding_size", raw["embedding_size"], where, "that of hidden_size")
    if raw.get("type_vocab_size", 2) < 2:
        raise unread("type_vocab_size", raw["type_vocab_size"], where, "2 or more")
    depth = raw.get("depth", 100)
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise InputError(f"{where}: key 'depth': expected 1 or more, found {depth!r:.40}")
    return SetConfig(
        body=bert.read({**raw, "architectures": ()}, where),
        depth=depth,
        mark=1 if raw.get("add_extra_token", False) else 0,
        full=bool(raw.get("sample_missing_docs", True)),
        query_length=_read_length(raw, "query_length", 32, where),
        passage_length=_read_length(raw, "doc_length", 512, where),
    )


def _read_length(raw: Mapping[str, Any], key: str, default: int, where: str) -> int | None:
    length = dict(raw).get(key, default)  # null: no limit
    if length is not None and (isinstance(length, bool) or not isinstance(length, int) or length < 1):
        raise InputError(f"{where}: key '{key}': expected 1 or more, found {length!r:.40}")
    return length
