"""Lightweight reranker: Gemma-2 with layerwise heads and token compression (bge-reranker-v2.5-gemma2-lightweight)."""

from __future__ import annotations

from .decoder_family import DecoderFamily


class LightweightReranker(DecoderFamily):
    """Has two policies where the released code differs from its configuration; see docs/footguns.md."""

    adapter = "lightweight/1"
    model_types = ("cost_wise_gemma",)
    default_prompt = "answer"
    compresses = True

    def head(self, layer: int) -> int:
        """`released`: the first head, as the released code picks by position in the list of cutoffs asked for."""
        return 0 if self.options.head_policy == "released" else self.config.head_layers.index(layer)

    def applies_softcap(self) -> bool:
        """`released`: no, because its default attention (SDPA) silently leaves the cap out."""
        return self.options.attention_softcap == "config"

    def policies(self) -> dict[str, str]:
        """Both policies."""
        return {"head_policy": self.options.head_policy, "attention_softcap": self.options.attention_softcap}
