"""Text pairs become scores: registered rerankers, any checkpoint of their kinds, and your own classes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import InputError, ScoreError
from .options import LoadOptions, TextOptions
from .settings import Setting

if TYPE_CHECKING:
    from .adapters.base import Reranker
    from .api import Group, Scored
    from .custom import CustomReranker, with_version
    from .registry import load, load_spec
    from .spec import ModelSpec, list_models

__all__ = [
    "CustomReranker",
    "Group",
    "InputError",
    "LoadOptions",
    "ModelSpec",
    "Reranker",
    "ScoreError",
    "Scored",
    "Setting",
    "TextOptions",
    "list_models",
    "load",
    "load_spec",
    "with_version",
]

# these read configs/, or import numpy or torch
_LATER = {
    "CustomReranker": "custom",
    "Group": "api",
    "ModelSpec": "spec",
    "Reranker": "adapters.base",
    "Scored": "api",
    "list_models": "spec",
    "load": "registry",
    "load_spec": "registry",
    "with_version": "custom",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
