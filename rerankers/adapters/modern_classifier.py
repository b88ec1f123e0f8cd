"""ModernBERT rerankers: a classification head, or the modules that sentence-transformers saved in its place."""

from __future__ import annotations

from dataclasses import replace

import torch

from ..errors import InputError
from ..models.heads import SCORE, read_head
from ..models.modern_config import MODULES
from ..models.modern_encoder import ModernEncoder
from .encoder_classifier import EncoderClassifier


class ModernClassifier(EncoderClassifier):
    """Reads query and passage together; only the full depth has a head."""

    def check_head(self, where: str) -> None:
        """See `EncoderClassifier.check_head`; modules stand beside an encoder without a classifier."""
        if not self.saved.modules:
            super().check_head(where)
        elif self.config.head != "none" or self.saved.task != "feature-extraction":
            raise InputError(
                f"{self.files.root}: modules of sentence-transformers after a {self.saved.task} model, which the "
                f"family {self.family.name} does not run"
            )

    def load_encoder(self, dtype: torch.dtype, device: torch.device) -> ModernEncoder:
        """See `EncoderClassifier.load_encoder`."""
        encoder = ModernEncoder.load(self.files.folder, self.config, dtype, device)
        if self.saved.modules:
            head = encoder.pooler = read_head(self.saved.modules, self.config.hidden, device, SCORE)
            if head.width != 1:
                raise InputError(f"{self.files.root}: {head.width} scores per pair; a reranker has one")
            shape = self.family.shape({**self.files.config, MODULES: [list(matrix) for matrix in head.dense]})
            self.shape = shape and replace(shape, pools=not encoder.first_only)
        return encoder
