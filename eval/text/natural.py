"""Names in the order in which a person would put them: `l2` before `l12`."""

from __future__ import annotations

import re
from collections.abc import Iterable


def natural(names: Iterable[str]) -> list[tuple[list[str | int], str]]:
    """Return a key to sort by: words by letter, whole numbers in them by value, and what is equal so by letter."""
    return [([int(p) if i % 2 else p for i, p in enumerate(re.split(r"([0-9]+)", name))], name) for name in names]
