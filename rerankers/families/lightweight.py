"""Lightweight reranker: Gemma-2 with layerwise heads and token compression (bge-reranker-v2.5-gemma2-lightweight)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..architectures.gemma import cost_wise_gemma
from ..options import LoadOptions
from .decoder import DecoderFamily

if TYPE_CHECKING:
    from ..adapters.decoder import DecoderAdapter
    from ..models.decoder import Head


class LightweightReranker(DecoderFamily):
    """Has two policies where the released code differs from its configuration; see docs/footguns.md."""

    name = "lightweight"
    adapter = "lightweight/1"
    score = "scalar head; which one is `head_policy`"
    architectures = {"cost_wise_gemma": cost_wise_gemma}
    # the four that it was trained with (its card)
    wording = {task: task for task in ("answer", "contradiction", "same_question", "same_meaning")}
    compresses = True

    def head(self, adapter: DecoderAdapter, layer: int) -> Head:
        """`released`: the first head, as the released code picks by position in the list of cutoffs asked for."""
        from ..models.decoder import Head

        released = adapter.options.head_policy == "released"
        return Head((0 if released else adapter.config.head_layers.index(layer),))

    def applies_softcap(self, options: LoadOptions) -> bool:
        """`released`: no, because its default attention (SDPA) silently leaves the cap out."""
        return options.attention_softcap == "config"

    def under(self, reranker: DecoderAdapter, options: LoadOptions) -> DecoderAdapter:  # pyright: ignore
        """See `Family.under`."""
        return reranker.under(options)

    def policies(self, options: LoadOptions) -> dict[str, str]:
        """Both policies."""
        return {"head_policy": options.head_policy, "attention_softcap": options.attention_softcap}
