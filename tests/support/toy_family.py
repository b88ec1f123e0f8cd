"""A family of another package: a decoder of Llama's kind with a template and a policy of its own.

The one file that a new architecture needs; registered by one line, here of an entry-point file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from rerankbench.rerankers.extend import (
    DecoderConfig,
    DecoderFamily,
    DecoderOptions,
    ModelSpec,
    OutputRows,
    PromptTemplate,
    Tokenizer,
    decoder_matrices,
)


def toy(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Llama without any extras."""
    matrices = decoder_matrices(raw, where)
    return DecoderConfig(**matrices, query_scale=matrices["head_dim"] ** -0.5)


class ToyOptions(DecoderOptions):
    """What is the family's own."""

    policies = ("sign",)
    sign: Literal["yes", "newline"] = Field(default="yes", description="which of the two tokens counts for a match")


class Toy(DecoderFamily):
    """Scores by the logit of `Yes` less that of the newline."""

    name = "toy"
    adapter = "toy/1"
    score = "logit of `Yes` less that of the newline"
    options = ToyOptions
    architectures = {"toy": toy}  # noqa: RUF012
    template = PromptTemplate(query="{query}", between="\n", passage="{passage}", after=("\n", "{instruction}"))
    wording = {"answer": "w1 w2"}  # noqa: RUF012
    layer_heads = False
    rows_needed = 2

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        (yes,), (newline,) = tokenizer.ids(["Yes", "\n"])
        positive = self.choose(spec).sign == "yes"
        return OutputRows((yes, newline) if positive else (newline, yes), "difference")

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        return {**super().recipe(spec), "sign": self.choose(spec).sign}
