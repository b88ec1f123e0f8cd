"""Cross-encoders: XLM-RoBERTa and BERT sequence classifiers with one output (bge-reranker-base, -large, -v2-m3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import FamilyOptions, is_classifier, is_plain
from ..flops import Shape
from ..models.config import EncoderConfig, model_type
from ..options import LoadOptions
from ..spec import ModelSpec
from .encoder import EncoderFamily
from .pairs import PairOptions, pair_plan, refuse_other_heads

if TYPE_CHECKING:
    from ..adapters.encoder_classifier import EncoderClassifier


class CrossEncoder(EncoderFamily):
    """A sequence classifier that reads query and passage together; only the full depth has a head."""

    name = "cross-encoder"
    adapter = "cross-encoder/2"
    score = "classification head on the first token"
    options = PairOptions

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; what the reader does not obey is left to transformers."""
        return model_type(raw) in self.architectures and is_classifier(raw) and is_plain(saved) and self.obeys(raw)

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> Shape:
        """See `Family.shape`; the head is dense d x d, then d x labels, on the first token."""
        return classifier_shape(self, self.config(raw, where), where)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> EncoderClassifier:
        """See `Family.load`."""
        from ..adapters.device import Placement
        from ..adapters.encoder_classifier import EncoderClassifier
        from ..models.encoder import Encoder
        from ..tokenization.encoder_pairs import check_types
        from ..tokenization.tokenizer import Tokenizer

        where, placement = str(files.folder / "config.json"), Placement.of(options)
        config, tokenizer = self.config(files.config, where), Tokenizer(files.folder, lower_case=files.saved.lower_case)
        refuse_other_heads(self, files, config)
        shape = classifier_shape(self, config, where)
        most, ids = config.positions, config.vocab
        plan = pair_plan(self, spec, files, tokenizer, positions=most, ids=ids, shape=shape)
        check_types(tokenizer, tokenizer.pair_template(), config.token_types)
        encoder = Encoder.load(files.folder, config, placement.precision.dtype, placement.device)
        return EncoderClassifier(plan, files, tokenizer, placement, encoder)


def classifier_shape(family: EncoderFamily, config: EncoderConfig, where: str) -> Shape:
    """Return the shape of an encoder with a classification head."""
    if config.head == "none":
        raise InputError(f"{where}: the config has no classification head (see its key 'architectures')")
    head = 2 * config.hidden * (config.hidden + config.labels)
    return Shape(
        layers=config.layers,
        layer=family.layer_cost(config),
        cutoffs=range(config.layers, config.layers + 1),
        head_per_pair=head,
        head_needed=head,
    )
