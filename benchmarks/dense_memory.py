"""Memory and time of the dense path: encode, store, search, keep the top 100, read them back.

    python benchmarks/dense_memory.py 100000 300000 1000000

Vectors are random (64 dimensions, seeded by the document), so encoding costs next to nothing and what is measured is
the path around it. Each size runs in a process of its own, since peak memory is one figure per process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

DIMENSIONS, QUERIES, K = 64, 1000, 100


class Synthetic:
    """A corpus that is made as it is read, and an encoder that needs only the text's number."""

    name, checksum, warnings, dimensions = "synthetic", "0" * 64, (), DIMENSIONS

    def __init__(self, documents: int) -> None:
        from rerankbench.eval.data import Policy

        self.documents, self.policy, self.excluded = documents, Policy(), {}
        self.queries = {f"q{i}": str(i) for i in range(QUERIES)}
        self.qrels = {query: {"d0": 1} for query in self.queries}
        self.encoding = 0.0

    def __len__(self) -> int:
        return self.documents

    def corpus(self) -> Iterator[tuple[str, str]]:
        return ((f"d{i}", f"{i} {'word ' * 30}") for i in range(self.documents))

    def encode(self, texts: Sequence[str], *, queries: bool):
        import numpy as np

        start = perf_counter()
        first = int(texts[0].split()[0])
        rng = np.random.default_rng([first, int(queries)])
        vectors = rng.standard_normal((len(texts), DIMENSIONS), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.encoding += perf_counter() - start
        return vectors


def measure(documents: int) -> dict[str, float]:
    """One run; seconds by stage and the peak of resident memory."""
    import torch  # noqa: F401  its import is not the search's time
    from rerankbench.eval.first_stage import dense, dense_candidates
    from rerankbench.eval.first_stage.retriever import RetrieverSpec

    spec = RetrieverSpec(
        name="synthetic", source="none", revision="0", pooling="mean", query_max_length=64, passage_max_length=64
    )
    data, times = Synthetic(documents), {}
    before = _resident()
    for name, owner in (("fill", dense.EmbeddingStore), ("search", dense)):
        setattr(owner, name, _timed(getattr(owner, name), times, name))
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        found = dense_candidates(
            spec, data, K, Path(folder), device="cpu", embeddings=Path(folder) / "vectors",  # type: ignore[arg-type]
            make_encoder=lambda *_: data, progress=False,
        )  # fmt: skip
        total = perf_counter() - start
        disk = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    assert all(len(ranked) == K for ranked in found.run.values())
    return {
        "documents": documents,
        "made": data.encoding,
        "stored": times["fill"] - data.encoding,
        "searched": times["search"],
        "kept": total - times["fill"] - times["search"],
        "before": before,
        "peak": _resident(),
        "disk": disk,
    }


def _timed(function, times: dict[str, float], name: str):
    def timed(*args, **keys):
        start = perf_counter()
        try:
            return function(*args, **keys)
        finally:
            times[name] = perf_counter() - start

    return timed


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Print one line per size, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=int, nargs="+")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.documents[0])))
        return
    print("| passages | make vectors | store | search | keep | peak RSS | of that imports | on disk |")
    print("| --: | --: | --: | --: | --: | --: | --: | --: |")
    for documents in options.documents:
        command = [sys.executable, __file__, "--one", str(documents)]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout)
        times = " | ".join(f"{row[name]:.2f} s" for name in ("made", "stored", "searched", "kept"))
        sizes = " | ".join(f"{row[name] / 1e6:,.0f} MB" for name in ("peak", "before", "disk"))
        print(f"| {documents:,} | {times} | {sizes} |", flush=True)


if __name__ == "__main__":
    main()
