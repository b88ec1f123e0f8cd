"""LLM reranker: the logit of `Yes` behind the last token of a causal language model (bge-reranker-v2-gemma)."""

from __future__ import annotations

from ..hub import Resolved
from ..options import LoadOptions, TextOptions
from ..spec import ModelSpec
from .decoder_family import DecoderFamily


class LlmReranker(DecoderFamily):
    """Reads one row of the vocabulary head: the first token of `Yes`, without a space before it."""

    adapter = "llm/1"
    model_types = ("gemma", "gemma2")
    default_prompt = "answer_yes_no"
    layer_heads = False

    def __init__(self, spec: ModelSpec, files: Resolved, options: LoadOptions):
        super().__init__(spec, files, options)
        self.yes = self.tokenizer.ids(["Yes"])[0][0]

    def head(self, layer: int) -> int:
        """The vocabulary row of `Yes`."""
        return self.yes

    def bos(self, text: TextOptions) -> list[int]:
        """BOS; the reference class leaves it out where the tokenizer has none or pads with it."""
        special = self.tokenizer.special
        if text.truncation == "class" and special.get("bos_token") in (None, special.get("pad_token")):
            return []
        return super().bos(text)
