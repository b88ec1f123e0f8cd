"""The engine on Ray: one model per GPU or per some cores, on one machine or on many."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from ....rerankers import Reranker
from ....rerankers.api import Scored
from ....rerankers.errors import InputError
from ....rerankers.options import LoadOptions, TextOptions
from ....rerankers.settings import Setting
from ....rerankers.spec import ModelSpec
from ...data import load_dataset
from ...data.catalog import builtin_folders, entries
from ...experiment.engines import RayOptions
from ...schedule.patience import Patience
from ...schedule.schedule import Schedule
from ..engine import BlocksFailed, Job, LoadedModel
from .estimate import job_costs
from .worker import Answer, Introduction, OpenDataset, Order, Recipe, Worker

log = logging.getLogger("rerankbench")

_OBJECT_STORE = 200 * 2**20  # bytes; what passes through it are scores
_GPU_THREADS = 4  # beside a GPU, for tokenising
_HANDED_ON = ("RERANKBENCH_", "HF_", "IR_DATASETS_", "TRANSFORMERS_")  # environment: where data and models are
# the slowest devices that are waited for, in seconds per FLOP, until a block shows what is usual
_SLOWEST = {"cuda": 1 / 2e12, "cpu": 1 / 2e9}


@dataclass(frozen=True)
class Fleet:
    """How many workers, and what each is given."""

    workers: int
    gpus: float
    threads: int

    @property
    def cpus(self) -> int:
        """CPUs to reserve in Ray: beside a GPU one, since the threads there only feed it."""
        return 1 if self.gpus else self.threads


def worker_environment(fleet: Fleet) -> dict[str, str]:
    """Return variables of a worker's process: the driver's for data and models, and numbers of threads."""
    handed_on = {k: v for k, v in os.environ.items() if k.startswith(_HANDED_ON)}
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")
    return {**handed_on, **dict.fromkeys(threads, str(fleet.threads))}


@contextmanager
def cluster(options: RayOptions) -> Iterator[Fleet]:
    """Join a Ray cluster: the one at `options.address`, or one on this machine for as long as the context."""
    try:
        import ray
    except ImportError as err:
        raise InputError('engine.name: ray needs Ray: pip install "rerankbench[ray]"') from err
    joined = ray.is_initialized()
    with redirect_stdout(sys.stderr):  # where Ray's messages belong: stdout is for results
        try:
            if not joined:
                _connect(ray, options)
            yield _fill_fleet(options, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        finally:
            if not joined:
                ray.shutdown()


def _connect(ray: Any, options: RayOptions) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    if options.address is not None:
        try:
            ray.init(address=options.address, **quiet)
        except (ConnectionError, ValueError) as err:
            raise InputError(f"engine.address: no Ray cluster at '{options.address}': run `ray start`") from err
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    cpus = max(len(os.sched_getaffinity(0)), (options.workers or 1) * (options.threads_per_worker or 1))
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, object_store_memory=_OBJECT_STORE, **quiet)


def _fill_fleet(options: RayOptions, nodes: Sequence[dict[str, float]]) -> Fleet:
    """Fill in what is not given from what the nodes have: a worker per GPU, and the cores shared among workers."""
    here = sum(node.get("GPU", 0.0) for node in nodes)
    gpus = options.gpus_per_worker
    if gpus is None:
        gpus = 0.0 if options.device == "cpu" or not here else 1.0
    workers = options.workers or (int(here / gpus) if gpus else 1)
    if gpus * workers > here:
        log.warning(
            "%d workers need %g GPUs and the cluster has %g: some may have to wait", workers, gpus * workers, here
        )
    if not workers:
        raise InputError("engine.gpus_per_worker: the cluster has no GPU; set it to 0 to score on CPUs")
    cores = [node.get("CPU", 0.0) for node in nodes]
    fitting = (n for n in range(int(sum(cores)) // workers, 0, -1) if sum(int(c / n) for c in cores) >= workers)
    return Fleet(workers, gpus, options.threads_per_worker or (_GPU_THREADS if gpus else next(fitting, 1)))


@dataclass
class _Tally:
    """What one worker has done; the seconds are its own."""

    worker: int
    node: str = ""
    device: str = ""
    load_seconds: float = 0.0
    blocks: int = 0
    busy_seconds: float = 0.0
    forward_seconds: float = 0.0
    restarts: int = 0


class RayEngine:
    """One model on every worker. Blocks go out longest first, and come back as they finish."""

    def __init__(
        self,
        options: RayOptions,
        fleet: Fleet,
        load: Callable[[ModelSpec, LoadOptions], Reranker],
        model: ModelSpec,
        load_options: LoadOptions,
        texts: Iterable[TextOptions],
        settings: Iterable[Setting],
        *,
        open_dataset: OpenDataset = load_dataset,
    ) -> None:
        """Start the workers and wait for the first; raise its error when none can load the model."""
        from .pool import RayPool

        if not fleet.gpus and load_options.device == "auto":
            load_options = replace(load_options, device="cpu")
        recipe = Recipe(
            load=load,
            model=replace(model, source=_absolute_name(model.source)),
            options=load_options,
            texts=tuple(texts),
            settings=tuple(settings),
            open_dataset=open_dataset,
            environment=worker_environment(fleet),
        )
        self.fleet, self._label = fleet, model.name
        self._pool = RayPool(fleet.workers, Worker, recipe, cpus=fleet.cpus, gpus=fleet.gpus)
        self._wall, self._peak_memory = 0.0, 0
        self._tallies = [_Tally(worker) for worker in range(fleet.workers)]
        try:
            self._schedule = Schedule(self._pool, Patience(options.block_timeout), retries=options.retries)
            self._first: Introduction = self._schedule.start()
            self.loaded: LoadedModel = self._first.loaded
        except BaseException:
            self._pool.close()
            raise
        if self.loaded.shape is not None:
            self._schedule.patience.assume(_SLOWEST["cuda" if self.loaded.device.startswith("cuda") else "cpu"])

    def run(self, jobs: Sequence[Job], tell: Callable[[int], None] | None = None) -> Iterator[tuple[Job, Scored, str]]:
        """Yield each block with its scores, as it is done. Raises BlocksFailed at the end if some were given up."""
        self._pool.order = lambda index: _make_order(jobs[index])
        before, start = self._wall, perf_counter()
        for worker, index, answer in self._schedule.run(job_costs(jobs, self.loaded)):
            self._wall = before + perf_counter() - start
            self._count(worker, answer)
            yield jobs[index], answer.scored, answer.device_name
        if failures := self._schedule.failures:
            raise BlocksFailed([(jobs[index], cause) for index, cause in sorted(failures.items())], len(jobs))

    def _count(self, worker: int, answer: Answer) -> None:
        tally = self._tallies[worker]
        tally.blocks += 1
        self._peak_memory = max(self._peak_memory, answer.peak_memory)
        tally.busy_seconds += answer.seconds
        tally.forward_seconds += answer.scored.executed.seconds.get("forward", 0.0)

    def usage(self) -> dict[str, Any]:
        """Return per worker: blocks, busy and forward seconds, restarts; over all: wall seconds and scaling efficiency.

        The efficiency is the sum of forward times over workers x wall time, from the first block handed out to the
        last result. Loading is not in it; `load_seconds` has it per worker.
        """
        for worker, introduction in self._pool.introductions.items():
            assert isinstance(introduction, Introduction)
            tally = self._tallies[worker]
            tally.node, tally.device = introduction.node, introduction.loaded.device_name
            tally.load_seconds = introduction.loaded.load_seconds
            tally.restarts = self._schedule.workers[worker].restarts
        forward = sum(tally.forward_seconds for tally in self._tallies)
        return {
            "name": "ray",
            **asdict(self.fleet),
            "wall_seconds": self._wall,
            "efficiency": forward / (self.fleet.workers * self._wall) if self._wall else None,
            "per_worker": [asdict(tally) for tally in self._tallies],
        }

    def peak_tflops(self) -> float:
        """See `Engine.peak_tflops`; of the first worker, measured when it had loaded the model."""
        return self._first.peak_tflops

    def peak_memory(self) -> int:
        """See `Engine.peak_memory`; the most of any worker."""
        return max(self._peak_memory, self._first.peak_memory)

    def close(self) -> None:
        """End the workers and log how well they were used."""
        usage = self.usage()
        self._pool.close()
        if usage["efficiency"] is not None:
            restarts = sum(worker["restarts"] for worker in usage["per_worker"])
            log.info(
                "%s: %d workers, scaling efficiency %.2f (forward time over workers x %.1f s), %d restarts",
                self._label, self.fleet.workers, usage["efficiency"], self._wall, restarts,
            )  # fmt: skip


def _make_order(job: Job) -> Order:
    task = job.task
    groups = tuple((task.dataset.queries[query], docs) for query, docs in job.block.candidates)
    return Order(_absolute_name(task.source), task.dataset.checksum, task.settings, task.text, groups)


def _absolute_name(name: str) -> str:
    """Return a name as it is; a folder or file by its full path, since workers have another working directory."""
    known = name in entries() or name in builtin_folders()
    return name if known or not Path(name).exists() else str(Path(name).resolve())
