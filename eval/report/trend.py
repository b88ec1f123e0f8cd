"""How a baseline's means moved from version to version of its file in git."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...rerankers.errors import InputError
from .page import write_page

_MOST = 200  # versions that are read, the newest
WIDTH, HEIGHT, PAD = 220, 44, 4


@dataclass(frozen=True)
class Version:
    """One version of the file: commit, date, what the commit says, and the means of its cells as fractions."""

    commit: str
    date: str
    subject: str
    means: Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """One cell over the versions: means x 100, None where a version lacks it; `points` are an SVG polyline's."""

    name: str
    values: tuple[float | None, ...]
    points: str

    @property
    def last(self) -> float | None:
        """The newest that there is."""
        return next((x for x in reversed(self.values) if x is not None), None)

    @property
    def change(self) -> float | None:
        """From the oldest to the newest."""
        known = [x for x in self.values if x is not None]
        return known[-1] - known[0] if len(known) > 1 else None


def versions(path: Path, metric: str) -> list[Version]:
    """Those that git has of a baseline, the oldest first, and the file as it lies there if it differs from the last.

    Raises InputError when the file is in no repository, or no version has the metric.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a baseline of `rerankbench accept`")
    folder, name = path.resolve().parent, path.name
    log = _git(folder, "log", f"-n{_MOST}", "--format=%H%x09%cs%x09%s", "--", name)
    known = []
    for line in reversed(log.splitlines()):
        commit, date, subject = line.split("\t", 2)
        try:
            means = _means(_git(folder, "show", f"{commit}:./{name}"), metric)
        except InputError:
            continue  # a commit that removed the file
        known.append(Version(commit[:9], date, subject, means))
    now = _means(path.read_text(encoding="utf-8", errors="replace"), metric)
    if not known or now != known[-1].means:
        known.append(Version("", "now", "not committed", now))
    if not any(version.means for version in known):
        raise InputError(f"{path}: no version of it has the metric '{metric}' in its cells")
    return known


def trend(path: Path, metric: str = "nDCG@10", made: str = "") -> str:
    """The page. Raises InputError as `versions` does."""
    known = versions(path, metric)
    names = sorted({name for version in known for name in version.means})
    lines = [_line(name, [version.means.get(name) for version in known]) for name in names]
    context: dict[str, Any] = {
        "title": path.name,
        "metric": metric,
        "made": made,
        "versions": known,
        "lines": sorted(lines, key=lambda line: (line.change or 0.0, line.name)),
        "size": (WIDTH, HEIGHT),
    }
    return write_page("trend.html.j2", ("script.js",), context, {})


def _line(name: str, means: Sequence[float | None]) -> Line:
    values = tuple(None if mean is None else 100 * mean for mean in means)
    known = [x for x in values if x is not None]
    low, high = min(known), max(known)
    span, step = high - low or 1.0, (WIDTH - 2 * PAD) / max(1, len(values) - 1)
    points = [
        f"{PAD + i * step:.1f},{HEIGHT - PAD - (x - low) / span * (HEIGHT - 2 * PAD):.1f}"
        for i, x in enumerate(values)
        if x is not None
    ]
    return Line(name, values, " ".join(points))


def _means(text: str, metric: str) -> dict[str, float]:
    """Means by cell, read leniently: older releases wrote other keys around them."""
    try:
        cells = json.loads(text).get("cells", {})
        return {
            str(name): float(cell["metrics"][metric])
            for name, cell in cells.items()
            if metric in cell.get("metrics", {})
        }
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return {}


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as err:
        raise InputError(
            f"{folder}: git cannot read the history; a trend needs a baseline in a git repository"
        ) from err
    return done.stdout.decode("utf-8", errors="replace")
