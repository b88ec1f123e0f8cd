"""How numbers are written."""

from __future__ import annotations

import re

from ...rerankers.errors import InputError

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def flops(value: float) -> str:
    """Return `1.23 TFLOP`: three significant digits."""
    power = 0
    while value >= 999.5 and power < len(_PREFIXES) - 1:
        value /= 1000
        power += 1
    digits = 0 if value >= 99.95 or not power else 1 if value >= 9.995 else 2
    return f"{value:.{digits}f} {_PREFIXES[power]}FLOP"


def size(value: float) -> str:
    """Return `17.2 GB`, with decimal prefixes."""
    return flops(value).replace("FLOP", "B")


def share(per_cent: float) -> str:
    """Return `59.6 %`."""
    return f"{per_cent:.1f} %"


def energy(joules: float) -> str:
    """Return `1.23 kJ`, `4.56 MJ`."""
    return flops(joules).replace("FLOP", "J")


def usd(value: float) -> str:
    """Return `$12.34`, `$0.00123`: cents, or three significant digits below one."""
    return f"${value:,.2f}" if value >= 0.995 else f"${float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")


def parse_flops(text: str, where: str, whole: float) -> float:
    """Parse FLOPs that `2TFLOP`, `350 GFLOP`, `2e12` or `70%` (of `whole`) write.

    Raises InputError for anything else and for nothing at all.
    """
    number = r"([0-9]{1,15}(?:\.[0-9]{1,15})?(?:[eE]\+?[0-9]{1,2})?)"
    match = re.fullmatch(rf"{number} ?(?:([kMGTPEZ]?)(?:FLOPs?)?|(%))", text.strip())
    value = float(match[1]) * (whole / 100 if match[3] else 1000.0 ** _PREFIXES.index(match[2])) if match else 0.0
    if not 0 < value < 1e30:
        raise InputError(f"{where} '{text:.40}': expected FLOPs such as 2TFLOP, 350 GFLOP or 70%")
    return value
