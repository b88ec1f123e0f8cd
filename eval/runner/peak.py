"""What a device can do at most: a large matrix product, timed."""

from __future__ import annotations

from functools import cache
from time import perf_counter

from ...rerankers.api import REMOTE


@cache
def peak_tflops(device: str, dtype: str) -> float:
    """`measure_peak`, once per process."""
    return measure_peak(device, dtype)


def measure_peak(device: str, dtype: str, seconds: float = 0.3) -> float:
    """TFLOP/s of the fastest of several square matrix products that fill about `seconds`.

    For `int8` these are operations on integers.
    """
    import torch

    cuda = device.startswith("cuda")
    size = 8192 if cuda else 1024
    eight_bits = dtype == "int8"
    a = torch.randint(-127, 128, (size, size), dtype=torch.int8) if eight_bits else torch.randn(size, size)
    a, product = a.to(device, getattr(torch, dtype)), getattr(torch, "_int_mm" if eight_bits else "matmul")
    best, started = float("inf"), perf_counter()
    while perf_counter() - started < seconds:
        start = perf_counter()
        product(a, a)
        if cuda:
            torch.cuda.synchronize(device)
        best = min(best, perf_counter() - start)
    return 2 * size**3 / best / 1e12


def peak_memory(device: str) -> int:
    """Most bytes in use: on the GPU if the model is there, else resident memory of this process; 0: not known."""
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
    """The product name of a device, as far as the system tells."""
    if device == REMOTE:
        return REMOTE
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return _cpu()


@cache
def _cpu() -> str:
    import platform
    from pathlib import Path

    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
