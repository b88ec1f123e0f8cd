"""Log lines of a command."""

from __future__ import annotations

import logging
import sys
from typing import Any

from ..text.inert import one_line


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return one_line(super().format(record))


class _Stderr(logging.StreamHandler):  # pyright: ignore[reportMissingTypeArgument]
    """Whatever stderr is when a line comes."""

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _: Any) -> None:
        return


def log_to_stderr() -> None:
    """Plain lines on stderr, for this package's logger only."""
    log = logging.getLogger("rerankbench")
    if not log.handlers:
        handler = _Stderr()
        handler.setFormatter(_OneLine("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
