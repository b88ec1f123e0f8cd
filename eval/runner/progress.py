"""Progress on stderr: a bar on a terminal, else a plain line now and then."""

from __future__ import annotations

import logging
import sys
import threading
from time import perf_counter

from tqdm import tqdm

log = logging.getLogger("rerankbench")

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts pairs. Rate and time left come from the pairs of this process alone, not from stored ones."""

    def __init__(self, title: str, pairs: int, stored: int) -> None:
        self.title, self.pairs, self.stored = title, pairs, stored
        self.done = 0  # in stored blocks
        self.scored = 0  # with those of the block that is on its way
        self.start = self.last = perf_counter()
        note = f", {stored:,} of them stored already" if stored else ""
        log.info("%s: %s pairs%s", title, f"{pairs:,}", note)
        self.bar = tqdm(
            total=pairs,
            initial=stored,
            desc=title,
            unit=" pairs",
            dynamic_ncols=True,
            leave=False,
            disable=not sys.stderr.isatty(),
        )
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._log_progress, daemon=True)
        if self.bar.disable and stored < pairs:
            self.thread.start()

    def inside(self, pairs: int) -> None:
        """Count so many pairs of the block that is on its way."""
        self._show(self.done + pairs)

    def add(self, pairs: int) -> None:
        """Count some more stored pairs."""
        self.done += pairs
        self._show(self.done)

    def _show(self, scored: int) -> None:
        if scored > self.scored:
            self.bar.update(scored - self.scored)
            self.scored, self.last = scored, perf_counter()

    def _log_progress(self) -> None:
        """Log a line now and then, also during a long block."""
        while not self.ended.wait(_SECONDS_BETWEEN_LINES):
            log.info("%s: %s", self.title, self.line(perf_counter()))

    def line(self, now: float) -> str:
        """Return how far it is at a time, `12 %, 3.4 pairs/s, 5:06 min left`.

        The rate is that of the last time that pairs were counted, so that the time left falls while a batch runs.
        """
        share = 100 * (self.stored + self.scored) / self.pairs
        if not self.scored or self.last <= self.start:
            return f"{share:.0f} %, first batch on its way for {_format_seconds(now - self.start)}"
        rate = self.scored / (self.last - self.start)
        left = (self.pairs - self.stored - self.scored) / rate - (now - self.last)
        text = f"{_format_seconds(left)} left" if left > 0 else "a batch takes longer than those before it"
        return f"{share:.0f} %, {rate:.1f} pairs/s, {text}"

    def close(self) -> None:
        """Stop: all pairs are stored, or the run ends before that."""
        self.ended.set()
        self.bar.close()
        if self.done and self.stored + self.done >= self.pairs:
            seconds = perf_counter() - self.start
            log.info("%s: done in %s, %.1f pairs/s", self.title, _format_seconds(seconds), self.done / seconds)


def _format_seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"
