"""FLOPs of one pair, from the shape of a model and its token counts; conventions in docs/flops.md."""

from .counts import reference, saved, saved_naive, total, useful

__all__ = ["reference", "saved", "saved_naive", "total", "useful"]
