"""One call of the command line under attack: its status, what it said, and what it left on disk."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from processes import started
from rerankbench.eval.cli import main


@dataclass(frozen=True)
class Outcome:
    """Exit status, stdout, stderr."""

    status: int
    out: str
    err: str

    def refused(self, *words: str) -> None:
        """Status 2, and one line on stderr that names every word; lines of a run's log may stand before it."""
        lines = self.err.splitlines()
        told = [line for line in lines if line.startswith("error: ")]
        assert self.status == 2, (self.status, self.err)
        assert len(told) == 1, self.err
        assert lines[-1] == told[0]
        assert "Traceback" not in self.err
        assert "fault in rerankbench" not in self.err or "fault in rerankbench" in "".join(words), self.err
        assert told[0].isprintable()
        for word in words:
            assert word in told[0], told[0]

    def well(self) -> Outcome:
        """Status 0 and no traceback."""
        assert self.status == 0, (self.status, self.err)
        assert "Traceback" not in self.err
        return self


def cli(*arguments: object) -> Outcome:
    """`rerankbench ARGUMENTS` in this process."""
    out, err = io.StringIO(), io.StringIO()
    status = 0
    logging.getLogger("rerankbench").handlers.clear()
    argv = ["rerankbench", *map(str, arguments)]
    with mock.patch.object(sys, "argv", argv), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return Outcome(status, out.getvalue(), err.getvalue())


def command(*arguments: object) -> list[str]:
    """The same as a command line of another process."""
    return [sys.executable, "-c", "from rerankbench.eval.cli import main; main()", *map(str, arguments)]


def spawn(*arguments: object, env: Mapping[str, str | None] | None = None, cwd: Path | None = None) -> Outcome:
    """`rerankbench ARGUMENTS` in a process of its own; `None` takes a variable out of its environment."""
    surroundings = {**os.environ, **{k: v for k, v in (env or {}).items() if v is not None}}
    for key, value in (env or {}).items():
        if value is None:
            surroundings.pop(key, None)
    done = subprocess.run(command(*arguments), capture_output=True, env=surroundings, cwd=cwd, timeout=120)
    return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def together(*calls: Sequence[object], folder: Path) -> list[Outcome]:
    """Several command lines at the same time, each in a process of its own; their outcomes are told in a new folder."""
    folder.mkdir()
    places = [folder / str(number) for number in range(len(calls))]
    with started(tell, list(zip(places, calls))) as processes:
        for process in processes:
            process.join(100)
        assert [process.exitcode for process in processes] == [0] * len(calls)
    return [Outcome(*json.loads(place.read_text())) for place in places]


def tell(place: Path, arguments: Sequence[object]) -> None:
    """One of them: its outcome, in a file."""
    done = cli(*arguments)
    place.write_text(json.dumps([done.status, done.out, done.err]))


def tell_interrupted(number: int, place: Path, arguments: Sequence[object]) -> None:
    """The outcome of a command that gets a signal when the candidates are stored and nothing is scored yet."""
    interrupt = mock.Mock(side_effect=lambda *_: os.kill(os.getpid(), number))
    with mock.patch("rerankbench.eval.runner.run.check_first_stage", interrupt):
        tell(place, arguments)


def on_disk(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes; links are told as links."""
    found: dict[str, bytes] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = b"-> " + os.fsencode(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TimeoutError after that long, also in an endless loop of Python."""

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
