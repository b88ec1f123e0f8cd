"""Processes of their own that begin with everything imported, so that several start in the same moment, at no cost."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_IMPORTED = ("rerankbench.eval.cli.run", "rerankbench.eval.runner.run", "rerankbench.eval.tables", "transformers")


def forkserver(*modules: str) -> ForkServerContext:
    """A context whose processes have these modules and those of a run; the first call in a session decides."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*modules, *_IMPORTED])
    return context


@contextmanager
def started(target: Callable[..., Any], calls: Sequence[Sequence[Any]]) -> Iterator[list[BaseProcess]]:
    """`target(*call)` for every call at the same time, in the folder and with the variables of this process."""
    context = forkserver(target.__module__)
    here = Path.cwd(), dict(os.environ)
    found: list[BaseProcess] = [context.Process(target=_here, args=(*here, target, *call)) for call in calls]
    for process in found:
        process.start()
    try:
        yield found
    finally:
        for process in found:
            process.kill()
            process.join()


def _here(folder: Path, variables: Mapping[str, str], target: Callable[..., Any], *call: Any) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(variables)
    target(*call)
