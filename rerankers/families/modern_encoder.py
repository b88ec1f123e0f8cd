"""Modern encoders: ModernBERT classifiers and sentence-transformers' modular rerankers (gte-reranker-modernbert-base,
granite-embedding-reranker-english-r2, the Ettin rerankers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..architectures.modernbert import modernbert
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import Family, FamilyOptions, Tensors, is_classifier, is_plain
from ..flops import LayerCost, Shape
from ..models.modern_config import MODULES, ModernConfig
from ..options import LoadOptions
from ..spec import ModelSpec
from .pairs import PairOptions, pair_plan, refuse_other_heads

if TYPE_CHECKING:
    from ..adapters.encoder_classifier import EncoderClassifier


class ModernEncoderFamily(Family):
    """An encoder with rotary positions, most of whose layers see a window; only the full depth has a head."""

    name = "modern-encoder"
    adapter = "modern-encoder/2"
    score = "classification head, or saved modules"
    options = PairOptions
    architectures = {"modernbert": modernbert}
    truncation = "snippet"  # FlagEmbedding has no class for them; their cards let the tokenizer cut

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; without a classifier the head must be in modules of sentence-transformers.

        What the reader does not obey is left to transformers.
        """
        plain = is_classifier(raw) and is_plain(saved)
        modular = saved.kind == "CrossEncoder" and bool(saved.modules) and saved.task == "feature-extraction"
        claimed = raw.get("model_type") in self.architectures and (plain or (modular and not is_classifier(raw)))
        return claimed and self.obeys(raw)

    def shape(
        self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None
    ) -> Shape | None:
        """See `Family.shape`; None for an encoder of whose Dense modules nothing is known yet.

        The published code computes all products of a layer with a window and masks those beyond it; `useful` counts
        those inside. The head is that of the classifier (dense d x d, then d x labels), or of the Dense modules.
        """
        config: ModernConfig = self.config(raw, where)
        d = config.hidden
        matrices = [(d, d), (d, config.labels)] if config.head == "classifier" else _modules(raw, where)
        if not matrices:
            return None
        head = 2 * sum(rows * columns for rows, columns in matrices)
        return Shape(
            layers=config.layers,
            layer=LayerCost.of(hidden=d, queries=d, keys=d, mlp=3 * d * config.intermediate),
            cutoffs=range(config.layers, config.layers + 1),
            head_per_pair=head,
            head_needed=head,
            pools=config.head == "classifier" and config.pooling == "mean",
            local_layers=config.local_layers,
            window=config.window,
        )

    def tensors(self, raw: Mapping[str, Any], where: str = "config.json") -> Tensors:
        """See `Family.tensors`; a classifier puts `model.` before the tensors of its body."""
        import torch

        from ..models.modern_encoder import ModernEncoder

        config: ModernConfig = self.config(raw, where)
        if config.head == "none":
            raise InputError(f"{where}: a random checkpoint needs a classification head (key 'architectures')")
        empty = ModernEncoder(config, torch.float32, torch.device("meta")).named_tensors()
        head = ("head.", "classifier.")
        return Tensors({n if n.startswith(head) else f"model.{n}": tuple(t.shape) for n, t in empty.items()})

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> EncoderClassifier:
        """See `Family.load`; the modules, where there are any, follow an encoder without a classifier."""
        from ..adapters.device import Placement
        from ..adapters.encoder_classifier import EncoderClassifier
        from ..models.heads import SCORE, read_head
        from ..models.modern_encoder import ModernEncoder
        from ..tokenization.encoder_pairs import check_types
        from ..tokenization.tokenizer import Tokenizer

        where, placement = str(files.folder / "config.json"), Placement.of(options)
        config, tokenizer = self.config(files.config, where), Tokenizer(files.folder, lower_case=files.saved.lower_case)
        modules, head = files.saved.modules, None
        if not modules:
            refuse_other_heads(self, files, config)
        elif config.head != "none" or files.saved.task != "feature-extraction":
            raise InputError(
                f"{files.root}: modules of sentence-transformers after a {files.saved.task} model, which the family "
                f"{self.name} does not run"
            )
        shape = self.shape(files.config, where)
        if modules:
            head = read_head(modules, config.hidden, placement.device, SCORE)
            if head.width != 1:
                raise InputError(f"{files.root}: {head.width} scores per pair; a reranker has one")
            shape = self.shape({**files.config, MODULES: [list(matrix) for matrix in head.dense]}, where)
            shape = shape and replace(shape, pools=head.modes != ("cls",))
        most, ids = config.positions, config.vocab
        plan = pair_plan(self, spec, files, tokenizer, positions=most, ids=ids, shape=shape)
        check_types(tokenizer, tokenizer.pair_template(), config.token_types)
        encoder = ModernEncoder.load(files.folder, config, placement.precision.dtype, placement.device)
        if head is not None:
            encoder.pooler = head
        return EncoderClassifier(plan, files, tokenizer, placement, encoder)


def _modules(raw: Mapping[str, Any], where: str) -> list[tuple[int, int]]:
    """Return sizes of the Dense modules, which a specification states and a folder has itself."""
    stated = raw.get(MODULES, [])
    pairs = isinstance(stated, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) and n > 0 for n in pair) for pair in stated
    )
    if not pairs:
        raise InputError(f"{where}: key '{MODULES}': expected a list of [in, out], found {stated!r:.60}")
    return [(rows, columns) for rows, columns in stated]
