"""Any other sequence classifier with one output, run by transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import FamilyOptions, is_classifier, is_plain
from ..flops import Shape
from ..models.config import model_type
from ..options import LoadOptions
from ..spec import ModelSpec
from .cross_encoder import classifier_shape
from .encoder import EncoderFamily
from .pairs import PairOptions, pair_plan, refuse_text_encoders

if TYPE_CHECKING:
    from ..adapters.transformers_classifier import TransformersClassifier


class SequenceClassification(EncoderFamily):
    """Every model type that transformers knows; PyTorch counts FLOPs of bodies that no reader here describes."""

    name = "sequence-classification"
    adapter = "sequence-classification/3"
    score = "the model's own"
    options = PairOptions

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`."""
        return saved.kind != "SentenceTransformer" and (is_classifier(raw) or not is_plain(saved))

    def shape(
        self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None
    ) -> Shape | None:
        """See `Family.shape`."""
        if model_type(raw) in self.architectures and self.obeys(raw):
            return classifier_shape(self, self.config(raw, where), where)
        if not is_classifier(raw) or "auto_map" in raw or "quantization_config" in raw:
            return None  # another head, code of the repository, or products that no counter sees
        from ..adapters.counted_body import classifier_shape_of

        return classifier_shape_of(raw)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> TransformersClassifier:
        """See `Family.load`."""
        from ..adapters.device import Placement
        from ..adapters.transformers_classifier import TransformersClassifier
        from ..adapters.transformers_models import embedding_rows, load_model, positions
        from ..tokenization.tokenizer import Tokenizer

        placement = Placement.of(options, native=False)
        tokenizer = Tokenizer(files.folder, lower_case=files.saved.lower_case)
        refuse_text_encoders(files)
        try:
            model, read = load_model(spec, files, placement.precision.dtype, placement.device)
            recipe = {"trust_remote_code": spec.trust_remote_code}
            most, ids = positions(model), embedding_rows(model)
            shape = self.shape(files.config, str(files.folder / "config.json")) if is_plain(files.saved) else None
            plan = pair_plan(self, spec, files, tokenizer, positions=most, ids=ids, shape=shape, recipe=recipe)
            return TransformersClassifier(plan, files, tokenizer, placement, model, read)
        except InputError as err:
            if model_type(files.config) in self.architectures:  # what its reader does not obey is the cause
                self.config(files.config, str(files.folder / "config.json"))
            raise err
