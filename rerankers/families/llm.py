"""LLM reranker: the logit of `Yes` after the last token of a causal language model (bge-reranker-v2-gemma)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..architectures.gemma import gemma, gemma2
from ..models.config import DecoderConfig
from ..models.output_rows import OutputRows
from ..options import Truncation
from ..spec import ModelSpec
from .decoder import DecoderFamily, FlagOptions, LogitLens

if TYPE_CHECKING:
    from ..tokenization.tokenizer import Tokenizer


class LlmOptions(FlagOptions, LogitLens):
    """Texts and cutoffs."""


class LlmReranker(DecoderFamily):
    """Reads one row of the vocabulary head: the first token of `Yes`, without a space before it."""

    name = "llm"
    adapter = "llm/2"
    score = "logit of `Yes`"
    options = LlmOptions
    architectures = {"gemma": gemma, "gemma2": gemma2}
    # the first is FlagEmbedding's default; for the other tasks only the lightweight model's sentences are published
    wording = {
        "answer": "answer_yes_no",
        "contradiction": "contradiction",
        "same_question": "same_question",
        "same_meaning": "same_meaning",
    }
    layer_heads = False

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        """Return the vocabulary row of `Yes`."""
        return OutputRows((tokenizer.ids(["Yes"])[0][0],))

    def begin(self, spec: ModelSpec, tokenizer: Tokenizer) -> dict[Truncation, tuple[int, ...]]:
        """Return BOS; the reference class leaves it out where the tokenizer has none or pads with it."""
        special = tokenizer.special
        if special.get("bos_token") is None:
            return {"class": ()}
        begin = super().begin(spec, tokenizer)
        return {**begin, "class": ()} if special["bos_token"] == special.get("pad_token") else begin
