"""LLM reranker: the logit of `Yes` after the last token of a causal language model (bge-reranker-v2-gemma)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..architectures.gemma import gemma, gemma2
from ..options import ResolvedText
from .decoder import DecoderFamily

if TYPE_CHECKING:
    from ..adapters.decoder import DecoderAdapter
    from ..models.decoder import Head


class LlmReranker(DecoderFamily):
    """Reads one row of the vocabulary head: the first token of `Yes`, without a space before it."""

    name = "llm"
    adapter = "llm/1"
    score = "logit of `Yes`"
    architectures = {"gemma": gemma, "gemma2": gemma2}
    # the first is FlagEmbedding's default; for the other tasks only the lightweight model's sentences are published
    wording = {
        "answer": "answer_yes_no",
        "contradiction": "contradiction",
        "same_question": "same_question",
        "same_meaning": "same_meaning",
    }
    layer_heads = False

    def head(self, adapter: DecoderAdapter, layer: int) -> Head:
        """The vocabulary row of `Yes`."""
        from ..models.decoder import Head

        return Head((adapter.tokenizer.ids(["Yes"])[0][0],))

    def begin(self, adapter: DecoderAdapter, text: ResolvedText) -> list[int]:
        """BOS; the reference class leaves it out where the tokenizer has none or pads with it."""
        special = adapter.tokenizer.special
        if text.truncation == "class" and special.get("bos_token") in (None, special.get("pad_token")):
            return []
        return super().begin(adapter, text)
