"""Bi-encoders: cosine of the pooled states of query and passage, each read alone (all-MiniLM-L6-v2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..family import is_classifier, is_plain
from ..flops import Shape
from ..models.config import model_type
from ..options import LoadOptions, ResolvedText, TextOptions
from ..spec import DEFAULT_LENGTH, ModelSpec
from .encoder import EncoderFamily

if TYPE_CHECKING:
    from ..adapters.text_encoder import TextEncoder


class BiEncoder(EncoderFamily):
    """A text encoder used as a reranker. A cutoff layer pools the states after that layer."""

    name = "bi-encoder"
    adapter = "bi-encoder/2"
    score = "similarity of pooled states"

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`."""
        text_encoder = saved.kind == "SentenceTransformer" or (is_plain(saved) and not is_classifier(raw))
        return model_type(raw) in self.architectures and text_encoder

    def shape(self, raw: Mapping[str, Any], where: str = "config.json") -> Shape:
        """See `Family.shape`; after each text's pass there is one dot product."""
        config = self.config(raw, where)
        dot = 2 * config.hidden
        return Shape(
            layers=config.layers,
            layer=self.layer_cost(config),
            cutoffs=range(1, config.layers + 1),
            head_per_pair=dot,
            head_needed=dot,
            apart=True,
            pools=True,
        )

    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText:
        """See `Family.resolve`; limits are of each text, and a query's is not shorter by default."""
        self.refuse_prompt(spec, text)
        length = text.max_length or spec.max_length or DEFAULT_LENGTH
        return ResolvedText("", length, text.query_max_length or length, self.truncation)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> TextEncoder:
        """See `Family.load`."""
        from ..adapters.text_encoder import TextEncoder

        return TextEncoder(self, spec, files, options)
