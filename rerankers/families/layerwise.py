"""Layerwise reranker: MiniCPM with an output head behind every layer from the start layer on."""

from __future__ import annotations

from .decoder_family import DecoderFamily


class LayerwiseReranker(DecoderFamily):
    """The head of the cutoff layer scores it (bge-reranker-v2-minicpm-layerwise)."""

    adapter = "layerwise/1"
    model_types = ("minicpm",)
    default_prompt = "answer_yes_no"

    def head(self, layer: int) -> int:
        """The place of the layer among those that have a head."""
        return self.config.head_layers.index(layer)
