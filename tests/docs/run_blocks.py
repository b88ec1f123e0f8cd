"""Runs the marked blocks of README.md and docs/ (see doc_blocks.py) in a copy of the repository.

    python tests/docs/run_blocks.py [--write] [PAGE...]

The blocks of the first page run first. Then the pages run side by side, each in its own order and in a copy of what
the first one left. Nothing outside of the copies is written and no hub is asked, except that `--write` puts what was
printed into the pages.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from difflib import unified_diff
from pathlib import Path
from time import perf_counter

from doc_blocks import ROOT, Block, PageError, agrees, blocks, pages

_SECONDS = 300  # for one block


def main(names: list[str]) -> int:
    """Run the blocks of some pages, or of all; the number of those that failed."""
    write = "--write" in names
    chosen = [Path(name).resolve() for name in names if name != "--write"] or pages()
    per_page = [blocks(page) for page in chosen]
    start = perf_counter()
    with tempfile.TemporaryDirectory(prefix="rerankbench-docs-") as folder:
        first = Path(folder) / "0"
        failed = _run_page(per_page[0], copy_repository(first / "rerankbench"), write)

        def run(number: int) -> int:
            own = shutil.copytree(first, Path(folder) / str(number), symlinks=True)
            return _run_page(per_page[number], own / "rerankbench", write)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            failed += sum(pool.map(run, (i for i, page in enumerate(per_page) if i and any(b.runs for b in page))))
    total = sum(map(len, per_page))
    ran = sum(block.runs for page in per_page for block in page)
    print(f"{ran} blocks run, {failed} failed, {total - ran} not run; {perf_counter() - start:.0f} s")
    return failed


def _run_page(page: list[Block], copy: Path, write: bool) -> int:
    """Run the blocks of a page in their order; the number of those that failed."""
    failed = 0
    for block in (block for block in page if block.runs):
        began = perf_counter()
        done = execute(block, copy)
        fault = fault_of(block, done)
        if write and fault and done and (done.returncode != 0) == (block.mark == "run: fails"):
            write_output(block, done)
            fault = None
        failed += fault is not None
        line = f"{block.page}:{block.line}  {'FAILED' if fault else 'ok'}  {perf_counter() - began:.1f} s"
        print(f"{line}\n{fault}" if fault else line, flush=True)
    return failed


def copy_repository(to: Path) -> Path:
    """The files that git knows or would take, and the virtual environment as a link."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(git, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    if (ROOT / ".venv").is_dir():
        (to / ".venv").symlink_to(ROOT / ".venv")
    subprocess.run(["git", "init", "--quiet", str(to)], check=True)
    return to


def execute(block: Block, folder: Path) -> subprocess.CompletedProcess[str] | None:
    """Run a block; None when it takes too long."""
    command = ["bash", "-euo", "pipefail", "-c", block.code] if block.language == "bash" else ["python", "-"]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RERANKBENCH_CACHE": str(folder.parent / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",  # pages run side by side, one on each core
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    code = block.code if block.language == "python" else ""
    try:
        return subprocess.run(
            command, input=code, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return None


def fault_of(block: Block, done: subprocess.CompletedProcess[str] | None) -> str | None:
    """What is wrong with a block that was run; None when it did what its mark says."""
    if done is None:
        return f"not done after {_SECONDS} s"
    if (done.returncode != 0) != (block.mark == "run: fails"):
        return f"exit status {done.returncode}\n{done.stdout}{done.stderr}"
    if block.mark == "run" or agrees(block.output or "", output_of(block, done)):
        return None
    shown, printed = (text.splitlines() for text in (block.output or "", output_of(block, done)))
    return "\n".join(unified_diff(shown, printed, "the page", "printed", lineterm=""))


def output_of(block: Block, done: subprocess.CompletedProcess[str]) -> str:
    """What the text block behind a block shows."""
    return done.stderr if block.mark == "run: fails" else done.stdout


def write_output(block: Block, done: subprocess.CompletedProcess[str]) -> None:
    """Put what a block printed into its page."""
    page = ROOT / block.page
    text = page.read_text(encoding="utf-8")
    before = text.index(f"```{block.language}\n{block.code}```\n")
    start = text.index("```text\n", before) + len("```text\n")
    end = start + len(block.output or "")
    printed = "".join(f"{line.rstrip()}\n" for line in output_of(block, done).rstrip().splitlines())
    page.write_text(text[:start] + printed + text[end:], encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(min(main(sys.argv[1:]), 1))
    except PageError as err:
        sys.exit(f"error: {err}")
