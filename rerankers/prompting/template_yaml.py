"""Templates in YAML: those of configs/templates.yaml by name, and those that a model's file writes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

from ...configs import CONFIGS, read
from ..errors import InputError, suggest
from .template import PromptTemplate

_LIMITS = ("pair", "sequence")
_SWITCHES = ("joined", "joined_tail", "passage_first", "special_tokens", "stripped")
_COUNTS = ("query_characters", "passage_characters")
_LISTS = ("before", "after")
_NEEDED = ("query", "passage", "limit")
_BARE = PromptTemplate(between="", after=(), special_tokens=False)  # what is not written
_KNOWN = tuple(field.name for field in fields(PromptTemplate))


@cache
def named_templates() -> dict[str, Any]:
    """Return the content of configs/templates.yaml."""
    return read(CONFIGS / "templates.yaml")


def read_template(value: object, where: str) -> PromptTemplate:
    """Read the template of a name in configs/templates.yaml, or of keys and values.

    Raises InputError for an unknown name or key, a value of a wrong type, or a text without its place.
    """
    if isinstance(value, str):
        if value not in named_templates():
            raise InputError(
                f"{where}: template '{value}' is not in configs/templates.yaml{suggest(value, named_templates())}"
            )
        value, where = named_templates()[value], f"configs/templates.yaml: '{value}'"
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: expected a name or keys and values, found {value!r:.60}")
    for key in value:
        if key not in _KNOWN:
            raise InputError(f"{where}: unknown key '{key}'{suggest(str(key), _KNOWN)}")
    for key in _NEEDED:
        if key not in value:
            raise InputError(f"{where}: key '{key}' is missing")
    if value["limit"] not in _LIMITS:
        raise InputError(f"{where}: key 'limit': expected {' or '.join(_LIMITS)}, found {value['limit']!r:.60}")
    for key in ("joined_tail", "passage_first"):
        if value.get(key) and not value.get("joined"):
            raise InputError(f"{where}: key '{key}': needs `joined: true`")
    return replace(_BARE, **{key: _check_value(key, value[key], where) for key in value})


def written(template: PromptTemplate) -> dict[str, Any]:
    """Return the keys and values that `read_template` makes this template of: JSON values, without the defaults."""
    values = {key: getattr(template, key) for key in _KNOWN}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in values.items()
        if key in _NEEDED or value != getattr(_BARE, key)
    }


def _check_value(key: str, value: Any, where: str) -> Any:
    if key in _SWITCHES:
        if not isinstance(value, bool):
            raise InputError(f"{where}: key '{key}': expected true or false, found {value!r:.60}")
        return value
    if key in _COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{where}: key '{key}': expected a number of at least 1, found {value!r:.60}")
        return value
    if key in _LISTS:
        pieces = [value] if isinstance(value, str) else value
        if not isinstance(pieces, list) or not all(isinstance(piece, str) and piece for piece in pieces):
            raise InputError(f"{where}: key '{key}': expected a text or a list of texts, found {value!r:.60}")
        return tuple(pieces)
    if not isinstance(value, str):
        raise InputError(f"{where}: key '{key}': expected text, found {value!r:.60}; put it in quotes")
    mark = {"query": "{query}", "bare_query": "{query}", "passage": "{passage}"}.get(key)
    if mark and value.count(mark) != 1:
        raise InputError(f"{where}: key '{key}': must contain {mark} once, found {value!r:.60}")
    return value
