"""Lightweight reranker: Gemma-2 with layerwise heads and token compression (bge-reranker-v2.5-gemma2-lightweight)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from ..adapters.plans import DecoderPlan
from ..architectures.gemma import cost_wise_gemma
from ..checkpoint.hub import Resolved
from ..models.config import DecoderConfig
from ..models.output_rows import OutputRows
from ..spec import ModelSpec
from .decoder import DecoderFamily, FlagOptions

if TYPE_CHECKING:
    from ..tokenization.tokenizer import Tokenizer


class LightweightOptions(FlagOptions):
    """Two options where the released code differs from its configuration; see docs/models.md."""

    policies = ("head_policy", "attention_softcap")
    head_policy: Literal["released", "by_layer"] = Field(
        default="released",
        description="which output head scores a cutoff layer. released: always the first, which the released code uses "
        "for a cutoff that is requested alone (it takes heads by position in the requested list); by_layer: the head "
        "trained for that layer",
    )
    attention_softcap: Literal["released", "config"] = Field(
        default="released",
        description="released: the configured cap on attention scores is left out, as the released code's default "
        "attention (SDPA) does; config: it is applied",
    )

    @property
    def uses_first_head(self) -> bool:
        """Whether every cutoff is scored by the first head."""
        return self.head_policy == "released"


class LightweightFamily(DecoderFamily):
    """Gemma-2 with a scalar head after each cutoff layer, token compression, and the two options above."""

    name = "lightweight"
    adapter = "lightweight/1"
    score = "scalar head; which one is `head_policy`"
    options = LightweightOptions
    architectures = {"cost_wise_gemma": cost_wise_gemma}
    # the instructions it was trained with, by their keys in configs/prompts.yaml (its card)
    wording = {task: task for task in ("answer", "contradiction", "same_question", "same_meaning")}
    compresses = True

    def plan(self, spec: ModelSpec, files: Resolved, tokenizer: Tokenizer) -> DecoderPlan:
        """See `DecoderFamily.plan`."""
        capped = self.choose(spec).attention_softcap == "config"
        return replace(super().plan(spec, files, tokenizer), softcap=capped)

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        """Return the row of a cutoff's output head: the first one, or the layer's own; see `head_policy`."""
        return OutputRows((0 if self.choose(spec).uses_first_head else config.head_layers.index(layer),))

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return both options: each changes scores, so both are in the identity."""
        options = self.choose(spec)
        return {name: getattr(options, name) for name in options.policies}
