"""Peak memory of a whole run over 10,000 and over 100,000 pairs: scores stream to the store, so it should not grow.

    python benchmarks/pairs_memory.py [PAIRS ...]

A tiny random-weight cross-encoder reranks a synthetic folder with imported candidates, 100 per query, through
`rerankbench run`, each size five times, each time in a process of its own. `growth` is the median peak resident memory
beyond that of the first size; the spread of equal runs tells how much of it means anything.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINT = ROOT / "tests" / "rerankers" / "parity" / "xlmr-s1"
DOCUMENTS, CANDIDATES = 20_000, 100
REPEATS = 5
CHILD = """
import json, resource, sys
from pathlib import Path
from time import perf_counter
from rerankbench.eval.experiment.file import load_experiment
from rerankbench.eval.runner.run import run_experiment
start = perf_counter()
cells = run_experiment(load_experiment(sys.argv[1], []), Path(sys.argv[2]))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"pairs": cells[-1].manifest.counts.pairs, "seconds": perf_counter() - start, "peak": peak}))
"""


def write_dataset(folder: Path, queries: int) -> None:
    """A folder in BEIR layout and a run with 100 candidates for each query."""
    random = np.random.default_rng(0)
    words = np.array(["river", "stone", "moon", "bread", "night", "window", "paper", "garden"])
    (folder / "qrels").mkdir(parents=True)
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for number in range(DOCUMENTS):
            text = " ".join(words[random.integers(0, len(words), 12)])
            file.write(json.dumps({"_id": f"d{number}", "title": "", "text": text}) + "\n")
    with (folder / "queries.jsonl").open("w", encoding="utf-8") as file:
        for number in range(queries):
            file.write(json.dumps({"_id": f"q{number}", "text": f"{words[number % 8]} {words[number % 7]}"}) + "\n")
    with (folder / "qrels" / "test.tsv").open("w", encoding="utf-8") as file:
        file.write("query-id\tcorpus-id\tscore\n")
        file.writelines(f"q{number}\td{number % DOCUMENTS}\t1\n" for number in range(queries))
    with gzip.open(folder / "run.trec.gz", "wt", encoding="utf-8") as file:
        for number in range(queries):
            for rank, doc in enumerate(random.choice(DOCUMENTS, CANDIDATES, replace=False)):
                file.write(f"q{number} Q0 d{doc} {rank + 1} {CANDIDATES - rank} synthetic\n")


def measure(pairs: int, folder: Path) -> dict[str, float]:
    """What the run over so many pairs took."""
    data = folder / f"synthetic-{pairs}"
    write_dataset(data, pairs // CANDIDATES)
    experiment = {
        "name": "memory",
        "datasets": [str(data)],
        "first_stage": {"run": str(data / "run.trec.gz")},
        "rerankers": [{"model": str(CHECKPOINT)}],
        "engine": {"device": "cpu"},
    }
    path = folder / f"memory-{pairs}.yaml"
    path.write_text(json.dumps(experiment), encoding="utf-8")
    command = [sys.executable, "-c", CHILD, str(path), str(folder / f"out-{pairs}")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print one row per size."""
    sizes = [int(size) for size in sys.argv[1:]] or [10_000, 100_000]
    peaks: dict[int, list[float]] = {size: [] for size in sizes}
    seconds: dict[int, list[float]] = {size: [] for size in sizes}
    for _ in range(REPEATS):  # sizes take turns, so that what else the machine does meets all
        for size in sizes:
            with tempfile.TemporaryDirectory() as temporary:
                found = measure(size, Path(temporary))
            peaks[size].append(found["peak"] / 1e6)
            seconds[size].append(found["seconds"])
    print("| pairs | seconds | peak RSS, median | smallest to largest | growth of the median |")
    print("| --: | --: | --: | --: | --: |")
    first = median(peaks[sizes[0]])
    for size in sizes:
        peak, growth = peaks[size], median(peaks[size]) / first - 1
        span = f"{min(peak):.0f} to {max(peak):.0f} MB"
        print(f"| {size:,} | {median(seconds[size]):.1f} | {median(peak):.0f} MB | {span} | {growth:+.1%} |")


if __name__ == "__main__":
    main()
