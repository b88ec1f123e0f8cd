"""Which reranker, at which depth, at which cost.

    import rerankbench

    reranker = rerankbench.load("bge-reranker-v2-m3")
    reranker.rank("what is panda?", ["the giant panda is a bear", "hi"], top_k=1)

    cells = rerankbench.run("quickstart")
    print(rerankbench.table(cells))

Here are the names of `rerankbench.rerankers` and of `rerankbench.eval.api`, each imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .eval.api import (
        cascade,
        compare,
        decide,
        depth,
        evaluate,
        load_cells,
        pareto,
        published,
        report,
        run,
        significance,
        table,
    )
    from .rerankers import (
        CustomReranker,
        Group,
        InputError,
        LoadOptions,
        ModelSpec,
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
    "__version__",
    "cascade",
    "compare",
    "decide",
    "depth",
    "evaluate",
    "list_models",
    "load",
    "load_cells",
    "load_spec",
    "pareto",
    "published",
    "report",
    "run",
    "significance",
    "table",
    "with_version",
]
_OF_EVAL = {
    "cascade",
    "compare",
    "decide",
    "depth",
    "evaluate",
    "load_cells",
    "pareto",
    "published",
    "report",
    "run",
    "significance",
    "table",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("rerankbench")
    if name in _OF_EVAL:
        from .eval import api

        return getattr(api, name)
    if name in __all__:
        from . import rerankers

        return getattr(rerankers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
