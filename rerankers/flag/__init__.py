"""FlagEmbedding's four reranker classes, run by this package: change the import line and keep the rest.

    from rerankbench.rerankers.flag import FlagReranker, FlagLLMReranker, LayerWiseFlagLLMReranker
    from rerankbench.rerankers.flag import LightWeightFlagLLMReranker

Keywords, defaults and the shapes of what comes back are those of FlagEmbedding 1.3.5. Differences: keywords other than
the model are by name only, an unknown one is an error, and one device is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..adapters.decoder import Pass
from ..adapters.encoder_classifier import EncoderClassifier
from ..families.cross_encoder import CrossEncoder
from ..families.layerwise import LayerwiseReranker
from ..families.lightweight import LightweightFamily
from ..families.llm import LlmReranker
from ..models.decoder import Readout
from ..models.output_rows import OutputRows
from ..settings import Setting
from .base import FlagBase, FlagDecoder, Pairs, Scores, log, refuse_unknown


class FlagReranker(FlagBase):
    """Cross-encoders: bge-reranker-base, -large, -v2-m3. Scores are logits, whatever sentence-transformers saved."""

    family = CrossEncoder()
    reranker: EncoderClassifier  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, model_name_or_path: str, **options: Any):
        super().__init__(model_name_or_path, **options)
        self.reranker.activation = torch.nn.Identity()

    def compute_score(
        self,
        sentence_pairs: Pairs,
        *,
        query_max_length: int | None = None,
        max_length: int | None = None,
        normalize: bool | None = None,
        **ignored: Any,
    ) -> Scores:
        """Return one score per pair; a single pair gives a list of one."""
        refuse_unknown(ignored, "compute_score", self.compute_score)
        groups, indices = self.groups(sentence_pairs)
        scored = self.reranker.score(groups, [Setting()], self.text_options(None, max_length, query_max_length))
        return self.finish(scored.scores, indices, normalize)[0]


class FlagLLMReranker(FlagDecoder):
    """The `Yes` logit of a causal language model: bge-reranker-v2-gemma."""

    family = LlmReranker()

    def compute_score(
        self,
        sentence_pairs: Pairs,
        *,
        query_max_length: int | None = None,
        max_length: int | None = None,
        prompt: str | None = None,
        normalize: bool | None = None,
        **ignored: Any,
    ) -> Scores:
        """Return one score per pair; a single pair gives a list of one."""
        refuse_unknown(ignored, "compute_score", self.compute_score)
        depth = self.reranker.config.layers
        text = self.text_options(self.prompt if prompt is None else prompt, max_length, query_max_length)
        return self.run(sentence_pairs, Pass(1, (), (Readout(depth, self.reranker.plan.rows[depth]),)), text, normalize)


class LayerWiseFlagLLMReranker(FlagDecoder):
    """MiniCPM with a head per layer: bge-reranker-v2-minicpm-layerwise.

    With neither `use_fp16` nor `use_bf16` the reference turns `use_fp16` on, and so does this class.
    """

    family = LayerwiseReranker()

    def __init__(
        self,
        model_name_or_path: str,
        *,
        cutoff_layers: Sequence[int] | int | None = None,
        heads_by_place: bool = True,
        use_fp16: bool = False,
        use_bf16: bool = False,
        **options: Any,
    ):
        super().__init__(model_name_or_path, use_fp16=use_fp16 or not use_bf16, use_bf16=use_bf16, **options)
        self.cutoff_layers, self.heads_by_place = cutoff_layers, heads_by_place

    def compute_score(
        self,
        sentence_pairs: Pairs,
        *,
        query_max_length: int | None = None,
        max_length: int | None = None,
        cutoff_layers: Sequence[int] | int | None = None,
        prompt: str | None = None,
        normalize: bool | None = None,
        **ignored: Any,
    ) -> Scores | list[Scores]:
        """Return one score per pair; with several cutoffs a list of that per kept layer, ascending.

        The released code pairs ascending layers with heads in the order of the list as given, so that a list that
        does not ascend swaps heads; with `heads_by_place=False` every layer has its own.
        """
        refuse_unknown(ignored, "compute_score", self.compute_score)
        given = self.select_cutoffs(self.cutoff_layers if cutoff_layers is None else cutoff_layers)
        layers = sorted(set(given))
        heads_of = given if self.heads_by_place else layers
        reads = tuple(Readout(layer, self.reranker.plan.rows[own]) for layer, own in zip(layers, heads_of))
        text = self.text_options(self.prompt if prompt is None else prompt, max_length, query_max_length)
        return self.run(sentence_pairs, Pass(1, (), reads), text, normalize)


class LightWeightFlagLLMReranker(FlagDecoder):
    """Gemma-2 with layerwise heads and token compression: bge-reranker-v2.5-gemma2-lightweight."""

    family = LightweightFamily()

    def __init__(
        self,
        model_name_or_path: str,
        *,
        cutoff_layers: Sequence[int] | int | None = None,
        compress_layers: Sequence[int] = (8,),
        compress_ratio: int = 1,
        **options: Any,
    ):
        super().__init__(model_name_or_path, **options)
        self.cutoff_layers, self.compress_layers, self.compress_ratio = cutoff_layers, compress_layers, compress_ratio

    def compute_score(
        self,
        sentence_pairs: Pairs,
        *,
        query_max_length: int | None = None,
        max_length: int | None = None,
        cutoff_layers: Sequence[int] | int | None = None,
        compress_layer: Sequence[int] | None = None,
        compress_layers: Sequence[int] | None = None,
        compress_ratio: int | None = None,
        prompt: str | None = None,
        normalize: bool | None = None,
        **ignored: Any,
    ) -> Scores | list[Scores]:
        """Return one score per pair; with several cutoffs a list of that per kept layer, ascending.

        `compress_layer` is the older name of `compress_layers` and wins over it. The released code takes the head by
        the position of a layer among the selected ones, unless the family's options give every layer its own.
        """
        refuse_unknown(ignored, "compute_score", self.compute_score)
        layers = sorted(set(self.select_cutoffs(self.cutoff_layers if cutoff_layers is None else cutoff_layers)))
        named = compress_layer if compress_layer is not None else compress_layers
        compression = Setting(
            layers[-1],
            self.compress_ratio if compress_ratio is None else compress_ratio,
            tuple(self.compress_layers if named is None else named),
        )
        for warning in self.reranker.check(compression):
            log.warning("%s", warning)
        by_place, rows = self.family.choose(self.reranker.spec).uses_first_head, self.reranker.plan.rows
        reads = tuple(Readout(layer, OutputRows((i,)) if by_place else rows[layer]) for i, layer in enumerate(layers))
        text = self.text_options(self.prompt if prompt is None else prompt, max_length, query_max_length)
        return self.run(sentence_pairs, Pass(*compression.compression, reads), text, normalize)
