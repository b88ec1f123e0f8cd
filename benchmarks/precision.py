"""What bfloat16 and int8 change: nDCG@10 of a small real model on judged collections, and scores of every family.

The collections are folders in BEIR layout; all-minilm-l6-v2 reranks BM25's top 100 in each precision, and is compared
with float32 as `rerankbench parity` compares, query by query with a paired bootstrap. The families score the tiny
random-weight checkpoints of the tests. Run: python precision.py --out DIR FOLDER...
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
from rerankbench.eval.compare.parity import Parity, parity
from rerankbench.eval.compare.runs import Selector
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.runner.run import run_experiment
from rerankbench.rerankers.errors import InputError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "rerankers"))
from tiny_scores import CASES, score

EXACT, OTHERS = "float32", ("bfloat16", "int8")
MODEL, METRIC = "all-minilm-l6-v2", "nDCG@10"


def quality(folders: list[str], out: Path) -> None:
    entries = [{"model": MODEL, "name": dtype, "dtype": dtype} for dtype in (EXACT, *OTHERS)]
    raw = {"name": "precision", "datasets": folders, "rerankers": entries, "engine": {"device": "cpu"}}
    run_experiment(parse_experiment(raw, "here"), out)
    print(f"| collection | dtype | {METRIC} | difference, 95 % interval | p | queries better / worse |", end="")
    print(" other top 10, order only | largest score shift | in standard deviations |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    found = {dtype: parity(Selector(out, EXACT), Selector(out, dtype), metric=METRIC) for dtype in OTHERS}
    for number, exact in enumerate(found[OTHERS[0]]):
        print(f"| {exact.dataset} | {EXACT} | {100 * exact.mean_a:.2f} | | | | | | |")
        for dtype, rows in found.items():
            print(quality_row(dtype, rows[number]))


def quality_row(dtype: str, p: Parity) -> str:
    low, high = (100 * end for end in (p.paired.low, p.paired.high))
    cells = (
        "",
        dtype,
        f"{100 * p.mean_b:.2f}",
        f"{100 * p.paired.mean:+.2f} [{low:+.2f}, {high:+.2f}]",
        f"{p.paired.p:.2f}",
        f"{p.paired.wins} / {p.paired.losses} of {p.queries}",
        f"{p.changed}, {p.reordered}",
        f"{p.largest:.4f}",
        f"{p.largest / p.spread:.3f}",
    )
    return f"| {' | '.join(cells)} |"


def shifts() -> None:
    print("| family | setting | dtype | mean shift | largest | spread of the scores | largest / spread |")
    print("|---|---|---|--:|--:|--:|--:|")
    for family in CASES:
        exact = {setting: np.array(values) for setting, values in score(family).items()}
        for dtype in OTHERS:
            try:
                other = score(family, dtype=dtype)
            except InputError:
                print(f"| {family} | | {dtype} | not for this family | | | |")
                continue
            for setting, values in exact.items():
                apart = np.abs(np.array(other[setting]) - values)
                figures = (apart.mean(), apart.max(), values.std(), apart.max() / (values.std() or math.nan))
                print(f"| {family} | {setting} | {dtype} | {' | '.join(f'{value:.3g}' for value in figures)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", help="judged collections in BEIR layout; none: scores alone")
    parser.add_argument("--out", type=Path, default=Path("results/runs/precision"), help="the stored run")
    wanted = parser.parse_args()
    if wanted.folders:
        quality(wanted.folders, wanted.out)
        print()
    shifts()


if __name__ == "__main__":
    main()
