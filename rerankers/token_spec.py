"""The keys of a specification that say which tokens score, and how: types and ranges."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from .errors import InputError
from .options import Formula
from .prompting.template_yaml import read_template

# how many tokens each formula reads
_COUNTS = {"row": range(1, 2), "difference": range(2, 3), "log_softmax": range(2, 1 << 16)}


def check_tokens(raw: Mapping[str, Any], where: str) -> None:
    """Raise InputError for `template`, `tokens`, `formula` or `scale` of a wrong type or that do not fit."""
    if raw.get("template") is not None:
        read_template(raw["template"], f"{where}: key 'template'")
    tokens, formula, scale = raw.get("tokens", []), raw.get("formula", "row"), raw.get("scale", 1.0)
    if formula not in get_args(Formula):
        raise InputError(f"{where}: key 'formula': expected {' or '.join(get_args(Formula))}, found {formula!r:.60}")
    if not isinstance(tokens, list) or not all(_is_token(token) for token in tokens):
        raise InputError(f"{where}: key 'tokens': expected texts or ids of tokens, found {tokens!r:.60}")
    if tokens and len(tokens) not in _COUNTS[formula]:
        needed = _COUNTS[formula]
        least = f"{needed[0]} or more" if len(needed) > 1 else needed[0]
        raise InputError(f"{where}: key 'tokens': formula {formula} reads {least}, found {len(tokens)}")
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < abs(scale) < math.inf:
        raise InputError(f"{where}: key 'scale': expected a number other than 0, found {scale!r:.60}")


def _is_token(token: object) -> bool:
    """A text, or an id."""
    if isinstance(token, str):
        return bool(token)
    return isinstance(token, int) and not isinstance(token, bool) and token >= 0
