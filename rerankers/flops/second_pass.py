"""What a second pass over a pair costs when the states of a first one were kept: cascades of settings of one model."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..settings import Setting
from .counts import reference, trunk
from .shape import Counts, Shape


def shared_layers(shape: Shape, done: Setting, wanted: Setting) -> int:
    """Return how many of the first layers compute the same for both settings.

    Those before the shallower cutoff, up to the first layer before which only one compresses, or both by other ratios.
    """
    depth = min(setting.cutoff_layer or shape.layers for setting in (done, wanted))
    for layer in range(1, depth):  # compression before layer 0 does nothing
        here = [layer in setting.compress_layers for setting in (done, wanted)]
        if here[0] != here[1] or (all(here) and done.compress_ratio != wanted.compress_ratio):
            return layer
    return depth


def resumed(
    shape: Shape, setting: Setting, layers: int, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike
) -> Counts:
    """Return reference FLOPs of each pair under `setting` when the states after the first `layers` layers are there.

    Same arguments and shape as `reference`; 0 layers are the whole pass. The head is paid in any case: a score after
    the same layers costs its head alone. `layers` is at most the setting's depth.
    """
    flops = reference(shape, setting, query, passage, prompt)
    if layers:
        before = Setting(layers, setting.compress_ratio, tuple(x for x in setting.compress_layers if x < layers))
        for count, tokens in trunk(shape, before, query, passage, prompt):
            flops = flops - count * shape.layer.over(tokens, causal=False)
    return np.asarray(flops)
