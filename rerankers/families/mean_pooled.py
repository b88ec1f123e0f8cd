"""Mean-pooled decoders: no causal mask, and one linear row on the mean of the last states (llama-nemotron-rerank)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..architectures.llama import llama_bidirectional
from ..checkpoint.sentence_transformers import StFolder
from ..family import FamilyOptions
from ..flops import Shape
from ..models.config import DecoderConfig
from ..models.output_rows import OutputRows
from ..spec import ModelSpec
from .templated import TemplatedFamily

if TYPE_CHECKING:
    from ..tokenization.tokenizer import Tokenizer


class MeanPooled(TemplatedFamily):
    """A decoder's body that reads in both directions, with a classifier of one row."""

    name = "mean-pooled"
    adapter = "mean-pooled/1"
    score = "linear row on the mean of the last states"
    architectures = {"llama_bidirec": llama_bidirectional}

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; the template has to be written."""
        return False

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> Shape:
        """See `Family.shape`; the head runs once per pair, on all tokens of the last layer."""
        shape, head = super().shape(raw, where, options), 2 * raw["hidden_size"]
        return replace(shape, head_per_position=0, head_per_pair=head, head_needed=head, causal=False, pools=True)

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        """Return the only row."""
        return OutputRows((0,))
