"""Log lines of a command."""

from __future__ import annotations

import logging
import sys


def log_to_stderr() -> None:
    """Plain lines on stderr, for this package's logger only."""
    log = logging.getLogger("rerankbench")
    if not log.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
