"""Layerwise reranker: MiniCPM with an output head after every layer from the start layer on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..architectures.minicpm import minicpm
from ..models.config import DecoderConfig
from ..models.output_rows import OutputRows
from ..spec import ModelSpec
from .decoder import DecoderFamily, FlagOptions
from .llm import LlmReranker

if TYPE_CHECKING:
    from ..tokenization.tokenizer import Tokenizer


class LayerwiseReranker(DecoderFamily):
    """The head of the cutoff layer scores it (bge-reranker-v2-minicpm-layerwise)."""

    name = "layerwise"
    adapter = "layerwise/1"
    score = "scalar head of the cutoff layer"
    options = FlagOptions
    architectures = {"minicpm": minicpm}
    wording = LlmReranker.wording

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        """Return the place of the layer among those that have a head."""
        return OutputRows((config.head_layers.index(layer),))
