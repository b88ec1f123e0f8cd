"""What Ray costs: its engine on two pinned workers, against two pinned local processes with half of the blocks each.

    python benchmarks/ray_overhead.py [--dataset beir/scifact] [--rounds 3]

Both load the same model, score the same blocks under the same settings and store them. Rounds alternate, so that what
else the machine does meets both. Scoring is timed from the first block handed out to the last one stored; the total
also has interpreter, imports, the cluster's start and loading. CPU seconds tell the overhead where the machine is not
quiet: they are those of all processes of a round, Ray's own included, while it scores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rerankbench.eval.data import load_dataset
from rerankbench.eval.experiment.engines import RayOptions
from rerankbench.eval.first_stage import retrieve
from rerankbench.eval.results.store import PassScores, plan_blocks
from rerankbench.eval.runner.cost import block_cost
from rerankbench.eval.runner.engine import Engine, Job, LocalEngine, ScoringTask
from rerankbench.rerankers import LoadOptions, Setting, TextOptions, load

MODEL, SETTINGS, TEXT = "all-minilm-l6-v2", (Setting(),), TextOptions()
WORKERS = 2
BLOCK_QUERIES = 2


class PinnedLoad:
    """Loads the model after taking a core that no other process has taken."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, model: str, options: LoadOptions):
        for core in sorted(os.sched_getaffinity(0)):
            try:
                (self.folder / f"core-{core}").touch(exist_ok=False)
            except FileExistsError:
                continue
            for thread in Path("/proc/self/task").iterdir():
                os.sched_setaffinity(int(thread.name), {core})
            return load(model, options)
        raise RuntimeError("more workers than cores")


def jobs(dataset: str, queries: int, folder: Path) -> list[Job]:
    data = load_dataset(dataset)
    found = retrieve("bm25", data, 100, folder / "candidates", progress=False)
    blocks = plan_blocks(dict(sorted(found.run.items())[:queries]), BLOCK_QUERIES)
    task = ScoringTask(dataset, data, SETTINGS, TEXT)
    return [Job(task, block) for block in blocks]


def cpu_seconds() -> float:
    """CPU time of this process and of all below it (Ray's servers and workers), so far."""
    parents: dict[int, tuple[int, int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            cells = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(cells[1]), int(cells[11]) + int(cells[12])
    mine = {os.getpid()}
    while more := {pid for pid, (parent, _) in parents.items() if parent in mine} - mine:
        mine |= more
    return sum(parents[pid][1] for pid in mine) / os.sysconf("SC_CLK_TCK")


def score(engine: Engine, some: Sequence[Job], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds to score and store some blocks."""
    group = PassScores.make(folder / "scores", {}, SETTINGS, BLOCK_QUERIES)
    group.open()
    start, cpu = time.perf_counter(), cpu_seconds()
    for job, scored, device in engine.run(some):
        group.write(job.block, scored, block_cost(scored, device))
    return time.perf_counter() - start, cpu_seconds() - cpu


def half(rank: int, dataset: str, queries: int, folder: Path, round_: Path) -> None:
    """One of the local processes; waits until the other one has loaded too."""
    engine = LocalEngine(PinnedLoad(round_), MODEL, LoadOptions(device="cpu"), [TEXT], SETTINGS)
    mine = jobs(dataset, queries, folder)[rank::WORKERS]
    (round_ / f"loaded-{rank}").touch()
    while len(list(round_.glob("loaded-*"))) < WORKERS:
        time.sleep(0.01)
    print(*score(engine, mine, round_ / str(rank)))


def local_round(arguments: list[str], round_: Path) -> tuple[float, float, float]:
    """Scoring seconds of the slower process, CPU seconds of both, and the total wall time."""
    start = time.perf_counter()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *arguments, "--round", str(round_), "--rank"]
    running = [
        subprocess.Popen([*command, str(rank)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
        for rank in range(WORKERS)
    ]
    found = [process.communicate()[0].split()[-2:] for process in running]
    walls, cpus = ([float(one[i]) for one in found] for i in (0, 1))
    return max(walls), sum(cpus), time.perf_counter() - start


def ray_round(arguments: list[str], round_: Path) -> tuple[float, float, float]:
    """Scoring seconds, CPU seconds of driver, workers and Ray's servers, and the total, in a process of its own."""
    start = time.perf_counter()
    command = [sys.executable, __file__, *arguments, "--round", str(round_), "--ray"]
    # Ray gives its workers a low priority, which would count only against what else the machine does
    environment = {**os.environ, "RAY_worker_niceness": "0"}
    found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, env=environment)
    wall, cpu = map(float, found.stdout.split()[-2:])
    return wall, cpu, time.perf_counter() - start


def with_ray(dataset: str, queries: int, folder: Path, round_: Path) -> None:
    from rerankbench.eval.runner.on_ray.engine import RayEngine, cluster

    options = RayOptions(name="ray", workers=WORKERS, gpus_per_worker=0, threads_per_worker=1)
    todo = jobs(dataset, queries, folder)
    with cluster(options) as shape:
        engine = RayEngine(options, shape, PinnedLoad(round_), MODEL, LoadOptions(), [TEXT], SETTINGS)
        while len(list(round_.glob("core-*"))) < WORKERS:
            time.sleep(0.01)
        time.sleep(5)  # the second worker has its core and loads still
        seconds = score(engine, todo, round_ / "ray")
        engine.close()
    print(*seconds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="beir/scifact", help="a name or a folder")
    parser.add_argument("--queries", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--round", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ray", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rank is not None:
        return half(options.rank, options.dataset, options.queries, options.folder, options.round)
    if options.ray:
        return with_ray(options.dataset, options.queries, options.folder, options.round)
    folder = Path(tempfile.mkdtemp())
    try:
        todo = jobs(options.dataset, options.queries, folder)
        pairs = sum(job.block.pairs for job in todo)
        print(f"{todo[0].task.dataset.name}, {MODEL}: {pairs} pairs in {len(todo)} blocks;", end=" ")
        print(f"load average {os.getloadavg()[0]:.1f}\n")
        arguments = ["--dataset", options.dataset, "--queries", str(options.queries), "--folder", str(folder)]
        print("| round | local wall | Ray wall | overhead | local CPU | Ray CPU | overhead | local total | Ray total |")
        print("|---|---|---|---|---|---|---|---|---|")
        walls: list[float] = []
        cpus: list[float] = []
        for index in range(options.rounds):
            rounds = [folder / f"{index}-{kind}" for kind in ("local", "ray")]
            for one in rounds:
                one.mkdir()
            wall, cpu, total = local_round(arguments, rounds[0])
            ray_wall, ray_cpu, ray_total = ray_round(arguments, rounds[1])
            walls.append(ray_wall / wall - 1)
            cpus.append(ray_cpu / cpu - 1)
            print(
                f"| {index + 1} | {wall:.1f} s | {ray_wall:.1f} s | {walls[-1]:+.1%} | {cpu:.1f} s | {ray_cpu:.1f} s "
                f"| {cpus[-1]:+.1%} | {total:.1f} s | {ray_total:.1f} s |",
                flush=True,
            )
        print(f"\nmedian overhead: wall {statistics.median(walls):+.1%}, CPU {statistics.median(cpus):+.1%};", end=" ")
        print(f"load average {os.getloadavg()[0]:.1f}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return None


if __name__ == "__main__":
    main()
