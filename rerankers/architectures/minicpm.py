"""MiniCPM (arXiv 2404.06395), as the code beside BAAI's layerwise model reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..models.config import DecoderConfig, decoder_matrices, layer_heads


def minicpm(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """MiniCPM, with a scalar head after layers from `start_layer` on where `head_multi` says so."""
    matrices = decoder_matrices(raw, where)
    if matrices["rope"].kind != "default":
        raise InputError(f"{where}: rotary scaling '{matrices['rope'].kind}' is not implemented for MiniCPM")
    return DecoderConfig(
        **matrices,
        query_scale=matrices["head_dim"] ** -0.5,
        embedding_scale=float(raw.get("scale_emb", 1)),
        residual_scale=raw.get("scale_depth", 1.0) / math.sqrt(matrices["layers"]),
        logit_scale=raw.get("dim_model_base", matrices["hidden"]) / matrices["hidden"],
        **layer_heads(raw, bool(raw.get("head_multi", "start_layer" in raw)), where),
    )
