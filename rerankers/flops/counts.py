"""The analytic counts: `reference`, `useful`, and what a setting saves. Vectorised over pairs, exact in int64."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from ..settings import Setting
from .shape import Counts, Shape


def reference(
    shape: Shape, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike, *, causal: bool = False
) -> Counts:
    """Return FLOPs of the published code's forward pass over each pair alone, unpadded.

    `query`, `passage` and `prompt` are token counts of shape (pairs,), counted as `api.Scored` does. `causal` counts
    s(s+1)/2 query-key products in a decoder instead of the s^2 that dense attention computes.

    Returns int64 of shape (pairs,). One layer over s tokens, from the matrix shapes of the architecture:
    `2s(2dHh + 2dKh) + 2s(3 or 2)df + 4s^2Hh`; then the head, at every position that is left or once per pair. A model
    that reads query and passage apart takes products of them. Raises InputError when the model cannot run the
    setting.
    """
    causal = causal and shape.causal
    flops: Counts = np.asarray(shape.head_per_pair, dtype=np.int64)
    tokens: Counts = np.asarray(0)
    for layers, tokens in stretches(shape, setting, query, passage, prompt):
        flops = flops + layers * shape.layer.over(tokens, causal=causal)
    return np.asarray(flops + shape.head_per_position * tokens + _compare(shape, query, passage))


def useful(shape: Shape, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike) -> Counts:
    """Return FLOPs that the setting needs for each pair; same arguments and shape as `reference`.

    Less than `reference` in three points: only the query-key products count that the causal mask or the window of a
    layer keeps; the last layer runs keys and values for all tokens, the rest for the scored token alone; the head runs
    on that token, and a vocabulary head only its rows that count. A model that pools all tokens of the last layer needs
    them.
    """
    runs = stretches(shape, setting, query, passage, prompt)
    flops: Counts = shape.head_needed + _compare(shape, query, passage)
    for layers, tokens in runs:
        flops = flops + layers * shape.layer.over(tokens, causal=shape.causal)
    cost, last, depth = shape.layer, runs[-1][1], sum(layers for layers, _ in runs)
    beyond = last * last - _in_window(last, shape.window)  # no model with windows compresses: all layers see `last`
    flops = flops - cost.attention * beyond * sum(layer < depth for layer in shape.local_layers)
    if shape.pools:
        return np.asarray(flops)
    whole, seen = cost.over(last, causal=shape.causal), last
    if depth - 1 in shape.local_layers:
        whole, seen = whole - cost.attention * beyond, np.minimum(last, shape.window + 1)
    return np.asarray(flops - whole + cost.keys * last + cost.attention * seen + cost.rest)


def _compare(shape: Shape, query: ArrayLike, passage: ArrayLike) -> Counts:
    """Return FLOPs of comparing each token of the query with each one of the passage."""
    return np.asarray(shape.across * np.asarray(query, dtype=np.int64) * np.asarray(passage, dtype=np.int64))


def _in_window(tokens: Counts, window: int) -> Counts:
    """Return pairs of tokens whose distance is at most `window`."""
    reach = np.minimum(window, tokens - 1)
    return tokens * (2 * reach + 1) - reach * (reach + 1)


def total(flops: Counts) -> int:
    """Return the exact sum as a Python int: 10 million pairs of 1e13 FLOPs do not fit int64."""
    return (int((flops >> 32).sum()) << 32) + int((flops & 0xFFFFFFFF).sum())


def saved(
    shape: Shape, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike, *, causal: bool = False
) -> float:
    """Return the share of `reference` that the setting saves against full depth, uncompressed, on the same pairs."""
    cut, full = (total(reference(shape, s, query, passage, prompt, causal=causal)) for s in (setting, Setting()))
    return 1 - cut / full


def saved_naive(shape: Shape, setting: Setting) -> float:
    """Return the share that counting layers x tokens gives, the way the card reaches its 60 %.

    Every token counts as compressible and every division as exact, so no length enters:
    `1 - sum(ratio ** -(compressions before layer l), l < cutoff) / layers`.
    """
    remaining = sum(layers / setting.compress_ratio**times for layers, times in _spans(shape.layers, setting))
    return 1 - remaining / shape.layers


def stretches(
    shape: Shape, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike
) -> list[tuple[int, Counts]]:
    """Return (number of layers, tokens of each pair in each of them), from the first layer to the cutoff.

    Compression keeps ceil(p / ratio) of p passage tokens, each time. A model that reads the two texts apart has one
    stretch per text, the passage's with the prompt. Raises InputError when the model cannot run the setting.
    """
    shape.check(setting)
    return trunk(shape, setting, query, passage, prompt)


def trunk(
    shape: Shape, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike
) -> list[tuple[int, Counts]]:
    """Return the same without the question whether a score can be read after the last of these layers."""
    query, passage, prompt = (np.asarray(counts, dtype=np.int64) for counts in (query, passage, prompt))
    if shape.apart:
        depth = setting.cutoff_layer or shape.layers
        return [(depth, query), (depth, passage + prompt)]  # the prompt is what of a passage is not compared
    runs = []
    for layers, times in _spans(shape.layers, setting):
        if times:
            passage = -(-passage // setting.compress_ratio)
        runs.append((layers, query + passage + prompt))
    return runs


def _spans(layers: int, setting: Setting) -> list[tuple[int, int]]:
    """Return (number of layers, compressions before them) for each run of layers that see the same tokens.

    As in the published code, compression before layer 0 does nothing, and none happens at or above the cutoff.
    """
    depth = setting.cutoff_layer or layers
    starts = [0, *(layer for layer in setting.compress_layers if 0 < layer < depth), depth]
    return [(end - start, times) for times, (start, end) in enumerate(pairwise(starts))]
