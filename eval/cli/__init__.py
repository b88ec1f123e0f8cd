"""The command line: every end of a command is a status that CI can act on, and at most one line on stderr.

0: done. 1: worse than the baseline (and `doctor`, `parity`, `published --strict`). 2: anything else that went wrong.
130, 141, 143: interrupted, a closed pipe, terminated.

Nothing is imported here that takes time, so that Ctrl-C is heard from the start.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

_FAILED, _INTERRUPTED, _CLOSED_PIPE, _TERMINATED = 2, 130, 141, 143
_SHOW = "RERANKBENCH_TRACEBACK"


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(name)
    from .commands import app

    return app


def main() -> None:
    """Entry point."""
    try:
        with _inert_streams(), _heard():
            sys.exit(_status())
    except KeyboardInterrupt:  # before anything began, or while it ended
        sys.exit(_INTERRUPTED)


def _status() -> int:
    try:
        os.environ.setdefault("_TYPER_FORCE_DISABLE_TERMINAL", "1")  # help in colours would not be inert
        _check_arguments(sys.argv[1:])
        from .commands import app

        status = app(standalone_mode=False)
        if status == _INTERRUPTED:  # what typer makes of Ctrl-C
            return _interrupted()
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except _Terminated:
        return _told("terminated; the same command continues where it stopped", _TERMINATED)
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BaseException as err:
        if isinstance(err, BrokenPipeError) or type(err).__name__ == "ClosedPipe":
            return _closed_pipe()
        if type(err).__name__ == "Abort":  # what click makes of Ctrl-C
            return _interrupted()
        if type(err).__name__ == "NoArgsIsHelpError":  # the command alone; typer has printed its help
            return 0
        if os.environ.get(_SHOW):
            raise
        return _told(f"error: {_said(err)}", _FAILED)


def _check_arguments(arguments: Sequence[str]) -> None:
    """Raises InputError for what no path, name or text can be: nothing, NUL, bytes that are no text."""
    from ...rerankers.errors import InputError

    before = "the first argument"
    for one in arguments:
        key, equals, value = one.partition("=")
        if not one or (one.startswith("--") and equals and not value):
            raise InputError(f"{key or before}: is empty; was a variable not set?")
        if "\0" in one or any("\ud800" <= char <= "\udfff" for char in one):
            raise InputError(f"argument {one!a:.80}: holds NUL, or bytes that are no text; give UTF-8")
        before = one


def _said(err: BaseException) -> str:
    from ...rerankers.errors import InputError, ScoreError

    if isinstance(err, (InputError, ScoreError)):
        return str(err)
    if hasattr(err, "format_message"):  # click's, of the arguments
        return err.format_message()  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(err, OSError):
        place = err.filename2 or err.filename
        said = err.strerror or str(err) or type(err).__name__
        return f"{os.fsdecode(place)}: {said}" if isinstance(place, (str, bytes)) else said
    if isinstance(err, MemoryError):
        return "out of memory; give it a smaller block_queries, token_budget or file"
    if isinstance(err, RuntimeError) and "home directory" in str(err):
        return "there is no home folder; set HOME, or RERANKBENCH_CACHE and HF_HOME"
    trace = err.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""  # noqa: PTH119
    return f"fault in rerankbench: {type(err).__name__}: {err}{where}; please report it ({_SHOW}=1 shows more)"


def _told(line: str, status: int) -> int:
    from ..text.sanitize import one_line

    with suppress(OSError, ValueError):
        sys.stdout.flush()
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{one_line(line)}\n")
        sys.stderr.flush()
    return status


def _interrupted() -> int:
    return _told("interrupted; the same command continues where it stopped", _INTERRUPTED)


def _closed_pipe() -> int:
    with suppress(OSError, ValueError):  # or Python would try once more, and complain, when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _CLOSED_PIPE


@contextmanager
def _inert_streams() -> Iterator[None]:
    from ..text.sanitize import SanitizedStream

    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = SanitizedStream(out), SanitizedStream(err)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err


class _Terminated(BaseException):
    """SIGTERM came."""


@contextmanager
def _heard() -> Iterator[None]:
    """SIGTERM unwinds as Ctrl-C does, so that nothing half-written stays."""

    def stop(*_: Any) -> NoReturn:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread, where signals are somebody else's business
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
