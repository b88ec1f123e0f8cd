"""FLOPs of one pair, from the shape of a model and its token counts."""
