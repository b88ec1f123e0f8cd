"""What a batch frees stays with the process, for the next batch.

glibc's malloc maps a block of 32 MB or more again each time, and gives what is free at the top of its heap back to the
system. The states of a batch on a CPU are such blocks, so every batch would wait for its pages once more
(mallopt(3): M_MMAP_THRESHOLD, M_TRIM_THRESHOLD; both were fixed numbers of bytes when this was written, in malloc.h).
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

_TRIM, _TOP_PAD, _MMAP = -1, -2, -3  # malloc.h of glibc
_OWN = 256 * 2**20  # bytes; what is larger is still mapped by itself
_KEPT = 2**30


@cache
def keep_freed_memory() -> bool:
    """Keep up to 1 GiB; return whether that was possible. A user's own MALLOC_* variables are left alone."""
    if any(f"MALLOC_{name}_" in os.environ for name in ("TRIM_THRESHOLD", "MMAP_THRESHOLD", "TOP_PAD")):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, macOS or Windows
        return False
    chosen = {_MMAP: _OWN, _TRIM: _KEPT, _TOP_PAD: _OWN // 4}
    return min(set_option(option, value) for option, value in chosen.items()) == 1
