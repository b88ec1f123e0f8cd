"""Where and in which precision a model runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import InputError, suggest
from ..models.fp8 import fp8_matrix, fp8_runs_here
from ..models.int8 import Int8Matrix, int8_kernel
from ..models.onednn import blocked, set_cache_limits
from ..options import LoadOptions

log = logging.getLogger("rerankbench")

INT8, FP8 = EIGHT_BITS = ("int8", "fp8")
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """What a native model computes in.

    Attributes:
        name: in identities and tables: `float32`, `bfloat16`, `float16`, `int8` or `fp8`.
        dtype: of states, and of weights other than the matrices of the layers.
        arrange: brings a matrix (out, in) of a layer into the form that `Ops` multiplies with.
    """

    name: str
    dtype: torch.dtype
    arrange: Callable[[torch.Tensor], Any] = blocked


@dataclass(frozen=True)
class Placement:
    """Where a model runs, in which precision, and how many tokens go through it at a time.

    Attributes:
        token_budget: most tokens in one forward pass; None lets the adapter choose by the device.
    """

    device: torch.device
    precision: Precision
    token_budget: int | None = None

    @classmethod
    def of(cls, options: LoadOptions, *, native: bool = True) -> Placement:
        """Resolve the options; eight bits are for `native` models. Raises InputError for what is absent here."""
        set_cache_limits()
        device = resolve_device(options.device)
        if native:
            return cls(device, resolve_precision(options.dtype, device), options.token_budget)
        dtype = resolve_dtype(options.dtype, device)
        return cls(device, Precision(dtype_name(dtype), dtype), options.token_budget)

    def budget(self, usual: Mapping[str, int]) -> int:
        """Return the token budget, or the usual one of the device's type."""
        return self.token_budget or usual.get(self.device.type, usual["cpu"])


def resolve_device(name: str) -> torch.device:
    """Return the torch device of a name; `auto` is CUDA if there is one, else the CPU, and is logged."""
    if name == "auto":
        cuda = torch.cuda.is_available()
        log.info("device auto: %s (%s)", *(("cuda", "a CUDA device is present") if cuda else ("cpu", "no CUDA device")))
        return torch.device("cuda" if cuda else "cpu")
    if name.partition(":")[0] == "mps" and not torch.backends.mps.is_available():
        raise InputError(f"device '{name}' cannot be used here: PyTorch finds no GPU of Apple's; use cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as err:
        raise InputError(f"device '{name}' cannot be used here: {str(err).splitlines()[0]}") from err
    return device


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the torch dtype of a name; `auto` is bfloat16 on CUDA devices that have it, else float32; logged."""
    if name == "auto":
        half = device.type == "cuda" and torch.cuda.is_bf16_supported()
        why = "the CUDA device computes in it" if half else f"exact, on {device.type}"
        log.info("dtype auto: %s (%s)", "bfloat16" if half else "float32", why)
        return torch.bfloat16 if half else torch.float32
    if name in EIGHT_BITS:
        raise InputError(f"dtype '{name}' is for models of the native families; others run in float32 or bfloat16")
    if name not in _DTYPES:
        raise InputError(f"dtype '{name}' is unknown{suggest(name, ['auto', *_DTYPES, *EIGHT_BITS])}")
    return _DTYPES[name]


def resolve_precision(name: str, device: torch.device) -> Precision:
    """Resolve as `resolve_dtype` does, with eight bits where the device multiplies them, and bfloat16 in between."""
    if name == INT8:
        kernel = int8_kernel() if device.type == "cpu" else None
        if kernel is None:
            raise InputError(
                "dtype 'int8' needs a CPU with VNNI or AMX instructions, and a newer torch than 2.5; device "
                f"'{device}' has none for it"
            )
        if kernel.faster is not None:
            raise InputError(f"dtype 'int8' is slower than {kernel.faster} on this CPU; use dtype {kernel.faster}")
        return Precision(INT8, torch.bfloat16, Int8Matrix)
    if name == FP8:
        if not fp8_runs_here(device):
            raise InputError(
                f"dtype 'fp8' needs an NVIDIA GPU of compute capability 9.0 or more (H100, B200); device '{device}' "
                "is none that this torch multiplies it on"
            )
        return Precision(FP8, torch.bfloat16, fp8_matrix)
    dtype = resolve_dtype(name, device)
    return Precision(dtype_name(dtype), dtype)


def dtype_name(dtype: torch.dtype) -> str:
    """Return `float32`, `bfloat16` or `float16`."""
    return str(dtype).removeprefix("torch.")
