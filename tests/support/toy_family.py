"""A family of another package: a decoder of Llama's kind, scored by the difference of two rows of its head.

The one file that a new architecture needs; registered by one line, here of an entry-point file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rerankbench.rerankers.families.decoder import DecoderFamily
from rerankbench.rerankers.models.config import DecoderConfig, decoder_matrices
from rerankbench.rerankers.prompting.template import PromptTemplate

if TYPE_CHECKING:
    from rerankbench.rerankers.adapters.decoder import DecoderAdapter
    from rerankbench.rerankers.models.decoder import Head


def toy(raw: Mapping[str, Any], where: str) -> DecoderConfig:
    """Llama without any extras."""
    matrices = decoder_matrices(raw, where)
    return DecoderConfig(**matrices, query_scale=matrices["head_dim"] ** -0.5)


class Toy(DecoderFamily):
    """Scores by the logit of `Yes` less that of the newline."""

    name = "toy"
    adapter = "toy/1"
    score = "logit of `Yes` less that of the newline"
    architectures = {"toy": toy}  # noqa: RUF012
    template = PromptTemplate(query="{query}", between="\n", passage="{passage}", after=("\n", "{instruction}"))
    wording = {"answer": "w1 w2"}  # noqa: RUF012
    layer_heads = False
    rows_needed = 2

    def head(self, adapter: DecoderAdapter, layer: int) -> Head:
        from rerankbench.rerankers.models.decoder import Head

        (yes,), (no,) = adapter.tokenizer.ids(["Yes", "\n"])
        return Head((yes, no), "difference")
