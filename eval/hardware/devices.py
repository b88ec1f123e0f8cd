"""Peak speeds of devices, from configs/devices.yaml."""

from __future__ import annotations

from ...configs import CONFIGS, read
from ...rerankers.errors import InputError, suggest


def find_speed(device: str | None, tflops: float | None) -> float | None:
    """TFLOP/s of a device, or as given. Raises InputError for an unknown device or when both are given."""
    if device is None:
        if tflops is not None and tflops <= 0:
            raise InputError(f"--tflops {tflops}: must be positive")
        return tflops
    if tflops is not None:
        raise InputError("--device and --tflops: give one of them")
    known = read(CONFIGS / "devices.yaml")
    if device not in known:
        raise InputError(f"--device '{device}' is unknown{suggest(device, known)}; or give --tflops")
    return float(known[device])
