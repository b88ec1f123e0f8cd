"""BM25 over many passages: build time, peak memory and queries per second, beside bm25s alone.

    python benchmarks/bm25_scale.py 1000000 5000000

Passages are made of --words different words by Zipf's law, their lengths lognormal (mean 55 words, as MS MARCO's),
seeded; queries are six words beyond the 100 most frequent. Each engine runs in a process of its own and reads the same
folder: this project's first stage, and bm25s as its documentation has it, with the same stemmer, k1 and b.
"""

from __future__ import annotations

import argparse
import json
import resource
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

QUERIES, K, K1, B = 1000, 100, 0.9, 0.4
MEAN, SIGMA, EXPONENT, LONGEST = 55, 0.5, 1.0, 1000
_CHUNK = 100_000


def word(number: int) -> str:
    """A word of four letters or more, another for each number."""
    letters = ""
    while number or len(letters) < 4:
        number, letter = divmod(number, 26)
        letters += string.ascii_lowercase[letter]
    return letters


def write_corpus(folder: Path, passages: int, words: int) -> None:
    rng = np.random.default_rng(0)
    vocabulary = np.array([word(n) for n in range(words)], dtype=object)
    heap = np.cumsum(1.0 / np.arange(1, words + 1) ** EXPONENT)

    def draw(count: int, least: int = 0) -> Any:
        low = heap[least - 1] if least else 0.0
        return vocabulary[np.searchsorted(heap, rng.uniform(low, heap[-1], count))]

    with (folder / "corpus.jsonl").open("w") as file:
        for start in range(0, passages, _CHUNK):
            count = min(_CHUNK, passages - start)
            mean_of_logs = np.log(MEAN) - SIGMA**2 / 2
            lengths = np.clip(rng.lognormal(mean_of_logs, SIGMA, count).astype(int), 1, LONGEST)
            ends = np.cumsum(lengths)
            drawn = draw(int(ends[-1]))
            for number, (end, length) in enumerate(zip(ends, lengths), start):
                text = " ".join(drawn[end - length : end])
                file.write(f'{{"_id": "d{number}", "text": "{text}"}}\n')
    queries = "".join(f'{{"_id": "q{n}", "text": "{" ".join(draw(6, 100))}"}}\n' for n in range(QUERIES))
    (folder / "queries.jsonl").write_text(queries)
    (folder / "qrels").mkdir()
    judged = "".join(f"q{n}\td0\t1\n" for n in range(QUERIES))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}")


def ours(folder: Path) -> Iterator[str]:
    """The first stage of a run; what it does is told apart by watching bm25s."""
    import bm25s
    from rerankbench.eval.data.dataset import Policy
    from rerankbench.eval.data.folder import FolderDataset
    from rerankbench.eval.first_stage.bm25 import bm25_candidates

    yield "start"
    data = FolderDataset("made", folder, Policy(), folder / "cache")
    yield "open"
    seen: list[tuple[str, float]] = []
    watch(bm25s.BM25, "index", seen)
    found = bm25_candidates(data, K, folder / "candidates", progress=False)
    (_, begun), (_, built) = seen
    assert len(found.run) == QUERIES
    yield f"read {begun}"
    yield f"index {built}"
    yield "search"


def alone(folder: Path) -> Iterator[str]:
    """bm25s as its documentation has it: texts in a list, `tokenize`, `index`, `retrieve`."""
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    yield "start"
    with (folder / "corpus.jsonl").open() as file:
        texts = [json.loads(line)["text"] for line in file]
    yield "open"
    tokens = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
    yield "read"
    index = bm25s.BM25(method="lucene", k1=K1, b=B)
    index.index(tokens, show_progress=False)
    yield "index"
    with (folder / "queries.jsonl").open() as file:
        queries = [json.loads(line)["text"] for line in file]
    asked = bm25s.tokenize(queries, stopwords="en", stemmer=stemmer, show_progress=False)
    index.retrieve(asked, k=K, show_progress=False)
    yield "search"


ENGINES: dict[str, Callable[[Path], Iterator[str]]] = {"rerankbench": ours, "bm25s": alone}


def watch(place: Any, name: str, seen: list[tuple[str, float]]) -> None:
    inner = getattr(place, name)

    def outer(*arguments: Any, **keys: Any) -> Any:
        seen.append(("begun", perf_counter()))
        done = inner(*arguments, **keys)
        seen.append(("done", perf_counter()))
        return done

    setattr(place, name, outer)


def measure(engine: str, folder: Path) -> dict[str, float]:
    """Seconds by step, and the peak of resident memory in bytes."""
    seconds: dict[str, float] = {}
    last = perf_counter()
    for step in ENGINES[engine](folder):
        name, _, then = step.partition(" ")
        now = float(then) if then else perf_counter()
        seconds[name], last = now - last, now
    return {**seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("passages", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--words", type=int, default=500_000)
    parser.add_argument("--engine", choices=ENGINES, action="append", help="again for more; all of them by default")
    parser.add_argument("--one", nargs=2, metavar=("ENGINE", "FOLDER"), help="used by the benchmark itself")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], Path(options.one[1]))))
        return
    print("| passages | engine | open the folder | read and tokenise | index | queries/s | peak RSS |")
    print("| --: | --- | --: | --: | --: | --: | --: |")
    for passages in options.passages:
        with tempfile.TemporaryDirectory() as name:
            write_corpus(Path(name), passages, options.words)
            for engine in options.engine or ENGINES:
                command = [sys.executable, __file__, "--one", engine, name]
                row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
                times = " | ".join(f"{row[step]:.1f} s" for step in ("open", "read", "index"))
                speed = f"{QUERIES / row['search']:.1f}"
                print(f"| {passages:,} | {engine} | {times} | {speed} | {row['peak'] / 1e9:.2f} GB |", flush=True)


if __name__ == "__main__":
    main()
