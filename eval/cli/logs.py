"""Log lines of a command."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from ..text.sanitize import one_line


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
    quiet_libraries()
    log = logging.getLogger("rerankbench")
    if not log.handlers:
        handler = _Stderr()
        handler.setFormatter(_OneLine("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)


_LIBRARIES = {  # logger -> the variable by which its library is asked for more
    "transformers": "TRANSFORMERS_VERBOSITY",
    "huggingface_hub": "HF_HUB_VERBOSITY",
    "ir_datasets": "",
    "sentence_transformers": "",
    "beir": "",
    "bm25s": "",
    "httpx": "",
    "urllib3": "",
}


def quiet_libraries() -> None:
    """Only errors of other libraries, unless their own variables ask for more: what matters is told by this package."""
    for name, variable in _LIBRARIES.items():
        if variable and variable in os.environ:
            continue
        if variable:
            os.environ[variable] = "error"  # for libraries that set their loggers when they are imported
        logger = logging.getLogger(name)
        logger.setLevel(logging.ERROR)
        logger.addFilter(_only_errors)  # ir_datasets sets its level when it first says something


def _only_errors(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR
