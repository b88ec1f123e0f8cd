"""Encoders with a classification head of one output, packed without padding."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..checkpoint.hub import Resolved
from ..errors import InputError
from ..models.encoder import Encoder
from ..models.modern_encoder import ModernEncoder
from ..models.ops import Ops
from ..models.packed import Packed
from ..settings import Setting
from ..tokenization.encoder_pairs import Pairs
from ..tokenization.tokenizer import Tokenizer
from .device import Placement
from .pair_classifier import PairAdapter
from .plans import PairPlan


class EncoderClassifier(PairAdapter):
    """A sequence classifier that reads query and passage together; only the full depth has a head."""

    def __init__(
        self,
        plan: PairPlan,
        files: Resolved,
        tokenizer: Tokenizer,
        placement: Placement,
        encoder: Encoder | ModernEncoder,
    ) -> None:
        super().__init__(plan, files, tokenizer, placement)
        self.encoder = encoder
        self.encoder.convert_matrices(placement.precision.arrange)

    def check(self, setting: Setting) -> list[str]:
        """See `base.Reranker.check`."""
        if setting.compress_layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' cannot compress tokens")
        layers = self.encoder.config.layers
        if setting.cutoff_layer not in (None, layers):
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' has a head after layer {layers} only")
        return []

    def logits(self, pairs: Pairs, batch: Sequence[int], ops: Ops) -> tuple[torch.Tensor, int]:
        """See `PairAdapter.logits`; nothing is padded."""
        types = [pairs.types(i) for i in batch] if self.tokenizer.has_types else None
        packed = Packed.of([pairs.ids[i] for i in batch], types, self.encoder.device)
        return self.encoder.scores(packed, ops)[:, 0], 0
