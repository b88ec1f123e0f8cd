"""Energy counters where the machine lets them be read: NVML of a GPU, RAPL of the processor's packages.

A counter is of the whole device or package, whatever else runs there, idle power included. RAPL counts no memory on
most machines, and the files are readable by root alone on many.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_RAPL = Path("/sys/class/powercap")
Meter = Callable[[], float]  # joules since some time; differences count


def meter(device: str, rapl: Path = _RAPL) -> Meter | None:
    """Return a meter of the energy of a torch device in joules; None where nothing can be read."""
    if device.startswith("cuda"):
        return _open_nvml(device)
    return _open_packages(rapl) if device == "cpu" else None


def _open_nvml(device: str) -> Meter | None:
    """Return NVML's total energy of a GPU, in Volta and later; needs nvidia-ml-py."""
    try:
        import pynvml  # pyright: ignore[reportMissingImports]
        import torch

        pynvml.nvmlInit()
        uuid = str(torch.cuda.get_device_properties(torch.device(device)).uuid)
        handle = pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except Exception:  # the library is absent, or has no counter for this device
        return None
    return lambda: pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000


def _open_packages(root: Path) -> Meter | None:
    """Return the sum over the packages `intel-rapl:N`, which AMD's processors have, too; counters may wrap."""
    zones = sorted(path for path in root.glob("intel-rapl:*") if path.name.count(":") == 1)
    try:
        spans = [int((zone / "max_energy_range_uj").read_text()) for zone in zones]
        before = [int((zone / "energy_uj").read_text()) for zone in zones]
    except (OSError, ValueError):
        return None
    if not zones:
        return None
    total = 0

    def read() -> float:
        nonlocal total
        for number, zone in enumerate(zones):
            now = int((zone / "energy_uj").read_text())
            total += (now - before[number]) % (spans[number] + 1)
            before[number] = now
        return total / 1e6

    return read
