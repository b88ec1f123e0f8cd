"""Peak memory of a whole run over 10,000 and over 100,000 pairs: scores stream to the store, so it should not grow.

    python tests/benchmarks/pairs_memory.py [PAIRS ...]

A tiny random-weight cross-encoder reranks a synthetic folder with imported candidates, 100 per query, through
`rerankbench run`, each size in a process of its own. `growth` is the peak resident memory beyond that of the
smallest size.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
CHECKPOINT = ROOT / "tests" / "rerankers" / "parity" / "xlmr-s1"
DOCUMENTS, CANDIDATES = 20_000, 100
CHILD = """
import json, resource, sys
from pathlib import Path
from time import perf_counter
from rerankbench.eval.runner.experiment_file import load_experiment
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
    print("| pairs | seconds | peak RSS | growth |")
    print("| --: | --: | --: | --: |")
    first = None
    with tempfile.TemporaryDirectory() as temporary:
        for size in sizes:
            found = measure(size, Path(temporary))
            first = first or found["peak"]
            growth = (found["peak"] - first) / first
            print(f"| {found['pairs']:,} | {found['seconds']:.1f} | {found['peak'] / 1e6:.0f} MB | {growth:+.1%} |")


if __name__ == "__main__":
    main()
