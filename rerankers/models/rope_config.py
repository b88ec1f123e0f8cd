"""What a `config.json` says of the rotary embedding: its base, and how it is stretched to longer sequences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..errors import InputError, suggest

RopeKind = Literal["default", "linear", "llama3", "yarn"]
_KEYS = (
    "rope_type",
    "type",
    "rope_theta",
    "factor",
    "original_max_position_embeddings",
    "low_freq_factor",
    "high_freq_factor",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "mscale",
    "mscale_all_dim",
    "truncate",
    "partial_rotary_factor",
)


@dataclass(frozen=True)
class Rope:
    """A rotary embedding; the formulas are in `rope.py`.

    Attributes:
        theta: base of the frequencies.
        kind: `default`, `linear` (positions divided by `factor`), `llama3` or `yarn` (some frequencies are).
        factor: how many times longer sequences become.
        original: positions before they were stretched.
        slow, fast: turns within `original` below which a frequency is stretched, and above which it is not.
        attention_factor: on cosines and sines.
        whole_steps: yarn rounds the borders of its ramp to whole dimensions.
    """

    theta: float
    kind: RopeKind = "default"
    factor: float = 1.0
    original: int = 0
    slow: float = 1.0
    fast: float = 1.0
    attention_factor: float = 1.0
    whole_steps: bool = True


def read_rope(raw: Mapping[str, Any], where: str) -> Rope:
    """The rotary embedding. Raises InputError for a kind, a key or a value that is not implemented, by name."""
    # transformers 5 writes rope_parameters instead of rope_theta and rope_scaling
    told = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    for key in told:
        if key not in _KEYS:
            raise InputError(f"{where}: key '{key}' of the rotary embedding is not implemented{suggest(key, _KEYS)}")
    kind = told.get("rope_type", told.get("type", "default"))
    if kind not in get_args(RopeKind):
        raise InputError(f"{where}: rotary scaling '{kind}' is not implemented, only {', '.join(get_args(RopeKind))}")
    rotated = told.get("partial_rotary_factor", raw.get("partial_rotary_factor"))
    if rotated not in (None, 1):
        raise InputError(f"{where}: key 'partial_rotary_factor': {rotated!r:.40} is not implemented")
    theta = _number(told, "rope_theta", where, _number(raw, "rope_theta", where, 10000.0))
    if kind == "default":
        return Rope(theta)
    positions = raw["max_position_embeddings"]
    # the order in which transformers looks (modeling_rope_utils.py, standardize_rope_params)
    original = _number(raw, "original_max_position_embeddings", where, 0) or _number(
        told, "original_max_position_embeddings", where, positions
    )
    if kind != "yarn":
        factor = _number(told, "factor", where)
        if kind == "linear":
            return Rope(theta, kind, factor)
        slow, fast = (_number(told, f"{name}_freq_factor", where) for name in ("low", "high"))
        if slow >= fast:
            raise InputError(f"{where}: low_freq_factor {slow} must be less than high_freq_factor {fast}")
        return Rope(theta, kind, factor, int(original), slow, fast)
    factor = _number(told, "factor", where, positions / original)
    slow, fast = _number(told, "beta_slow", where, 1.0), _number(told, "beta_fast", where, 32.0)
    stretched = _number(told, "attention_factor", where, 0.0) or _yarn_attention(told, factor, where)
    return Rope(theta, kind, factor, int(original), slow, fast, stretched, told.get("truncate", True) is not False)


def _yarn_attention(told: Mapping[str, Any], factor: float, where: str) -> float:
    """YaRN's temperature of attention (arXiv 2309.00071, equation 22), and DeepSeek's variant of it with `mscale`."""

    def scaled(weight: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0

    one, all_dims = _number(told, "mscale", where, 0.0), _number(told, "mscale_all_dim", where, 0.0)
    return scaled(one) / scaled(all_dims) if one and all_dims else scaled(1.0)


def _number(told: Mapping[str, Any], key: str, where: str, default: float | None = None) -> float:
    value = told.get(key)
    if value is None:
        if default is None:
            raise InputError(f"{where}: key '{key}' of the rotary embedding is missing")
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise InputError(f"{where}: key '{key}': expected a positive number, found {value!r:.60}")
    return float(value)
