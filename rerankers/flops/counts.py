"""The analytic counts: `reference`, `useful`, and what a setting saves. Vectorised over pairs, exact in int64."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError, suggest
from ..models.config import DecoderConfig, EncoderConfig
from ..settings import Setting
from .shapes import Counts, head_cost, layer_cost

Config = DecoderConfig | EncoderConfig

DECODERS = ("llm", "layerwise", "lightweight")
ENCODERS = ("cross-encoder", "sequence-classification", "bi-encoder")


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
    per_position, flops = head_cost(config, family)
    cost = layer_cost(config)
    causal = causal and isinstance(config, DecoderConfig)
    tokens = 0
    for layers, tokens in stretches(config, family, setting, query, passage, prompt):
        flops = flops + layers * cost.over(tokens, causal=causal)
    return np.asarray(flops + per_position * tokens)


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
    cost = layer_cost(config)
    runs = stretches(config, family, setting, query, passage, prompt)
    flops = 2 * config.hidden if decoder else head_cost(config, family)[1]
    for layers, tokens in runs:
        flops = flops + layers * cost.over(tokens, causal=decoder)
    last = runs[-1][1]
    return np.asarray(flops - cost.over(last, causal=decoder) + (cost.keys + cost.attention) * last + cost.rest)


def total(flops: Counts) -> int:
    """The exact sum as a Python int: 10 million pairs of 1e13 FLOPs do not fit int64."""
    return (int((flops >> 32).sum()) << 32) + int((flops & 0xFFFFFFFF).sum())


def saved(
    config: Config,
    family: str,
    setting: Setting,
    query: ArrayLike,
    passage: ArrayLike,
    prompt: ArrayLike,
    *,
    causal: bool = False,
) -> float:
    """Share of `reference` that the setting saves against full depth, uncompressed, on the same pairs."""
    some, full = (
        total(reference(config, family, s, query, passage, prompt, causal=causal)) for s in (setting, Setting())
    )
    return 1 - some / full


def saved_naive(config: Config, setting: Setting) -> float:
    """Share that counting layers x tokens gives, the way the card reaches its 60 %.

    Every token counts as compressible and every division as exact, so no length enters:
    `1 - sum(ratio ** -(compressions before layer l), l < cutoff) / layers`.
    """
    kept = sum(layers / setting.compress_ratio**times for layers, times in _spans(config.layers, setting))
    return 1 - kept / config.layers


def stretches(
    config: Config, family: str, setting: Setting, query: ArrayLike, passage: ArrayLike, prompt: ArrayLike
) -> list[tuple[int, Counts]]:
    """(number of layers, tokens of each pair in each of them), from the first layer to the cutoff.

    Compression keeps ceil(p / ratio) of p passage tokens, each time. A bi-encoder has one stretch per text.
    """
    _check(config, family, setting)
    query, passage, prompt = (np.asarray(counts, dtype=np.int64) for counts in (query, passage, prompt))
    if family == "bi-encoder":
        depth = setting.cutoff_layer or config.layers
        return [(depth, query), (depth, passage)]
    runs = []
    for layers, times in _spans(config.layers, setting):
        if times:
            passage = -(-passage // setting.compress_ratio)
        runs.append((layers, query + passage + prompt))
    return runs


def _spans(layers: int, setting: Setting) -> list[tuple[int, int]]:
    """(number of layers, compressions before them) for each run of layers that see the same tokens.

    As in the published code, compression before layer 0 does nothing, and none happens at or above the cutoff.
    """
    depth = setting.cutoff_layer or layers
    starts = [0, *(layer for layer in setting.compress_layers if 0 < layer < depth), depth]
    return [(end - start, times) for times, (start, end) in enumerate(pairwise(starts))]


def _check(config: Config, family: str, setting: Setting) -> None:
    if family not in DECODERS + ENCODERS:
        raise InputError(f"family '{family}': its FLOPs are not known{suggest(family, DECODERS + ENCODERS)}")
    kind = DecoderConfig if family in DECODERS else EncoderConfig
    if not isinstance(config, kind):
        raise InputError(f"family '{family}' needs {kind.__name__}, not {type(config).__name__}")
    if setting.compress_layers and family != "lightweight":
        raise InputError(f"setting '{setting.name}': only the lightweight family compresses tokens, not {family}")
    heads = config.head_layers if isinstance(config, DecoderConfig) else range(1, config.layers + 1)
    if setting.cutoff_layer is not None and setting.cutoff_layer not in heads:
        known = f"{heads[0]} to {heads[-1]}" if len(heads) > 1 else f"{heads[0]} only"
        raise InputError(
            f"cutoff_layer {setting.cutoff_layer}: can be {known}" + f" in steps of {heads.step}" * (heads.step > 1)
        )
