"""Bi-encoders: cosine of the pooled states of query and passage, each read alone (all-MiniLM-L6-v2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ..adapters.plans import TextPlan
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import FamilyOptions, is_classifier, is_plain
from ..flops import Shape
from ..models.config import model_type
from ..options import LoadOptions
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec
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

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> Shape:
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

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`; limits are of each text, and a query's is not shorter by default."""
        refused = {"truncation": "each text is cut by itself, in one way"}
        return replace(super().text_rules(spec), query_share=Fraction(1), refused=refused)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> TextEncoder:
        """See `Family.load`; the shape counts the modules after the encoder."""
        from ..adapters.device import Placement
        from ..adapters.text_encoder import TextEncoder
        from ..models.encoder import Encoder
        from ..models.heads import read_head
        from ..tokenization.encoder_pairs import check_types
        from ..tokenization.lengths import with_length
        from ..tokenization.tokenizer import Tokenizer

        where, saved, placement = str(files.folder / "config.json"), files.saved, Placement.of(options)
        config, tokenizer = self.config(files.config, where), Tokenizer(files.folder, lower_case=saved.lower_case)
        if config.labels:
            raise InputError(f"{where}: the family {self.name} needs an encoder without a classification head")
        if saved.kind == "CrossEncoder" or saved.task != "feature-extraction":
            raise InputError(
                f"{files.root}: a cross-encoder of sentence-transformers, which the family {self.name} does not run"
            )
        template = tokenizer.single_template()
        spec = with_length(spec, saved, tokenizer, config.positions, template.special)
        check_types(tokenizer, template, config.token_types)
        head = read_head(saved.modules, config.hidden, placement.device)
        width = min(saved.truncate_dim or head.width, head.width)
        per_pair = 2 * width + 2 * sum(2 * a * b for a, b in head.dense)  # a dot product; each text's matrices
        shape = replace(self.shape(files.config, where), head_per_pair=per_pair, head_needed=per_pair)
        plan = TextPlan(self.adapter, spec, self.text_rules(spec), config, shape, width)
        encoder = Encoder.load(files.folder, config, placement.precision.dtype, placement.device)
        return TextEncoder(plan, files, tokenizer, placement, encoder, head)
