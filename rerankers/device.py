"""Where and in which precision a model runs."""

from __future__ import annotations

import logging

import torch

from .errors import InputError, suggest

log = logging.getLogger("rerankbench")

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """The torch device of a name; `auto` is CUDA if there is one, else the CPU, and says so."""
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
    """The torch dtype of a name; `auto` is bfloat16 on a CUDA device that has it, else float32, and says so."""
    if name == "auto":
        half = device.type == "cuda" and torch.cuda.is_bf16_supported()
        why = "the CUDA device computes in it" if half else f"exact, on {device.type}"
        log.info("dtype auto: %s (%s)", "bfloat16" if half else "float32", why)
        return torch.bfloat16 if half else torch.float32
    if name not in _DTYPES:
        raise InputError(f"dtype '{name}' is unknown{suggest(name, ['auto', *_DTYPES])}")
    return _DTYPES[name]


def dtype_name(dtype: torch.dtype) -> str:
    """`float32`, `bfloat16`, `float16`."""
    return str(dtype).removeprefix("torch.")
