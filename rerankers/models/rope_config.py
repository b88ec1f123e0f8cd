"""What a `config.json` states of the rotary embedding: its base, and how it is stretched to longer sequences."""

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
    """Read the rotary embedding. Raises InputError for a kind, a key or a value that is not implemented, by name.

    transformers 5 writes `rope_parameters` instead of `rope_theta` and `rope_scaling`; where a file has both, the
    older key wins as a whole (modeling_rope_utils.py, convert_rope_params_to_dict).
    """
    name = "rope_scaling" if raw.get("rope_scaling") else "rope_parameters"
    stated = dict(raw.get(name) or {})
    if raw.get("partial_rotary_factor") is not None:
        stated.setdefault("partial_rotary_factor", raw["partial_rotary_factor"])
    # the order in which transformers looks (standardize_rope_params)
    if raw.get("original_max_position_embeddings") is not None:
        stated["original_max_position_embeddings"] = raw["original_max_position_embeddings"]
    base = _number(stated, "rope_theta", where, _number(raw, "rope_theta", where, 10000.0))
    return _read(stated, base, raw, where, name)


def read_nested(
    raw: Mapping[str, Any], where: str, whole: str, local: str, bases: tuple[float, float] = (1e6, 1e4)
) -> tuple[Rope, Rope]:
    """Read the rotary embeddings of layers that see everything, and of those that slide, as in Gemma-3 and ModernBERT.

    Args:
        raw: the content of `config.json`.
        where: its name.
        whole: key of the base of the former in files of transformers 4.
        local: of the latter.
        bases: where no key states them.

    transformers merges `rope_scaling` into that of the former (Gemma3TextConfig, convert_rope_params_to_dict).
    """
    stated = raw.get("rope_parameters") or {}
    if stray := [key for key in stated if key not in ("full_attention", "sliding_attention")]:
        raise InputError(f"{where}: key 'rope_parameters': '{stray[0]}' is not understood", unread=True)
    for key in ("original_max_position_embeddings", "partial_rotary_factor"):
        if raw.get(key) not in (None, 1):
            raise InputError(
                f"{where}: key '{key}': {raw[key]!r:.40} is not implemented beside layers that slide", unread=True
            )
    ropes = []
    for kind, key, default in (("full_attention", whole, bases[0]), ("sliding_attention", local, bases[1])):
        own = stated.get(kind) or {}
        if not isinstance(own, dict):
            raise InputError(f"{where}: key 'rope_parameters': expected an object for {kind}, found {own!r:.40}")
        added = raw.get("rope_scaling") if kind == "full_attention" else None
        name = "rope_scaling" if added else "rope_parameters"
        own = {**own, **(added or {})}
        if own.get("truncate", True) is not True:  # transformers looks for it one object further out
            raise InputError(f"{where}: key '{name}': truncate {own['truncate']!r:.40} is not implemented", unread=True)
        base = _number(own, "rope_theta", where, _number(raw, key, where, default))
        ropes.append(_read(own, base, raw, where, name))
    return ropes[0], ropes[1]


def _read(stated: Mapping[str, Any], theta: float, raw: Mapping[str, Any], where: str, name: str) -> Rope:
    """Read one rotary embedding, that the key `name` states."""
    for key in stated:
        if key not in _KEYS:
            raise InputError(f"{where}: key '{name}': '{key}' is not implemented{suggest(key, _KEYS)}", unread=True)
    kind = stated.get("rope_type", stated.get("type", "default"))
    if kind not in get_args(RopeKind):
        known = ", ".join(get_args(RopeKind))
        raise InputError(
            f"{where}: key '{name}': rotary scaling '{kind}' is not implemented, only {known}", unread=True
        )
    rotated = stated.get("partial_rotary_factor")
    if rotated not in (None, 1):
        raise InputError(
            f"{where}: key 'partial_rotary_factor': {rotated!r:.40} in '{name}' is not implemented", unread=True
        )
    if kind == "default":
        return Rope(theta)
    positions = raw["max_position_embeddings"]
    original = _number(stated, "original_max_position_embeddings", where, positions)
    if kind != "yarn":
        factor = _number(stated, "factor", where)
        if kind == "linear":
            return Rope(theta, kind, factor)
        slow, fast = (_number(stated, f"{name}_freq_factor", where) for name in ("low", "high"))
        if slow >= fast:
            raise InputError(f"{where}: low_freq_factor {slow} must be less than high_freq_factor {fast}")
        return Rope(theta, kind, factor, int(original), slow, fast)
    factor = _number(stated, "factor", where, positions / original)
    slow, fast = _number(stated, "beta_slow", where, 1.0), _number(stated, "beta_fast", where, 32.0)
    stretched = _number(stated, "attention_factor", where, 0.0) or _yarn_attention(stated, factor, where)
    return Rope(theta, kind, factor, int(original), slow, fast, stretched, bool(stated.get("truncate", True)))


def _yarn_attention(scaling: Mapping[str, Any], factor: float, where: str) -> float:
    """Return YaRN's temperature of attention (arXiv 2309.00071, equation 22), or DeepSeek's variant with `mscale`."""

    def scaled(weight: float) -> float:
        return 1.0 if factor <= 1 else 0.1 * weight * math.log(factor) + 1.0

    mscale, all_dims = _number(scaling, "mscale", where, 0.0), _number(scaling, "mscale_all_dim", where, 0.0)
    return scaled(mscale) / scaled(all_dims) if mscale and all_dims else scaled(1.0)


def _number(scaling: Mapping[str, Any], key: str, where: str, default: float | None = None) -> float:
    value = scaling.get(key)
    if value is None:
        if default is None:
            raise InputError(f"{where}: key '{key}' of the rotary embedding is missing")
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise InputError(f"{where}: key '{key}': expected a positive number, found {value!r:.60}")
    return float(value)
