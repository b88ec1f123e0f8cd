"""What a device can do at most: a large matrix product, timed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any

from ...rerankers.api import REMOTE


@cache
def peak_tflops(device: str, dtype: str) -> float:
    """Run `measure_peak`, once per process."""
    return measure_peak(device, dtype)


def measure_peak(device: str, dtype: str, seconds: float = 0.3) -> float:
    """Measure TFLOP/s of the fastest of several square matrix products that fill about `seconds`.

    For `int8` these are operations on integers.
    """
    import torch

    cuda = device.startswith("cuda")
    size = 8192 if cuda else 1024
    product = _make_product(size, device, dtype)
    best, started = float("inf"), perf_counter()
    while perf_counter() - started < seconds:
        start = perf_counter()
        product()
        if cuda:
            torch.cuda.synchronize(device)
        best = min(best, perf_counter() - start)
    return 2 * size**3 / best / 1e12


def _make_product(size: int, device: str, dtype: str) -> Callable[[], Any]:
    import torch

    if dtype == "int8":
        whole = torch.randint(-127, 128, (size, size), dtype=torch.int8, device=device)
        return lambda: torch._int_mm(whole, whole)  # pyright: ignore[reportPrivateImportUsage]
    a = torch.randn(size, size, device=device)
    if dtype != "fp8":
        a = a.to(getattr(torch, dtype))
        return lambda: a @ a
    eight, scale = a.to(torch.float8_e4m3fn), torch.ones((), device=device)
    arguments = {"scale_a": scale, "scale_b": scale, "out_dtype": torch.bfloat16, "use_fast_accum": True}
    return lambda: torch._scaled_mm(eight, eight.t(), **arguments)  # pyright: ignore[reportPrivateImportUsage]


def peak_memory(device: str) -> int:
    """Return the most bytes in use: on the GPU if the model is there, else of this process; 0: unknown."""
    if device == REMOTE:
        return 0
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    import sys

    if sys.platform == "win32":  # has no `resource`
        return 0
    import resource

    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return rss if sys.platform == "darwin" else rss * 1024


def device_name(device: str) -> str:
    """Return the product name of a device, as far as the system has it."""
    if device == REMOTE:
        return REMOTE
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return _read_cpu_name()


@cache
def _read_cpu_name() -> str:
    import platform
    from pathlib import Path

    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
