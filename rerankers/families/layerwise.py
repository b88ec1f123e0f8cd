"""Layerwise reranker: MiniCPM with an output head after every layer from the start layer on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..architectures.minicpm import minicpm
from .decoder import DecoderFamily
from .llm import LlmReranker

if TYPE_CHECKING:
    from ..adapters.decoder import DecoderAdapter
    from ..models.decoder import Head


class LayerwiseReranker(DecoderFamily):
    """The head of the cutoff layer scores it (bge-reranker-v2-minicpm-layerwise)."""

    name = "layerwise"
    adapter = "layerwise/1"
    score = "scalar head of the cutoff layer"
    architectures = {"minicpm": minicpm}
    wording = LlmReranker.wording

    def head(self, adapter: DecoderAdapter, layer: int) -> Head:
        """The place of the layer among those that have a head."""
        from ..models.decoder import Head

        return Head((adapter.config.head_layers.index(layer),))
