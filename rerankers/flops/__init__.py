"""FLOPs of one pair, from the shape of a model and its token counts; conventions in docs/flops.md."""

from .counts import reference, saved, saved_naive, stretches, total, useful
from .shapes import LayerCost, head_cost, layer_cost

__all__ = [
    "LayerCost",
    "head_cost",
    "layer_cost",
    "reference",
    "saved",
    "saved_naive",
    "stretches",
    "total",
    "useful",
]
