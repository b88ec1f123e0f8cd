"""What decides which accelerators torch finds, read without torch, whose import takes seconds."""

from __future__ import annotations

import os
from pathlib import Path

_NODES = ("nvidia*", "dxg", "kfd", "dri/render*")  # below /dev: NVIDIA's, those of WSL, AMD's
_DRIVERS = ("driver/nvidia/version", "driver/nvidia/gpus/*/information")  # below /proc: the names of the GPUs, too
_VARIABLES = ("CUDA_", "NVIDIA_", "HIP_", "ROCR_", "HSA_", "LD_", "PYTORCH_")


def accelerators() -> dict[str, str]:
    """Return device files and who may open them, drivers, and the variables that hide devices or lead to other drivers.

    With the same torch and the same answer, torch finds the same devices.
    """
    nodes = {str(path): str(os.access(path, os.R_OK | os.W_OK)) for path in _list_existing(Path("/dev"), _NODES)}
    drivers = {str(path): _read_text(path) for path in _list_existing(Path("/proc"), _DRIVERS)}
    return {**nodes, **drivers, **{key: value for key, value in os.environ.items() if key.startswith(_VARIABLES)}}


def _list_existing(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it counts that it is there
        return ""
