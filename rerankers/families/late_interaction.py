"""Late interaction: a vector for each token, and for each token of the query its best match in the passage (ColBERT).

Checkpoints of PyLate and of sentence-transformers' MultiVectorEncoder, their encoder run by transformers. The score is
MaxSim (Khattab and Zaharia 2020): the sum over the query's tokens of the largest product with one of the passage's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ..adapters.plans import TokensPlan
from ..architectures.bert import BODIES
from ..architectures.modernbert import modernbert
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..checkpoint.token_vectors import KIND
from ..errors import InputError
from ..family import Family, FamilyOptions
from ..flops import LayerCost, Shape
from ..models.modern_config import MODULES, ModernConfig
from ..options import LoadOptions
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..adapters.token_vectors import TokenVectorReranker


class LateInteraction(Family):
    """A text encoder whose vectors of tokens are compared; only the full depth has a projection."""

    name = "late-interaction"
    adapter = "late-interaction/1"
    score = "sum over query tokens of the best match in the passage"
    architectures = {**BODIES, "modernbert": modernbert}  # whose FLOPs have a formula; transformers runs others, too

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`."""
        return saved.kind == KIND

    def shape(
        self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None
    ) -> Shape | None:
        """See `Family.shape`; the encoder's layers are taken as one with the projection.

        None where they cannot be counted, and where no projection is stated (key `modules_dense`, which a folder has
        itself).
        """
        matrices = raw.get(MODULES)
        if not matrices or "auto_map" in raw or "quantization_config" in raw:
            return None
        terms = self._count_body(raw, where)
        if terms is None:
            return None
        once, token, square = terms
        projection = 2 * sum(rows * columns for rows, columns in matrices)
        return Shape(
            layers=1,
            layer=LayerCost(keys=0, rest=token + projection, attention=square),
            cutoffs=range(1, 2),
            head_per_pair=2 * once,
            head_needed=2 * once,
            apart=True,
            pools=True,
            across=2 * matrices[-1][1],
        )

    def _count_body(self, raw: Mapping[str, Any], where: str) -> tuple[int, int, int] | None:
        """Return (a, b, c) of a + b n + c n^2, the encoder's FLOPs over n tokens; PyTorch counts what no reader obeys.

        BERT's pooler on the first token runs in the publisher's library, too, whatever becomes of it.
        """
        if raw.get("model_type") not in self.architectures or not self.obeys(raw):
            from ..adapters.counted_body import body_terms_of

            return body_terms_of(raw)
        config = self.config(raw, where)
        d, modern = config.hidden, isinstance(config, ModernConfig)
        layer = LayerCost.of(hidden=d, queries=d, keys=d, mlp=(3 if modern else 2) * d * config.intermediate)
        return 0 if modern else 2 * d * d, config.layers * layer.per_token, config.layers * layer.attention

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`; limits are of each text."""
        refused = {"truncation": "each text is cut by itself, in one way"}
        return replace(super().text_rules(spec), query_share=Fraction(1), refused=refused)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> TokenVectorReranker:
        """See `Family.load`."""
        from ..adapters.device import Placement
        from ..adapters.token_vectors import TokenVectorReranker, read_projection
        from ..adapters.transformers_models import load_class, positions, text_config
        from ..tokenization.lengths import with_length
        from ..tokenization.tokenizer import Tokenizer

        saved, placement = files.saved, Placement.of(options, native=False)
        vectors = saved.token_vectors
        if vectors is None:
            raise InputError(f"{files.root}: no model with a vector for each token, as PyLate saves one")
        if saved.task != "feature-extraction" or saved.chat is not None or saved.default_prompt or saved.truncate_dim:
            raise InputError(f"{files.root}: another task, a chat template, default_prompt_name or truncate_dim")
        tokenizer = Tokenizer(files.folder, lower_case=saved.lower_case)
        model = load_class(spec, files, placement.precision.dtype, "Body").to(placement.device).eval()
        most = positions(model)
        spec = with_length(spec, saved, tokenizer, most, tokenizer.single_template().special)
        hidden = getattr(text_config(model), "hidden_size", None)
        if not isinstance(hidden, int):
            raise InputError(f"{files.folder / 'config.json'}: states no hidden_size, so its modules cannot be fitted")
        head = read_projection(saved.modules, hidden, placement.device)
        matrices = [list(matrix) for matrix in head.dense] or [[hidden, 0]]
        shape = self.shape({**files.config, MODULES: matrices}, str(files.folder / "config.json"))
        if shape is not None and not head.dense:  # the states themselves are compared
            shape = replace(shape, across=2 * hidden)
        plan = TokensPlan(self.adapter, spec, self.text_rules(spec), vectors, shape, head.width, most)
        return TokenVectorReranker(plan, files, tokenizer, placement, model, head)
