"""The analytic counts: `reference`, `useful`, and what a setting saves. Vectorised over pairs, exact in int64."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError, suggest
from ..models.config import DecoderConfig, EncoderConfig
from ..settings import Setting
from .shapes import head_cost, layer_cost

Config = DecoderConfig | EncoderConfig
Counts = NDArray[np.int64]

ENCODERS = ("cross-encoder", "sequence-classification", "bi-encoder")
DECODERS = ("llm", "layerwise", "lightweight")
FULL = Setting()


def reference(
    config: Config,
    family: str,
    setting: Setting,
    query: ArrayLike,
    passage: ArrayLike,
    prompt: ArrayLike,
    *,
    causal: bool = False,
) -> Counts:
    """FLOPs of the published code's forward pass over each pair alone, unpadded.

    `query`, `passage` and `prompt` are token counts of shape (pairs,), counted as `api.Scored` does. `causal` counts
    s(s+1)/2 query-key products in a decoder instead of the s^2 that dense attention computes.

    Returns int64 of shape (pairs,). One layer over s tokens, from the matrix shapes of the architecture:
    `2s(2dHh + 2dKh) + 2s(3 or 2)df + 4s^2Hh`; then the head, at every position in a decoder, on the first token in
    an encoder. A bi-encoder reads query and passage each alone, then takes one dot product. Raises InputError when
    the model cannot run the setting.
    """
    query, passage, prompt = _tokens(query), _tokens(passage), _tokens(prompt)
    segments = _segments(config, family, setting, passage)
    cost = layer_cost(config)
    causal = causal and isinstance(config, DecoderConfig)
    if family == "bi-encoder":
        depth = segments[0][0]
        each = [(cost.keys + cost.rest) * s + cost.attention * s * s for s in (query, passage)]
        return depth * (each[0] + each[1]) + 2 * config.hidden
    flops = np.zeros_like(query + passage + prompt)
    tokens = flops
    for layers, kept in segments:
        tokens = query + kept + prompt
        flops += layers * ((cost.keys + cost.rest) * tokens + cost.attention * _products(tokens, causal))
    per_position, per_pair = head_cost(config)
    return flops + per_position * tokens + per_pair


def useful(
    config: Config, family: str, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike
) -> Counts:
    """FLOPs that the setting needs for each pair; same arguments and shape as `reference`.

    Less than `reference` in three points: decoders pay only for the query-key products that the causal mask
    keeps; the last layer runs keys and values for all tokens, the rest for the scored token alone; the head
    runs on that token, and a vocabulary head only its one row. A bi-encoder pools all tokens, so it needs them.
    """
    if family == "bi-encoder":
        return reference(config, family, setting, query, passage, prompt)
    decoder = isinstance(config, DecoderConfig)
    query, passage, prompt = _tokens(query), _tokens(passage), _tokens(prompt)
    cost = layer_cost(config)
    flops = np.zeros_like(query + passage + prompt)
    last = flops
    for layers, kept in _segments(config, family, setting, passage):
        tokens = query + kept + prompt
        layer = (cost.keys + cost.rest) * tokens + cost.attention * _products(tokens, decoder)
        flops += layers * layer
        last = (cost.keys + cost.attention) * tokens + cost.rest - layer
    head = 2 * config.hidden if decoder else head_cost(config)[1]
    return flops + last + head


def total(flops: Counts) -> int:
    """The exact sum as a Python int: 10 million pairs of 1e13 FLOPs do not fit int64."""
    flops = np.asarray(flops, dtype=np.int64)
    return (int((flops >> 32).sum()) << 32) + int((flops & 0xFFFFFFFF).sum())


def saved(
    config: Config, family: str, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike
) -> float:
    """Share of the reference FLOPs that the setting saves against full depth, uncompressed, on the same pairs."""
    full = total(reference(config, family, FULL, query, passage, prompt))
    return 1 - total(reference(config, family, setting, query, passage, prompt)) / full


def saved_naive(config: Config, setting: Setting) -> float:
    """Share that counting layers x tokens gives, the way the card reaches its 60 %.

    Every token counts as compressible and every division as exact, so no length enters:
    `1 - sum(ratio ** -(compressions before layer l), l < cutoff) / layers`.
    """
    kept = sum(layers / setting.compress_ratio**times for layers, times in _spans(config.layers, setting))
    return 1 - kept / config.layers


def _spans(layers: int, setting: Setting) -> list[tuple[int, int]]:
    """(number of layers, compressions before them) for each stretch of layers that see the same tokens.

    As in the published code, compression before layer 0 does nothing and none happens at or above the cutoff.
    """
    depth = setting.cutoff_layer or layers
    starts = [0, *(layer for layer in setting.compress_layers if 0 < layer < depth), depth]
    return [(end - start, times) for times, (start, end) in enumerate(pairwise(starts))]


def _segments(config: Config, family: str, setting: Setting, passage: Counts) -> list[tuple[int, Counts]]:
    """(number of layers, passage tokens of each pair) for each stretch; groups of `ratio`, the last one partial."""
    _check(config, family, setting)
    segments = []
    for layers, times in _spans(config.layers, setting):
        if times:
            passage = -(-passage // setting.compress_ratio)
        segments.append((layers, passage))
    return segments


def _check(config: Config, family: str, setting: Setting) -> None:
    kind = DecoderConfig if family in DECODERS else EncoderConfig
    if family not in DECODERS + ENCODERS:
        raise InputError(f"family '{family}': FLOPs are not known{suggest(family, DECODERS + ENCODERS)}")
    if not isinstance(config, kind):
        raise InputError(f"family '{family}' needs {kind.__name__}, not {type(config).__name__}")
    if setting.compress_layers and family != "lightweight":
        raise InputError(f"setting '{setting.name}': only the lightweight family compresses tokens, not {family}")
    heads = config.head_layers if isinstance(config, DecoderConfig) else range(1, config.layers + 1)
    if setting.cutoff_layer is not None and setting.cutoff_layer not in heads:
        known = f"{heads[0]} to {heads[-1]}" if len(heads) > 1 else f"{heads[0]}"
        step = f" in steps of {heads.step}" if heads.step > 1 else ""
        raise InputError(f"cutoff_layer {setting.cutoff_layer}: layers with a head are {known}{step}")


def _tokens(counts: ArrayLike) -> Counts:
    return np.asarray(counts, dtype=np.int64)


def _products(tokens: Counts, causal: bool) -> Counts:
    return tokens * (tokens + 1) // 2 if causal else tokens * tokens
