"""What the fuzz mutates: a small finished run with all of its inputs, and a baseline."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import isclose
from pathlib import Path

import oracle
from attack import cli, on_disk
from beir_folder import CORPUS, QUERIES, jsonl, write_beir
from checkpoints import make
from gate_cells import FakeCell, some_scores

METRICS = ["nDCG@10", "AP", "R@2"]


@dataclass
class World:
    """Everything that can be mutated, in a folder that is the current one."""

    folder: Path
    figures: oracle.Figures
    evidence: dict[str, bytes]
    anew: bool = True
    arguments: list[str] = field(default_factory=list)

    @property
    def cell(self) -> Path:
        return self.folder / "out" / "cells" / "data" / "mine" / "full"

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern))


def build(folder: Path) -> World:
    """A finished run, a run and judgements to evaluate, and a baseline with a run that is worse."""
    write_beir(folder / "data", corpus=jsonl(CORPUS), queries=jsonl(QUERIES))
    policy = {"split": "test", "join": "{title} {text}", "remove_identical_ids": False, "task": "answer"}
    policy |= {"language": "en", "license": "CC0"}
    (folder / "data" / "policy.yaml").write_text("".join(f"{k}: {json.dumps(v)}\n" for k, v in policy.items()))
    make(folder / "model", "bert")
    (folder / "mine.yaml").write_text("family: cross-encoder\nsource: model\nmax_length: 100\nnote: small\n")
    first = [(q, f"d{d}", 9 - d - n / 8) for n, q in enumerate(("q1", "q2")) for d in (3, 1, 4, 2)]
    (folder / "first.trec").write_text("".join(f"{q} Q0 {d} {i} {s} bm\n" for i, (q, d, s) in enumerate(first)))
    (folder / "trec.qrels").write_text("q1 0 d1 2\nq1 0 d3 1\nq1 0 d4 0\nq2 0 d2 1\n")
    (folder / "trial.yaml").write_text(
        "name: trial\ndatasets:\n- data\nfirst_stage:\n  run: first.trec\n  k: 3\nrerankers:\n- model: mine.yaml\n"
        "  dtype: float32\n  max_length: 90\nmetrics:\n- nDCG@10\n- AP\n- R@2\n"
        "engine:\n  device: cpu\n  block_queries: 1\n"
    )
    good = some_scores(20, 12, signal=3.0)
    FakeCell(good).write(folder / "good")
    FakeCell(-good).write(folder / "bad")
    cli("accept", "--run", "good", "--baseline", "baseline.json", "--reason", "first").well()
    found = figures(cli("run", "trial.yaml", "--out", "out", "--json").well().out)
    assert agree(found, oracle.of_run(folder)), (found, oracle.of_run(folder))
    return World(folder, found, evidence(folder))


def figures(printed: str) -> oracle.Figures:
    """What `run --json` or `table --format json` says, by model and setting."""
    return {f"{cell['model']}/{cell['setting']}": cell["metrics"] for cell in json.loads(printed)}


def evidence(folder: Path) -> dict[str, bytes]:
    """What must be the same bytes in every run."""
    kept = (".parquet", "run.trec.gz", "group.json")
    return {name: data for name, data in on_disk(folder / "out").items() if name.endswith(kept)}


def agree(ours: oracle.Figures, theirs: oracle.Figures) -> bool:
    same = ours.keys() == theirs.keys() and all(ours[key].keys() == theirs[key].keys() for key in ours)
    return same and all(isclose(v, theirs[key][m], abs_tol=1e-6) for key in ours for m, v in ours[key].items())
