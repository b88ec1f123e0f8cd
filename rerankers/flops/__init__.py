"""FLOPs of one pair, from the shape of a model and its token counts; conventions in docs/flops.md."""

from .counts import reference, saved, saved_naive, stretches, total, useful
from .second_pass import resumed, shared_layers
from .shape import LayerCost, Shape

__all__ = [
    "LayerCost",
    "Shape",
    "reference",
    "resumed",
    "saved",
    "saved_naive",
    "shared_layers",
    "stretches",
    "total",
    "useful",
]
