"""Alternating rounds: every engine scores the same pairs once per round, each in a process of its own."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from .options import Hardware

OURS = "rerankbench"


@dataclass(frozen=True)
class Files:
    """What all workers read, below one temporary folder."""

    folder: Path
    family: str

    @property
    def checkpoint(self) -> Path:
        """The model's folder."""
        return self.folder / "checkpoint"

    @property
    def pairs(self) -> Path:
        """The texts, as JSON."""
        return self.folder / "pairs.json"


@dataclass
class Contender:
    """One engine of the comparison.

    Attributes:
        name: what tables call it.
        kind: `rerankbench` or a peer of configs/bench.yaml.
        python: interpreter that has it.
        options: the setup of its worker.
        rounds: one answer of the worker per counted round.
        scores: of the last round.
        versions: of the packages that it runs by.
        grid: the places that it may run at; one of several is chosen by trial.
        point: the place that it runs at.
        refused: places that it cannot run at, and why.
    """

    name: str
    kind: str
    python: str
    options: dict[str, Any]
    rounds: list[dict[str, Any]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    grid: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    point: dict[str, Any] = field(default_factory=dict)
    refused: list[dict[str, Any]] = field(default_factory=list)
    _process: Any = None

    def start(self, files: Files, hardware: Hardware) -> None:
        """Start the worker and wait until its model is loaded. Raises InputError with its last line when it is not."""
        self.point = self.grid[0]
        options = files.folder / f"{self.name}.options.json"
        options.write_text(json.dumps(self.options), encoding="utf-8")
        if self.kind == OURS:
            command = [self.python, "-m", "rerankbench.eval.bench.worker"]
        else:
            command = [self.python, str(Path(__file__).parent / "peer_workers" / "worker.py"), self.kind]
        command += [files.family, str(files.checkpoint), str(files.pairs)]
        command += [self.options.get("dtype", hardware.dtype), str(hardware.threads), str(options)]
        with (files.folder / f"{self.name}.log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
            )
        self.versions = self._answer(log.name)["versions"]

    def choose(self, folder: Path) -> None:
        """Go to the fastest place of the grid: each is tried once on every second pair, the two fastest once more."""
        if len(self.grid) < 2:
            return
        tried = sorted((self._seconds(folder, point), n) for n, point in enumerate(self.grid))
        if tried[0][0] == math.inf:
            raise InputError(f"{self.name}: runs at no place of its grid: {self.refused[0]['why']}")
        again = [
            (min(seconds, self._seconds(folder, self.grid[n])), n) for seconds, n in tried[:2] if seconds < math.inf
        ]
        self.point = self.grid[min(again)[1]]

    def _seconds(self, folder: Path, point: dict[str, Any]) -> float:
        answer = self._ask(folder, point, trial=True)
        if "refused" in answer:
            self.refused.append({"point": point, "why": answer["refused"]})
        return answer.get("seconds", math.inf)

    def round(self, folder: Path, *, counted: bool) -> None:
        """Score all pairs once."""
        answer = self._ask(folder, self.point, trial=False)
        if counted:
            self.rounds.append(answer)
        self.scores = json.loads((folder / f"{self.name}.scores.json").read_text(encoding="utf-8"))

    def _ask(self, folder: Path, point: dict[str, Any], *, trial: bool) -> dict[str, Any]:
        request = {"scores": str(folder / f"{self.name}.scores.json"), "point": point, "trial": trial}
        self._process.stdin.write(f"{json.dumps(request)}\n")
        return self._answer(str(folder / f"{self.name}.log"))

    def _answer(self, log: str) -> dict[str, Any]:
        line = self._process.stdout.readline()
        if not line:
            log_lines = Path(log).read_text(encoding="utf-8", errors="replace").strip().splitlines()
            raise InputError(
                f"{self.name} stopped: {log_lines[-1] if log_lines else 'no message'} (started as {self.python})"
            )
        return json.loads(line)

    def stop(self) -> None:
        """End the worker."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(timeout=60)
            self._process.stdout.close()


def run_rounds(
    engines: Sequence[Contender], files: Files, hardware: Hardware, rounds: int, say: Callable[[str], None]
) -> None:
    """Fill `rounds`, `scores`, `versions` and `point` of every engine; one round before them is not counted."""
    try:
        for engine in engines:
            say(f"loading {engine.name}")
            engine.start(files, hardware)
        for engine in engines:
            engine.choose(files.folder)
            if len(engine.grid) > 1:
                say(f"{engine.name}: {engine.point}")
        for number in range(rounds + 1):
            for engine in engines:
                engine.round(files.folder, counted=number > 0)
            if number:
                times = ", ".join(f"{e.name} {e.rounds[-1]['seconds']:.2f} s" for e in engines)
                say(f"round {number} of {rounds}: {times}")
    finally:
        for engine in engines:
            engine.stop()
