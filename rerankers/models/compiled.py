"""Formulas that run as one kernel, on CUDA or on CPUs, and as they are elsewhere.

Between the matrix products of a layer, norms, rotations and gates move the states through memory once per torch
operator; fused, once. On CUDA the kernels are this project's own (`kernels`, in Triton): torch.compile, which would
make such kernels of the formulas, takes a process some seconds each time before it runs the first one. On CPUs the
compiler (torch.compile's C++, stored on disk by torch) takes seconds at its first use, so only what runs beside
int8 products uses it.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

log = logging.getLogger("rerankbench")
Formula = TypeVar("Formula", bound=Callable[..., Any])

_HALVES = (torch.bfloat16, torch.float16)
_WIDEST = 32768  # numbers in a row that one program of a kernel takes


def can_compile(x: Tensor) -> bool:
    """Return whether torch.compile makes kernels for the GPU that x is on."""
    return x.is_cuda and _has_triton() and _allow_shapes()


@cache
def _has_triton() -> bool:
    # torch's own answer would import its compiler
    try:
        import triton  # noqa: F401  # pyright: ignore[reportMissingImports]

        usable = torch.cuda.get_device_capability() >= (7, 0)
    except ImportError:
        usable = False
    if not usable:
        log.warning("Triton is unavailable for this GPU; falling back to slower kernels")
        return False
    if not _program("CC", "cc", "gcc", "clang"):
        log.warning("no C compiler on the PATH, which Triton needs; falling back to slower kernels")
        return False
    _choose_folder()
    return True


def _choose_folder() -> None:
    """Choose Triton's folder: where it cannot write below the home folder, kernels last as long as this process."""
    if os.environ.get("TRITON_CACHE_DIR"):
        return
    folder = Path(os.environ.get("TRITON_HOME") or "~", ".triton", "cache")
    try:
        folder.expanduser().mkdir(parents=True, exist_ok=True)
        if os.access(folder.expanduser(), os.W_OK):
            return
    except (OSError, RuntimeError):  # no home at all
        pass
    log.warning("%s cannot be written to: each process compiles its kernels; TRITON_CACHE_DIR names a folder", folder)
    os.environ["TRITON_CACHE_DIR"] = tempfile.mkdtemp(prefix="kernels-")
    atexit.register(shutil.rmtree, os.environ["TRITON_CACHE_DIR"], ignore_errors=True)


@cache
def _cpp() -> bool:
    if not _program("CXX", "c++", "g++", "clang++"):
        log.warning("no C++ compiler on the PATH; int8 falls back to slower kernels")
        return False
    return _allow_shapes()


def _program(variable: str, *names: str) -> bool:
    return any(shutil.which(name) for name in (os.environ.get(variable), *names) if name)


@cache
def _allow_shapes() -> bool:
    for limit in ("recompile_limit", "cache_size_limit"):  # its name before torch 2.6
        if hasattr(torch._dynamo.config, limit):  # 8 is few for a process that runs several models
            setattr(torch._dynamo.config, limit, max(64, getattr(torch._dynamo.config, limit)))
    return True


def fused(kernel: str) -> Callable[[Formula], Formula]:
    """Decorate a function of tensors, the first of which decides where it runs.

    In half precision on CUDA it is the function of this name in `kernels`, which takes the same arguments.
    """

    def decorate(formula: Formula) -> Formula:
        @wraps(formula)
        def run(x: Tensor, *rest: Any) -> Any:
            if x.is_cuda and x.dtype in _HALVES and x.shape[-1] <= _WIDEST and _has_triton():
                return _kernel(kernel)(x, *rest)
            return formula(x, *rest)

        return run  # pyright: ignore[reportReturnType]

    return decorate


@cache
def _kernel(name: str) -> Callable[..., Any]:
    from . import kernels  # on a GPU only: it imports Triton

    return getattr(kernels, name)


def compiled_on_cpus(formula: Formula) -> Formula:
    """Decorate a function of tensors on the CPU: one kernel where there is a C++ compiler."""
    made: list[Callable[..., Any]] = []

    @wraps(formula)
    def run(x: Tensor, *rest: Any) -> Any:
        if not _cpp():
            return formula(x, *rest)
        if not made:
            made.append(torch.compile(formula, dynamic=True))
        torch._dynamo.maybe_mark_dynamic(x, 0)  # the number of rows changes from batch to batch
        return made[0](x, *rest)

    return run  # pyright: ignore[reportReturnType]
