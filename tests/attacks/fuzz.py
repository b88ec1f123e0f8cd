"""Mutated inputs, drawn from a seed, through the command line, and what became of each.

    make fuzz
    PYTHONPATH=tests/support python tests/attacks/fuzz.py --kinds qrels --seed 1 --only 17     # one of them again

Right is: one line and status 2; the figures of the untouched input; or, where the mutated input means something else,
the figures that `oracle.py`, which shares no code with this project, finds in it. Everything else is counted as wrong,
and makes the status 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mutations
import odd_arguments
import oracle
from attack import Outcome, cli, limited, on_disk
from fuzz_world import METRICS, World, agree, build, evidence, figures
from rerankbench.eval.results import memo

SECONDS = 20  # more is a hang; an untouched run takes a tenth of one
ODD = 10  # of so many, one has something else in the place of its file
RIGHT = ("refused", "healed", "same figures", "as the oracle", "not judged")
WRONG = ("traceback", "hang", "wrong figures", "no single line", "left over")
TEXT, JSON, YAML, RECORDS, BYTES = (
    (mutations.of_bytes, mutations.of_lines),
    (mutations.of_json, mutations.of_json, mutations.of_bytes, mutations.of_lines),
    (mutations.of_yaml, mutations.of_yaml, mutations.of_bytes, mutations.of_lines),
    (mutations.of_records, mutations.of_records, mutations.of_bytes, mutations.of_lines),
    (mutations.of_bytes,),
)


def refused(done: Outcome) -> str:
    try:
        done.refused()
    except AssertionError:
        return "no single line"
    return "refused"


def a_run(world: World) -> str:
    """The mutated file is an input of `run`, which starts anew or comes upon what it made of the untouched one."""
    if world.anew:
        shutil.rmtree(world.folder / "out")
    done = cli("run", "trial.yaml", "--out", "out", "--json")
    if done.status:
        return refused(done)
    try:
        right = oracle.of_run(world.folder)
    except oracle.Unjudged:
        return "not judged"
    except Exception:
        right = {}  # it is no input
    ours = figures(done.out)
    if not agree(ours, right):
        return "wrong figures"
    return "same figures" if agree(ours, world.figures) else "as the oracle"


def an_evaluation(world: World) -> str:
    done = cli("evaluate", "first.trec", "--qrels", "trec.qrels", "--metrics", ",".join(METRICS), "--json")
    if done.status:
        return refused(done)
    try:
        right = {"all": oracle.of_files(world.folder / "first.trec", world.folder / "trec.qrels", METRICS)}
    except oracle.Unjudged:
        return "not judged"
    except Exception:
        right = {}
    return "as the oracle" if agree({"all": json.loads(done.out)["metrics"]}, right) else "wrong figures"


def a_check(world: World) -> str:
    """The run is far worse in every query: it may pass only by a tolerance that the mutation wrote."""
    done = cli("check", "--baseline", "baseline.json", "--run", "bad")
    if done.status == 1:
        return "same figures"
    if done.status:
        return refused(done)
    raw = json.loads((world.folder / "baseline.json").read_text())
    policy, (cell,) = raw["policy"], raw["cells"].values()
    wide = cell.get("tolerance") or policy["tolerance"]
    return "as the oracle" if wide > 0.1 or policy["metrics"] != ["nDCG@10"] else "wrong figures"


def stored(world: World) -> str:
    """The mutated file is of a finished run: readers refuse it or say the same, and `run` makes it whole."""
    before = on_disk(world.folder)
    for reader in (("table", "out", "--format", "json"), ("pareto", "out")):
        done = cli(*reader)
        if done.status and refused(done) != "refused":
            return "no single line"
        if not done.status and reader[0] == "table" and figures(done.out) != world.figures:
            return "wrong figures"
    if on_disk(world.folder) != before:
        return "left over"
    if (world.cell / "manifest.json").is_file() and (world.folder / "unread").exists():
        (world.cell / "manifest.json").unlink()  # or nobody would read the blocks
    done = cli("run", "trial.yaml", "--out", "out", "--json")
    if done.status:
        return refused(done)
    return "healed" if agree(figures(done.out), world.figures) and same_bytes(world) else "wrong figures"


def a_call(world: World) -> str:
    """No file is mutated, but what is said to a command."""
    done = cli(*world.arguments)
    return refused(done) if done.status not in (0, 1) else "not judged"


def same_bytes(world: World) -> bool:
    found = evidence(world.folder)
    return all(found.get(name) == data for name, data in world.evidence.items())


@dataclass(frozen=True)
class Kind:
    """Which file is mutated (none: the arguments), how, what is called then; from a block, the cell is made again."""

    pattern: str
    ways: tuple[Callable, ...]
    call: Callable[[World], str]
    block: bool = False


KINDS = {
    "experiment": Kind("trial.yaml", YAML, a_run),
    "policy": Kind("data/policy.yaml", YAML, a_run),
    "model YAML": Kind("mine.yaml", YAML, a_run),
    "corpus": Kind("data/corpus.jsonl", RECORDS, a_run),
    "queries": Kind("data/queries.jsonl", RECORDS, a_run),
    "qrels": Kind("data/qrels/test.tsv", TEXT, a_run),
    "first stage": Kind("first.trec", TEXT, a_run),
    "run to evaluate": Kind("first.trec", TEXT, an_evaluation),
    "qrels to evaluate": Kind("trec.qrels", TEXT, an_evaluation),
    "baseline": Kind("baseline.json", JSON, a_check),
    "block": Kind("out/scores/**/block-*.parquet", BYTES, stored, True),
    "note of a block": Kind("out/scores/**/block-*.json", JSON, stored, True),
    "group": Kind("out/scores/**/group.json", JSON, stored, True),
    "candidates": Kind("out/candidates/*", BYTES, stored, True),
    "index": Kind("cache/index/*.sqlite", BYTES, stored, True),
    "manifest": Kind("out/cells/**/manifest.json", JSON, stored),
    "values by query": Kind("out/cells/**/per_query.parquet", BYTES, stored),
    "run of a cell": Kind("out/cells/**/run.trec.gz", BYTES, stored),
    "judgements of a cell": Kind("out/cells/**/qrels.trec.gz", BYTES, stored),
    "command line": Kind("", (), a_call),
}


def mutate(kind: Kind, world: World, draw: random.Random, number: int) -> str:
    """Do what is to be tried; says what."""
    if not kind.pattern:
        world.arguments = odd_arguments.drawn(draw)
        return repr(world.arguments)[:500]
    path = draw.choice(world.files(kind.pattern))
    if number % ODD:
        data, told = mutations.mutated(draw, path.read_bytes(), kind.ways)
        path.write_bytes(data)
    else:
        told = mutations.of_place(draw, path)
    if kind.block:
        (world.folder / "unread").touch()
    return f"{path.relative_to(world.folder)}: {told}"


def one(whole: World, place: Path, name: str, number: int, seed: int) -> tuple[str, str]:
    """(what became of it, what was done) for one mutated file in a copy of the world."""
    kind, draw = KINDS[name], random.Random(f"{seed} {name} {number}")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole.folder, place)
    memo._memo.cache_clear()  # of the folder that was here; a person's next command is another process
    os.chdir(place)
    os.environ["RERANKBENCH_CACHE"] = str(place / "cache")
    world = World(place, whole.figures, whole.evidence, anew=number % 2 == 0)
    if name == "index":  # it is of one path and time
        cli("run", "trial.yaml", "--out", "out").well()
    told = mutate(kind, world, draw, number)
    try:
        with limited(SECONDS):
            became = kind.call(world)
    except TimeoutError:
        return "hang", told
    except BaseException as err:  # whatever came through the command line
        return "traceback", f"{told}: {type(err).__name__}: {err}"
    left = [path for path in place.rglob("*.tmp") if became in ("refused", "healed")]
    return ("left over", f"{told}: {left[0].name}") if left else (became, told)


def fuzz(folder: Path, cases: dict[str, list[int]], seed: int) -> tuple[dict[str, Counter[str]], list[str]]:
    """Counts of outcomes by kind, and a line for everything that is wrong."""
    os.chdir(folder)
    (folder / "whole").mkdir()
    os.chdir(folder / "whole")
    os.environ["RERANKBENCH_CACHE"] = str(folder / "whole" / "cache")
    whole = build(folder / "whole")
    gc.collect()
    gc.freeze()  # `run` collects; the libraries' objects need not be walked each time
    counts: dict[str, Counter[str]] = {name: Counter() for name in cases}
    wrong = []
    for name, numbers in cases.items():
        for number in numbers:
            became, told = one(whole, folder / "case", name, number, seed)
            counts[name][became] += 1
            if became in WRONG:
                wrong.append(f"{became}: --kinds '{name}' --seed {seed} --only {number}: {told}")
    os.chdir(folder)
    return counts, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1500, help="in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--only", type=int, help="one number of each kind")
    wanted = parser.parse_args()
    each = range(-(-wanted.cases // len(wanted.kinds)))
    cases = {name: [wanted.only] if wanted.only is not None else list(each) for name in wanted.kinds}
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        counts, wrong = fuzz(Path(folder).resolve(), cases, wanted.seed)
    columns = [*RIGHT, *WRONG]
    print(f"{'':22}" + "".join(f"{column:>16}" for column in columns))
    for name, row in [*counts.items(), ("all", sum(counts.values(), Counter()))]:
        print(f"{name:22}" + "".join(f"{row[column]:>16}" for column in columns))
    print(f"{sum(map(Counter.total, counts.values()))} mutated inputs, {time.perf_counter() - started:.0f} s")
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
