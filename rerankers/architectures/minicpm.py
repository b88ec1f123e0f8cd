"""MiniCPM (arXiv 2404.06395), as the code beside BAAI's layerwise model reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..models.config import DECODER_KEYS, DecoderConfig, decoder_matrices, layer_heads
from .keys import architecture, unread


@architecture(
    f"{DECODER_KEYS} hidden_act scale_emb scale_depth dim_model_base head_multi head_type start_layer layer_sep",
    only={"is_causal": (True,)},
    # BAAI/bge-reranker-v2-minicpm-layerwise
    code=(
        "configuration_minicpm_reranker.LayerWiseMiniCPMConfig modeling_minicpm_reranker.LayerWiseMiniCPMModel "
        "modeling_minicpm_reranker.LayerWiseMiniCPMForCausalLM"
    ),
)
def minicpm(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Read MiniCPM, with a scalar head after layers from `start_layer` on where `head_multi` is true."""
    matrices = decoder_matrices(raw, where)
    if matrices["rope"].kind != "default":
        raise unread("rope_scaling", matrices["rope"].kind, where, "'default' for MiniCPM")
    return DecoderConfig(
        **matrices,
        query_scale=matrices["head_dim"] ** -0.5,
        embedding_scale=float(raw.get("scale_emb", 1)),
        residual_scale=raw.get("scale_depth", 1.0) / math.sqrt(matrices["layers"]),
        logit_scale=raw.get("dim_model_base", matrices["hidden"]) / matrices["hidden"],
        **layer_heads(raw, bool(raw.get("head_multi", "start_layer" in raw)), where),
    )
