"""What families of encoders share: bodies of BERT's kind, what their layers cost, random checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..architectures.bert import BODIES
from ..family import Family, Tensors
from ..flops import LayerCost
from ..models.config import EncoderConfig


class EncoderFamily(Family):
    """A bidirectional transformer with absolute positions."""

    architectures = BODIES

    def layer_cost(self, config: EncoderConfig) -> LayerCost:
        """Return FLOPs of one layer."""
        d = config.hidden
        return LayerCost.of(hidden=d, queries=d, keys=d, mlp=2 * d * config.intermediate)

    def tensors(self, raw: Mapping[str, Any], where: str = "config.json") -> Tensors:
        """See `Family.tensors`; the hub puts the model's name before everything but a classifier."""
        import torch

        from ..models.encoder import Encoder

        config = self.config(raw, where)
        empty = Encoder(config, torch.float32, torch.device("meta")).named_tensors()
        prefix = "bert." if config.position_offset == 0 else "roberta."
        return Tensors({n if n.startswith("classifier") else prefix + n: tuple(t.shape) for n, t in empty.items()})
