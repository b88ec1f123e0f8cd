"""Code of a folder that nobody has read, such as a chat template: run for so long, with so much memory, and no longer.

A loop in Python can be interrupted, one power of two large numbers cannot. So it runs in a child of this process, which
is ended when its time is over; where a system has no fork, in a thread, which is abandoned.
"""

from __future__ import annotations

import json
import os
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

_MEMORY = 1 << 30  # bytes that it may take
_CHUNK = 1 << 16


class TookTooLong(Exception):
    """The time was over."""


def run_limited(work: Callable[[], Any], seconds: float) -> Any:
    """Run `work` and return its result, as JSON has it.

    Raises TookTooLong, or RuntimeError with the message of what it raises.
    """
    answer = _run_forked(work, seconds) if hasattr(os, "fork") else _run_in_thread(work, seconds)
    try:
        result = json.loads(answer)
    except ValueError:
        raise RuntimeError("it ended without a result; did it run out of memory?") from None
    if "error" in result:
        raise RuntimeError(result["error"])
    return result["value"]


def _run_to_bytes(work: Callable[[], Any]) -> bytes:
    try:
        return json.dumps({"value": work()}).encode()
    except BaseException as err:
        return json.dumps({"error": f"{type(err).__name__}: {err}"}).encode()


def _run_in_thread(work: Callable[[], Any], seconds: float) -> bytes:
    answers: list[bytes] = []
    thread = threading.Thread(target=lambda: answers.append(_run_to_bytes(work)), daemon=True)
    thread.start()
    thread.join(seconds)
    if not answers:
        raise TookTooLong
    return answers[0]


def _run_forked(work: Callable[[], Any], seconds: float) -> bytes:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child uses none, and no lock of theirs
        child = os.fork()
    if child == 0:
        _be_child(work, writing, seconds)
    try:
        os.close(writing)
        return _read(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)
        with suppress(OSError):
            os.waitpid(child, 0)


def _be_child(work: Callable[[], Any], writing: int, seconds: float) -> NoReturn:
    try:
        import resource

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        limit = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        with suppress(OSError, ValueError):
            size = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")  # noqa: PTH123, SIM115
            resource.setrlimit(resource.RLIMIT_AS, (size + _MEMORY, size + _MEMORY))
        answer = memoryview(_run_to_bytes(work))
        while answer:
            answer = answer[os.write(writing, answer) :]
    finally:
        os._exit(0)  # no handler of the parent's runs twice


def _read(reading: int, end: float) -> bytes:
    parts: list[bytes] = []
    while True:
        if not select.select([reading], [], [], max(0.0, end - time.monotonic()))[0]:
            raise TookTooLong
        part = os.read(reading, _CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)
