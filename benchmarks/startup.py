"""Seconds until a command answers, and until the first block of a small job is scored, by phase.

Each figure is the median of --rounds processes, smallest and largest behind it; files are in the page cache. The job
is `builtin/en` by BM25 and the quickstart's model, in a folder of its own, with nothing kept from before.
Run: python startup.py
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

JOB = ["run", "--model", "all-minilm-l6-v2", "--dataset", "builtin/en", "--out"]
COMMANDS = (["--version"], ["--help"], ["ls", "models"], ["ls", "datasets"], [*JOB, "finished"])


class Phases:
    """Seconds in some functions, each without those within it."""

    def __init__(self, started: float) -> None:
        self.seconds: dict[str, float] = {}
        self._open: list[str] = []
        self._last = started
        self.enter("start: Python, the command, its options")

    def enter(self, name: str) -> None:
        self._count()
        self._open.append(name)

    def leave(self) -> None:
        self._count()
        self._open.pop()

    def _count(self) -> None:
        now = time.time()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._last
        self._last = now

    def wrap(self, place: Any, attribute: str, name: str, *, last: bool = False) -> None:
        inner = getattr(place, attribute)

        def outer(*arguments: Any, **keys: Any) -> Any:
            self.enter(name)
            try:
                done = inner(*arguments, **keys)
            finally:
                self.leave()
            if last:  # no more is to be measured
                print(json.dumps(self.seconds), flush=True)
                os._exit(0)
            return done

        setattr(place, attribute, outer)


def first_block(started: float, folder: str) -> None:
    """One job in this process, told when it began; prints seconds by phase."""
    phases = Phases(started)
    from rerankbench.eval import cli
    from rerankbench.eval.results import store
    from rerankbench.eval.runner import engine, first_stage, run
    from rerankbench.eval.runner import identity_cache as known

    phases.wrap(run, "load_dataset", "read the dataset")
    phases.wrap(first_stage, "retrieve", "BM25")
    phases.wrap(run, "_write_first_stage_cell", "judge the first stage")
    phases.wrap(known, "_file", "look for a finished run")
    phases.wrap(store.PassScores, "write", "score the first block", last=True)
    load = engine.LocalEngine.__init__

    def with_imports(self: Any, *arguments: Any) -> None:
        phases.enter("import torch")
        import torch  # noqa: F401

        phases.leave()
        phases.enter("load the model, with other imports")
        load(self, *arguments)
        phases.leave()
        phases.enter("score the first block")

    engine.LocalEngine.__init__ = with_imports
    sys.argv = ["rerankbench", *JOB, folder]
    cli.main()


def process(words: list[str], folder: Path) -> tuple[float, str]:
    environment = {**os.environ, "RERANKBENCH_CACHE": str(folder / "cache")}
    start = time.perf_counter()
    done = subprocess.run(words, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, done.stdout


def row(name: str, seconds: list[float]) -> str:
    return f"| {name} | {statistics.median(seconds):.2f} s | {min(seconds):.2f} to {max(seconds):.2f} s |"


def in_new_folders(rounds: int, work: Callable[[Path], Any]) -> list[Any]:
    found = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            found.append(work(Path(folder)))
    return found


def phases_of(folder: Path) -> dict[str, float]:
    program = [sys.executable, str(Path(__file__).resolve()), "--first-block", repr(time.time()), "out"]
    return json.loads(process(program, folder)[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--first-block", nargs=2, metavar=("STARTED", "FOLDER"), help="used by the benchmark itself")
    wanted = parser.parse_args()
    if wanted.first_block:
        return first_block(float(wanted.first_block[0]), wanted.first_block[1])
    print("| command | median | smallest to largest |\n|---|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        command = [str(Path(sys.executable).with_name("rerankbench"))]
        process([*command, *JOB, "finished"], Path(name))  # whose second run is a finished one
        for words in COMMANDS:
            seconds = [process([*command, *words], Path(name))[0] for _ in range(wanted.rounds)]
            print(row(f"`rerankbench {' '.join(words)}`" + (", again" if "finished" in words else ""), seconds))
    print("\n| until the first block is stored | median | smallest to largest |\n|---|--:|--:|")
    found = in_new_folders(wanted.rounds, phases_of)
    for phase in found[0]:
        print(row(phase, [one[phase] for one in found]))
    print(row("in all", [sum(one.values()) for one in found]))
    return None


if __name__ == "__main__":
    main()
