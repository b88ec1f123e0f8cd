"""How the Ray engine scales to many GPUs: its scheduler, with workers that sleep on a virtual clock.

    python benchmarks/ray_simulation.py

Blocks are those of BEIR, all datasets of `beir.yaml`, top 100: real numbers of queries, mean lengths from
`beir-lengths.csv`. A block takes its reference FLOPs at a sustained speed; every query is longer or shorter than the
mean by a lognormal factor that the scheduler does not know. What a block costs the driver is measured here: storing it
with the real store, and the scheduler's own CPU time.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from rerankbench.configs import CONFIGS
from rerankbench.eval.data.catalog import entries
from rerankbench.eval.results.store import Block, PassScores
from rerankbench.eval.schedule.virtual_pool import predict
from rerankbench.rerankers import Setting, flops, load_spec
from rerankbench.rerankers.api import Executed, Scored
from rerankbench.rerankers.options import TextOptions
from rerankbench.rerankers.prompting.template import TOKENS_PER_WORD
from rerankbench.rerankers.registry import family_of, shape_of

WORKERS = (8, 64, 512)
BLOCKS = (64, 16, 4)
MODELS = ("bge-reranker-v2.5-gemma2-lightweight", "bge-reranker-v2-m3")
K = 100


def seconds_per_query(model: str, tflops: float) -> dict[str, tuple[int, float]]:
    """Dataset -> (queries, seconds to rerank one query's candidates at full depth)."""
    spec = load_spec(model)
    rules, shape = family_of(spec).text_rules(spec), shape_of(spec)
    assert shape is not None
    prompt, limit = rules.count_own_tokens(TextOptions()), rules.resolve(TextOptions()).max_length
    words = pd.read_csv(CONFIGS / "datasets/beir-lengths.csv", comment="#").set_index("dataset")
    found: dict[str, tuple[int, float]] = {}
    for name, entry in entries().items():
        if name.startswith("beir/"):
            row = words.loc[name.split("/")[1]]
            query, passage = (round(float(row[c]) * TOKENS_PER_WORD) + 2 for c in ("query_words", "passage_words"))
            query = min(query, limit * 3 // 4)
            pair = flops.reference(shape, Setting(), query, min(passage, limit - query), prompt)
            found[name] = entry.policy.n_queries or 0, K * int(pair) / (tflops * 1e12)
    return found


def blocks(queries: dict[str, tuple[int, float]], size: int, spread: float) -> tuple[list[float], list[float]]:
    """Seconds per block: what the scheduler expects, and what it takes."""
    random = np.random.default_rng(0)
    expected: list[float] = []
    actual: list[float] = []
    for count, each in queries.values():
        factors = random.lognormal(-(spread**2) / 2, spread, count)
        for start in range(0, count, size):
            part = factors[start : start + size]
            expected.append(each * len(part))
            actual.append(float(each * part.sum()))
    return expected, actual


def store_seconds(size: int, repeats: int = 15) -> float:
    """Median seconds that the driver needs to store a block of `size` queries in a folder of this machine."""
    candidates = {f"q{q}": [(f"document-{q}-{d}", 1.0) for d in range(K)] for q in range(size)}
    pairs = size * K
    tokens = np.full(pairs, 100, dtype=np.int32)
    scores = np.random.default_rng(0).normal(size=(1, pairs)).astype(np.float32)
    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        group = PassScores.make(Path(folder), {}, [Setting()], size)
        group.open()
        for index in range(repeats):
            scored = Scored(scores, tokens, tokens, tokens, np.zeros(pairs, dtype=bool), Executed())
            start = perf_counter()
            group.write(Block(index, tuple(candidates), pairs, candidates), scored, {"seconds": {}})
            times.append(perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tflops", type=float, default=0.4 * 989, help="sustained by one worker")
    parser.add_argument("--spread", type=float, default=0.3, help="sigma of the lognormal factor of a query")
    parser.add_argument("--latency", type=float, default=0.005, help="seconds of a message")
    parser.add_argument("--load", type=float, default=60.0, help="seconds to load the model, for the last column")
    options = parser.parse_args()
    stores = {size: store_seconds(size) for size in BLOCKS}
    print(f"Each worker sustains {options.tflops:.0f} TFLOP/s; a query's cost varies by a lognormal factor with sigma")
    print(f"{options.spread:g}; messages take {1000 * options.latency:g} ms; storing a block takes the driver")
    print(", ".join(f"{1000 * stores[size]:.1f} ms ({size} queries)" for size in BLOCKS) + ", and the")
    print(
        "scheduler its CPU time; both measured here. Loading the model takes",
        f"{options.load:g} s, which only the last column has.\n",
    )
    print("| model | queries per block | blocks | workers | hours | efficiency |"
          " longest block / ideal time | driver busy | with loading |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for model in MODELS:
        queries = seconds_per_query(model, options.tflops)
        for size in BLOCKS:
            expected, actual = blocks(queries, size, options.spread)
            for workers in WORKERS:
                started = process_time()
                predict(actual, workers, expected=expected)
                driver = stores[size] + (process_time() - started) / len(actual)
                wall = predict(actual, workers, expected=expected, latency=options.latency, store_seconds=driver)
                ideal = sum(actual) / workers
                print(
                    f"| {model} | {size} | {len(actual)} | {workers} | {wall / 3600:.3f} | {ideal / wall:.3f} "
                    f"| {max(actual) / ideal:.2f} | {len(actual) * driver / wall:.2f} "
                    f"| {ideal / (wall + options.load):.3f} |"
                )


if __name__ == "__main__":
    main()
