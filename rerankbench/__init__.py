"""Which reranker, at which depth, at which cost.

    import rerankbench

    reranker = rerankbench.load("bge-reranker-v2-m3")
    reranker.rank("what is panda?", ["the giant panda is a bear", "hi"], top_k=1)

The names of `rerankbench.rerankers` are here, too; each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .rerankers import (
        Group,
        InputError,
        LoadOptions,
        ModelSpec,
        OwnReranker,
        Reranker,
        Scored,
        ScoreError,
        Setting,
        TextOptions,
        list_models,
        load,
        load_spec,
        with_version,
    )

    __version__: str

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
    "__version__",
    "list_models",
    "load",
    "load_spec",
    "with_version",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("rerankbench")
    if name in __all__:
        from . import rerankers

        return getattr(rerankers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
