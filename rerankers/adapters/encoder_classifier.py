"""Encoders with a classification head of one output, packed without padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..family import Family
from ..models.encoder import Encoder
from ..models.modern_encoder import ModernEncoder
from ..models.packed import Packed
from ..models.work import Work
from ..options import LoadOptions
from ..settings import Setting
from ..spec import ModelSpec
from ..tokenization.encoder_pairs import Pairs, check_types
from .device import resolve_device, resolve_precision
from .pair_classifier import PairAdapter


class EncoderClassifier(PairAdapter):
    """A sequence classifier that reads query and passage together; only the full depth has a head."""

    def __init__(self, family: Family, spec: ModelSpec, files: Resolved, options: LoadOptions) -> None:
        where = str(files.folder / "config.json")
        self.config = config = family.config(files.config, where)
        device = resolve_device(options.device)
        precision = resolve_precision(options.dtype, device)
        super().__init__(family, spec, files, options, device=device, dtype=precision.name)
        self.check_head(where)
        self.shape = family.shape(files.config, where)
        self.hold(config.positions, config.vocab)
        check_types(self.tokenizer, self.tokenizer.pair_template(), config.token_types)
        self.encoder = self.load_encoder(precision.dtype, device)
        self.encoder.block(precision.arrange)

    def check_head(self, where: str) -> None:
        """Raise InputError where the folder holds another head than a classifier of one output."""
        files, family = self.files, self.family
        if self.config.labels != 1:
            raise InputError(f"{where}: the family {family.name} needs a classifier with one output")
        if files.saved.modules or files.saved.task not in ("feature-extraction", "sequence-classification"):
            raise InputError(
                f"{files.root}: modules of sentence-transformers, which the family {family.name} does not run"
            )

    def load_encoder(self, dtype: torch.dtype, device: torch.device) -> Encoder | ModernEncoder:
        """The model on its device."""
        return Encoder.load(self.files.folder, self.config, dtype, device)

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        if setting.compress_layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' cannot compress tokens")
        layers = self.encoder.config.layers
        if setting.cutoff_layer not in (None, layers):
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' has a head after layer {layers} only")
        return []

    def logits(self, pairs: Pairs, batch: Sequence[int], work: Work) -> tuple[torch.Tensor, int]:
        """See `PairAdapter.logits`; nothing is padded."""
        types = [pairs.types(i) for i in batch] if self.tokenizer.has_types else None
        packed = Packed.of([pairs.ids[i] for i in batch], types, self.encoder.device)
        return self.encoder.scores(packed, work)[:, 0], 0
