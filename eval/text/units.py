"""How numbers are written."""

from __future__ import annotations

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def flops(value: float) -> str:
    """`1.23 TFLOP`: three significant digits."""
    power = 0
    while value >= 999.5 and power < len(_PREFIXES) - 1:
        value /= 1000
        power += 1
    digits = 0 if value >= 99.95 or not power else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {_PREFIXES[power]}FLOP"


def size(value: float) -> str:
    """`17.2 GB`, with decimal prefixes."""
    return flops(value).replace("FLOP", "B")


def share(per_cent: float) -> str:
    """`59.6 %`."""
    return f"{per_cent:.1f} %"
