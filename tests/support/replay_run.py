"""A real run of a tiny random text encoder over a made-up collection, and its files as a stranger reads them."""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from pathlib import Path

from beir_folder import write_beir
from checkpoints import WORDS, make
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.results import Cell
from rerankbench.eval.runner.run import run_experiment

QUERIES, DOCUMENTS, LAYERS = 40, 30, 3


def collection(folder: Path) -> Path:
    """Texts of a few words; two to four graded judgements a query, one of them unjudged by retrieval now and then."""
    draw = random.Random(7)
    corpus = [{"_id": f"d{i}", "text": " ".join(draw.choices(WORDS, k=draw.randint(3, 12)))} for i in range(DOCUMENTS)]
    queries = [{"_id": f"q{i:02d}", "text": " ".join(draw.choices(WORDS, k=3))} for i in range(QUERIES)]
    lines = ["query-id\tcorpus-id\tscore"]
    for query in queries:
        judged = draw.sample(corpus, draw.randint(2, 4))
        lines += [f"{query['_id']}\t{doc['_id']}\t{grade}" for doc, grade in zip(judged, (2, 1, 0, 1))]
    files = {"corpus": corpus, "queries": queries}
    return write_beir(
        folder,
        qrels="\n".join(lines) + "\n",
        **{n: "".join(json.dumps(r) + "\n" for r in rs) for n, rs in files.items()},
    )


def replay_run(root: Path, k: int = 20) -> list[Cell]:
    """Cells of L1, L2 and the full depth in `root/run`; the checkpoint is in `root/encoder`."""
    (root / "encoder").mkdir()
    make(root / "encoder", "bert", head=False, num_hidden_layers=LAYERS)
    raw = {
        "name": "replay",
        "datasets": [str(collection(root / "words"))],
        "first_stage": {"retriever": "bm25", "k": k},
        "rerankers": [{"model": str(root / "encoder"), "cutoff_layers": [1, 2, None]}],
    }
    return run_experiment(parse_experiment(raw, "replay"), root / "run")


def run_file(cell: Cell) -> dict[str, dict[str, float]]:
    """Query -> document -> score, documents in the order of the file."""
    run: dict[str, dict[str, float]] = defaultdict(dict)
    for line in gzip.decompress((cell.path / "run.trec.gz").read_bytes()).decode().splitlines():
        query, _, doc, _, score, _ = line.split()
        run[query][doc] = float(score)
    return dict(run)


def qrels_file(root: Path) -> dict[str, dict[str, int]]:
    """The judgements of the collection's own file."""
    qrels: dict[str, dict[str, int]] = defaultdict(dict)
    for line in (root / "words/qrels/test.tsv").read_text().splitlines()[1:]:
        query, doc, grade = line.split("\t")
        qrels[query][doc] = int(grade)
    return dict(qrels)
