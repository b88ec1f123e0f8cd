"""Options that commands with tests share."""

from __future__ import annotations

from enum import Enum


class Correction(str, Enum):
    """Keys of `statistics.CORRECTIONS`."""

    holm = "holm"
    bh = "bh"
