"""Text pairs become scores: registered rerankers, any checkpoint of their kinds, and your own classes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .errors import InputError, ScoreError
from .options import LoadOptions, TextOptions
from .settings import Setting

# oneDNN and its wrapper in torch keep a kernel for each shape, 1024 of them by default; packed batches hardly ever have
# the same number of rows twice, so memory would grow for long. Read when torch is loaded: no effect if it is already.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")
os.environ.setdefault("LRU_CACHE_CAPACITY", "32")

if TYPE_CHECKING:
    from .api import Group, Reranker, Scored
    from .custom import OwnReranker, with_version
    from .registry import load
    from .spec import ModelSpec, list_models, load_spec

__all__ = [
    "Group",
    "InputError",
    "LoadOptions",
    "ModelSpec",
    "OwnReranker",
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


def __getattr__(name: str) -> Any:
    # these read configs/, or import numpy or torch
    if name == "load":
        from .registry import load

        return load
    if name in ("ModelSpec", "list_models", "load_spec"):
        from . import spec

        return getattr(spec, name)
    if name in ("Group", "Reranker", "Scored"):
        from . import api

        return getattr(api, name)
    if name in ("OwnReranker", "with_version"):
        from . import custom as own

        return getattr(own, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
