"""The formulas between the matrix products of a layer as Triton kernels, one pass over memory each.

`fused` names them; no other module imports this one, because it imports Triton, which comes with torch for GPUs. Triton
stores what it compiled on disk (TRITON_CACHE_DIR). Sums and functions are in float32, and results are rounded where the
formula rounds. A kernel is compiled for a width and a dtype, never for a number of rows; shapes are (..., width).
"""

from .codes import codes_of, codes_of_activated, codes_of_gated
from .gates import gated
from .norms import add_block, add_layer_norm, add_then_norm, rms_norm
from .rotation import rotate

__all__ = [
    "add_block",
    "add_layer_norm",
    "add_then_norm",
    "codes_of",
    "codes_of_activated",
    "codes_of_gated",
    "gated",
    "rms_norm",
    "rotate",
]
