"""Builds sdist and wheel, and tests them outside of the checkout on every Python that is found.

    python .ci/wheel.py [--out dist] [--lowest | --newest | --here]

Needs the group `release` (build, twine). On each of Python 3.10 to 3.13 on the path, in a fresh environment in a fresh
folder: `pip install WHEEL[quickstart]`, the public names, and `rerankbench run quickstart`, which must print the
README's table; on the Python that runs the same with the sdist. A version that CHANGELOG.md has no section for is
refused before anything is built. Dependencies are those of constraints.txt, with
`--lowest` the oldest that pyproject.toml declares (by uv), with `--newest` the newest. `--here` builds with the
setuptools and tests with the dependencies of this Python, and installs nothing from the package index.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "docs"))
from doc_blocks import agrees, blocks  # noqa: E402

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NAMES = "import rerankbench as r; [getattr(r, name) for name in r.__all__]; print(r.__version__, r.__file__)"
COMMAND = "rerankbench run quickstart"


def main() -> int:
    """Build and test; the number of Pythons on which the wheel does not work."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    which = parser.add_mutually_exclusive_group()
    for name in ("lowest", "newest", "here"):
        which.add_argument(f"--{name}", dest="releases", action="store_const", const=name, default="pinned")
    asked = parser.parse_args()
    if fault := missing_section(version(), (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")):
        sys.exit(fault)
    here = asked.releases == "here"
    wheel, sdist = build(asked.out.resolve(), isolated=not here)
    tries = [(wheel, python) for python in ([sys.executable] if here else pythons())]
    tries += [] if here else [(sdist, sys.executable)]
    failed = 0
    for package, python in tries:
        with tempfile.TemporaryDirectory(prefix="rerankbench-wheel-") as folder:
            fault = tested(package, python, Path(folder), asked.releases)
        print(f"{package.name} on {python}: {fault or 'ok'}", flush=True)
        failed += fault is not None
    return failed


def version() -> str:
    """The version that pyproject.toml declares."""
    (declared,) = re.findall(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    return declared


def missing_section(version: str, changelog: str) -> str | None:
    """None where the changelog has a section of this version with at least one bullet, else what is missing."""
    _, heading, rest = changelog.partition(f"\n## {version}")
    title, _, section = rest.partition("\n")
    if not heading or (title and not title.startswith(" ")):
        return f"CHANGELOG.md: no section '## {version}'; write one from the notes in changes/"
    if "\n- " not in section.partition("\n## ")[0]:
        return f"CHANGELOG.md: section '## {version}' has no bullet"
    return None


def build(out: Path, *, isolated: bool) -> tuple[Path, Path]:
    """Sdist and, from it, the wheel; both checked as a package index checks them. Returns the wheel and the sdist."""
    shutil.rmtree(out, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="rerankbench-tree-") as folder:
        tree = copied(Path(folder))
        run([sys.executable, "-m", "build", "--outdir", str(out), *([] if isolated else ["--no-isolation"])], tree)
    found = sorted(map(str, out.iterdir()))
    run([sys.executable, "-m", "twine", "check", "--strict", *found], out)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def copied(to: Path) -> Path:
    """What git knows or would take, without tests and results: a build in the checkout would leave files there."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\0")):
        if not name.startswith(("tests/", "results/")) and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    return to


def pythons() -> list[str]:
    """The one that runs, and the others of the declared range that are on the path."""
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = filter(None, (shutil.which(f"python{version}") for version in PYTHONS if version != mine))
    return [sys.executable, *filter(starts, others)]


def starts(python: str) -> bool:
    """Whether it is more than a name: pyenv leaves commands for versions that are not chosen."""
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


def tested(package: Path, python: str, folder: Path, releases: str) -> str | None:
    """Install and try it; None, or what is wrong."""
    try:
        run([python, "-m", "venv", str(folder / "venv")], folder)
        binaries = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        install(package, binaries, releases)
        names = run([str(binaries / "python"), "-c", NAMES], folder)
        installed, place = names.split(maxsplit=1)
        if not Path(place.strip()).is_relative_to(folder.resolve()):
            return f"imported from {place.strip()}"
        for command in (["rerankbench"], ["python", "-m", "rerankbench"]):
            if (said := run([str(binaries / command[0]), *command[1:], "--version"], folder)) != f"{installed}\n":
                return f"{' '.join(command)} --version printed {said!r}"
        shown = next(block.output for block in blocks(ROOT / "README.md") if block.code.strip() == COMMAND)
        printed = run([str(binaries / "rerankbench"), *COMMAND.split()[1:]], folder)
        return None if agrees(shown or "", printed) else f"`{COMMAND}` printed another table than README.md:\n{printed}"
    except subprocess.CalledProcessError as err:
        return f"{' '.join(map(str, err.cmd))}: status {err.returncode}\n{err.stdout}{err.stderr}"


def install(package: Path, binaries: Path, releases: str) -> None:
    """The wheel or sdist with what the quickstart needs."""
    python, site = str(binaries / "python"), "import sysconfig; print(sysconfig.get_path('purelib'))"
    if releases == "here":  # a path file brings the packages, but not the path files among them, so no editable install
        mine = run([sys.executable, "-c", site], binaries).strip()
        (Path(run([python, "-c", site], binaries).strip()) / "here.pth").write_text(f"{mine}\n", encoding="utf-8")
        run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(package)], binaries)
    elif releases == "lowest":
        run([python, "-m", "pip", "install", "--quiet", "uv>=0.5"], binaries)
        # the oldest that this Python can install, not the oldest that a compiler might make for it
        ready = [word for name in declared() for word in ("--only-binary", name)]
        oldest = ["--resolution", "lowest-direct", *ready, "--python", python]
        run([str(binaries / "uv"), "pip", "install", "--quiet", *oldest, f"{package}[quickstart]"], binaries)
    else:
        pins = ["-c", str(ROOT / "constraints.txt")] if releases == "pinned" else []
        run([python, "-m", "pip", "install", "--quiet", *pins, f"{package}[quickstart]"], binaries)


def declared() -> list[str]:
    """The names of what pyproject.toml says that every installation needs."""
    listed = (
        (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("\ndependencies = [")[2].partition("\n]")[0]
    )
    return re.findall(r'^  "([\w-]+)', listed, re.MULTILINE)


def run(command: Sequence[str], folder: Path) -> str:
    """Stdout of a command. Raises CalledProcessError."""
    environment = {**os.environ, "COLUMNS": "100", "RERANKBENCH_CACHE": str(folder / "cache")}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


if __name__ == "__main__":
    sys.exit(min(main(), 1))
