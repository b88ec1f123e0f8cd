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
    """Two policies where the released code differs from its configuration; see docs/footguns.md."""

    policies = ("head_policy", "attention_softcap")
    head_policy: Literal["released", "by_layer"] = Field(
        default="released",
        description="which output head scores a cutoff layer. released: the one at the layer's place in the list of "
        "cutoffs asked for, as the released code picks it; by_layer: the layer's own",
    )
    attention_softcap: Literal["released", "config"] = Field(
        default="released",
        description="released: the configured cap on attention scores is left out, as the released code's default "
        "attention (SDPA) does; config: it is applied",
    )

    @property
    def heads_by_place(self) -> bool:
        """Whether the head of a cutoff is the one at its place in the list."""
        return self.head_policy == "released"


class LightweightReranker(DecoderFamily):
    """A scalar head after each cutoff layer, and two policies."""

    name = "lightweight"
    adapter = "lightweight/1"
    score = "scalar head; which one is `head_policy`"
    options = LightweightOptions
    architectures = {"cost_wise_gemma": cost_wise_gemma}
    # the four that it was trained with (its card)
    wording = {task: task for task in ("answer", "contradiction", "same_question", "same_meaning")}
    compresses = True

    def plan(self, spec: ModelSpec, files: Resolved, tokenizer: Tokenizer) -> DecoderPlan:
        """See `DecoderFamily.plan`."""
        capped = self.choose(spec).attention_softcap == "config"
        return replace(super().plan(spec, files, tokenizer), softcap=capped)

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        """Return a single cutoff has the first place of the released code's list."""
        return OutputRows((0 if self.choose(spec).heads_by_place else config.head_layers.index(layer),))

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return both policies."""
        options = self.choose(spec)
        return {name: getattr(options, name) for name in options.policies}
