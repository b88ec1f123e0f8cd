"""How long a block may take before its worker counts as hung."""

from __future__ import annotations

SLOWER = 10.0  # than the slowest block so far, by estimated cost
LEAST = 60.0  # seconds; short blocks are not worth a restart
UNKNOWN = 3600.0  # seconds while no block has been seen


class Patience:
    """A fixed limit, or one derived from the estimated cost of a block and the slowest speed seen so far."""

    def __init__(self, fixed: float | None = None) -> None:
        """Take the fixed limit, in seconds."""
        self._fixed = fixed
        self._assumed = self._seen = 0.0  # seconds per unit of cost

    def assume(self, slowest: float) -> None:
        """Set the seconds per unit of cost until a block has been seen."""
        self._assumed = slowest

    def observe(self, cost: float, seconds: float) -> None:
        """Record that a block of this cost took so long."""
        self._seen = max(self._seen, seconds / cost if cost else 0.0)

    def seconds(self, cost: float) -> float:
        """Return the limit for a block of this cost."""
        if self._fixed is not None:
            return self._fixed
        if self._seen:
            return max(LEAST, SLOWER * cost * self._seen)
        return max(UNKNOWN, cost * self._assumed)
