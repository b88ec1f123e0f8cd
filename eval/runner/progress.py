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
        self.title, self.pairs, self.stored, self.done = title, pairs, stored, 0
        self.start = perf_counter()
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

    def add(self, pairs: int) -> None:
        """Count some more stored pairs."""
        self.done += pairs
        self.bar.update(pairs)

    def _log_progress(self) -> None:
        """Log a line now and then, also during a long block."""
        while not self.ended.wait(_SECONDS_BETWEEN_LINES):
            done, seconds = self.done, perf_counter() - self.start
            share = 100 * (self.stored + done) / self.pairs
            if not done:
                log.info("%s: %.0f %%, first block on its way for %s", self.title, share, _format_seconds(seconds))
                continue
            left = (self.pairs - self.stored - done) * seconds / done
            log.info("%s: %.0f %%, %.1f pairs/s, %s left", self.title, share, done / seconds, _format_seconds(left))

    def close(self) -> None:
        """Stop: all pairs are stored, or the run ends before that."""
        self.ended.set()
        self.bar.close()
        if self.done:
            seconds = perf_counter() - self.start
            log.info("%s: done in %s, %.1f pairs/s", self.title, _format_seconds(seconds), self.done / seconds)


def _format_seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d} h" if hours else f"{minutes}:{rest:02d} min"
