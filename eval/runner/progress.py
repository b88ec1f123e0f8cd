"""Progress on stderr: a bar on a terminal, else a plain line now and then."""

from __future__ import annotations

import logging
import sys
from time import perf_counter

from tqdm import tqdm

log = logging.getLogger("rerankbench")

_SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """Counts pairs. Rate and time left come from the pairs of this process alone, not from stored ones."""

    def __init__(self, title: str, pairs: int, stored: int) -> None:
        self.title, self.pairs, self.stored, self.done = title, pairs, stored, 0
        self.start = self.last = perf_counter()
        kept = f", {stored:,} of them stored already" if stored else ""
        log.info("%s: %s pairs%s", title, f"{pairs:,}", kept)
        self.bar = tqdm(
            total=pairs,
            initial=stored,
            desc=title,
            unit=" pairs",
            dynamic_ncols=True,
            leave=False,
            disable=not sys.stderr.isatty(),
        )

    def add(self, pairs: int) -> None:
        """Some more pairs are stored."""
        self.done += pairs
        self.bar.update(pairs)
        now = perf_counter()
        if self.bar.disable and now - self.last > _SECONDS_BETWEEN_LINES:
            self.last = now
            rate = self.done / (now - self.start)
            left = (self.pairs - self.stored - self.done) / rate
            share = (self.stored + self.done) / self.pairs
            log.info("%s: %.0f %%, %.1f pairs/s, %s left", self.title, 100 * share, rate, _clock(left))

    def close(self) -> None:
        """All pairs are stored."""
        self.bar.close()
        if self.done:
            seconds = perf_counter() - self.start
            log.info("%s: done in %s, %.1f pairs/s", self.title, _clock(seconds), self.done / seconds)


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"
