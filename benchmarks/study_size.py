"""What a folder of many cells costs in bytes, and the commands that read it in seconds and memory: a Markdown table.

One class of this file scores as so many variants on so many small collections (12 queries, 24 documents, made here), so
that nearly all time is the store's. Commands that read run three times, for their median. `COMMAND` may be that of
another checkout.

    python benchmarks/study_size.py [--sizes 20x5,50x10,100x20,200x30] [--command COMMAND]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SIZES = "20x5,50x10,100x20,200x30"
QUERIES, DOCUMENTS, CANDIDATES = 12, 24, 10
REPEATS = 3  # of the commands that read
MODEL = """
import zlib


class Hash:
    version = "1"

    def predict(self, pairs):
        return [zlib.crc32("\\0".join(pair).encode()) / 2**32 for pair in pairs]
"""


def write_collection(folder: Path, seed: int) -> None:
    """Words at random; a query's relevant documents hold its words."""
    draw = random.Random(seed)
    words = [f"word{i}" for i in range(60)]
    texts = [[draw.choice(words) for _ in range(20)] for _ in range(DOCUMENTS)]
    folder.mkdir(parents=True)
    lines = [{"_id": f"d{i}", "title": "", "text": " ".join(text)} for i, text in enumerate(texts)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    asked = [{"_id": f"q{i}", "text": " ".join(texts[i % DOCUMENTS][:4])} for i in range(QUERIES)]
    (folder / "queries.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked))
    (folder / "qrels").mkdir()
    rows = "".join(f"q{i}\td{(i + j) % DOCUMENTS}\t1\n" for i in range(QUERIES) for j in range(2))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)


def measure(command: Sequence[str], folder: Path, repeats: int = 1) -> tuple[float, int]:
    """Median seconds of a command, and its most bytes in memory."""
    figures = [measure_once(command, folder) for _ in range(repeats)]
    return statistics.median(seconds for seconds, _ in figures), max(size for _, size in figures)


def measure_once(command: Sequence[str], folder: Path) -> tuple[float, int]:
    """Seconds of a command and its most bytes in memory."""
    start = time.perf_counter()
    environment = {**os.environ, "RERANKBENCH_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    told = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: {told.decode()[-500:]}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def measure_study(command: str, variants: int, datasets: int) -> list[str]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "mine.py").write_text(MODEL)
        for i in range(datasets):
            write_collection(folder / "data" / f"set{i}", i)
        study: dict[str, Any] = {
            "name": "study",
            "datasets": [f"data/set{i}" for i in range(datasets)],
            "first_stage": {"retriever": "bm25", "k": CANDIDATES},
            "rerankers": [{"model": "mine:Hash", "name": f"m{i}"} for i in range(variants)],
        }
        (folder / "study.yaml").write_text(json.dumps(study))
        calls = {
            "run": ["run", "study.yaml", "--out", "out"],
            "again": ["run", "study.yaml", "--out", "out"],
            "table": ["table", "out"],
            "compare": ["compare", "out#m0", "out#m1"],
            "report": ["report", "out", "--output", "report.html"],
        }
        times = {name: 1 if name in ("run", "report") else REPEATS for name in calls}
        taken = {name: measure([command, *words], folder, times[name]) for name, words in calls.items()}
        cells = len(list((folder / "out" / "cells").rglob("manifest.json")))
        size = sum(file.stat().st_size for file in (folder / "out").rglob("*") if file.is_file())
        figures = [f"{taken[name][0]:.1f} s, {taken[name][1] / 1e6:,.0f} MB" for name in calls]
        return [f"{variants} x {datasets}", f"{cells:,}", f"{size / 1e6:,.1f} MB", *figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default=SIZES, help="variants x datasets, separated by commas")
    parser.add_argument("--command", default="rerankbench", help="of which checkout")
    wanted = parser.parse_args()
    print("| variants x datasets | cells | folder | run | run again | table | compare of two | report |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for size in wanted.sizes.split(","):
        variants, datasets = map(int, size.split("x"))
        print(f"| {' | '.join(measure_study(wanted.command, variants, datasets))} |", flush=True)


if __name__ == "__main__":
    main()
