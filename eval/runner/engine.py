"""Who executes the work. The runner plans, stores and judges; an engine only turns blocks into scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any, Protocol

from ...rerankers import Reranker
from ...rerankers.api import Group as QueryGroup
from ...rerankers.api import Prepared, Scored, listening
from ...rerankers.errors import ScoreError
from ...rerankers.flops import Shape
from ...rerankers.options import LoadOptions, TextOptions
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ..data import Dataset
from ..hardware.peak import device_name, peak_memory, peak_tflops
from ..results.store import Block
from .prefetch import prefetch


@dataclass(frozen=True)
class LoadedModel:
    """What a loaded model states of itself, wherever it is loaded.

    Attributes:
        identities: `Reranker.identity` under each of the texts that the engine was made for.
        warnings: `Reranker.check` of each of its settings.
        load_seconds: wall time of loading it.
    """

    spec: ModelSpec
    shape: Shape | None
    device: str
    device_name: str
    dtype: str
    identities: Mapping[TextOptions, dict[str, Any]]
    warnings: Mapping[Setting, tuple[str, ...]]
    load_seconds: float

    @classmethod
    def of(
        cls, reranker: Reranker, texts: Iterable[TextOptions], settings: Iterable[Setting], load_seconds: float
    ) -> LoadedModel:
        """Raise InputError when the model cannot run one of the settings."""
        return cls(
            spec=reranker.spec,
            shape=reranker.shape,
            device=reranker.device,
            device_name=device_name(reranker.device),
            dtype=reranker.dtype,
            identities={text: reranker.identity(text) for text in texts},
            warnings={setting: tuple(reranker.check(setting)) for setting in settings},
            load_seconds=load_seconds,
        )


@dataclass(frozen=True, eq=False)
class ScoringTask:
    """Pairs of one dataset under settings that share a forward pass. `source` is what `load_dataset` is given."""

    source: str
    dataset: Dataset
    settings: tuple[Setting, ...]
    text: TextOptions


@dataclass(frozen=True)
class Job:
    """One block of a task."""

    task: ScoringTask
    block: Block


class BlocksFailed(ScoreError):
    """Some blocks could not be scored; all others are stored."""

    def __init__(self, failed: Sequence[tuple[Job, str]], blocks: int) -> None:
        causes: dict[str, list[Job]] = {}
        for job, cause in failed:
            causes.setdefault(cause, []).append(job)
        reasons = "; ".join(f"{_name_jobs(jobs)}: {cause}" for cause, jobs in causes.items())
        super().__init__(
            f"{len(failed)} of {blocks} blocks were given up ({reasons}); "
            "everything else is stored, the same command tries them again"
        )


def _name_jobs(jobs: Sequence[Job]) -> str:
    more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
    return f"{jobs[0].task.dataset.name}, {jobs[0].block.name}{more}"


class Engine(Protocol):
    """A loaded model that executes blocks in any order; the scores of a block do not depend on that order."""

    @property
    def loaded(self) -> LoadedModel:
        """What was loaded."""
        ...

    def run(self, jobs: Sequence[Job], tell: Callable[[int], None] | None = None) -> Iterator[tuple[Job, Scored, str]]:
        """Yield each block with its scores and the name of the device that made them, as soon as it is done.

        `tell`, where it can be, is called with the pairs of the present block that are done.

        Raises ScoreError or InputError: at once, or when all other blocks are done.
        """
        ...

    def peak_tflops(self) -> float:
        """Return the measured peak of one of its devices."""
        ...

    def peak_memory(self) -> int:
        """Return the most bytes in use so far on one of its devices."""
        ...

    def usage(self) -> dict[str, Any] | None:
        """Return each worker's part so far, for the provenance of results; None when there is only one worker."""
        ...

    def close(self) -> None:
        """Let go of the model and of whoever held it."""
        ...


class LocalEngine:
    """Executes in this process, one block after the other."""

    def __init__(
        self,
        load: Callable[[ModelSpec, LoadOptions], Reranker],
        model: ModelSpec,
        options: LoadOptions,
        texts: Iterable[TextOptions],
        settings: Iterable[Setting],
    ) -> None:
        start = perf_counter()
        self._reranker: Reranker | None = load(model, options)
        self.loaded = LoadedModel.of(self._loaded, texts, settings, perf_counter() - start)

    @property
    def _loaded(self) -> Reranker:
        assert self._reranker is not None, "the engine is closed"
        return self._reranker

    def run(self, jobs: Sequence[Job], tell: Callable[[int], None] | None = None) -> Iterator[tuple[Job, Scored, str]]:
        """Yield each block with its scores, in order; stops at the first error.

        Texts and token ids come one block ahead.
        """

        def prepare(job: Job) -> tuple[list[QueryGroup], Prepared]:
            dataset = job.task.dataset
            groups = [QueryGroup(dataset.queries[query], dataset.texts(docs)) for query, docs in job.block.candidates]
            return groups, self._loaded.prepare(groups, job.task.text)

        for job, (groups, prepared) in prefetch(prepare, jobs):
            with listening(partial(_tell_pairs, tell, job.block.pairs)):
                scored = self._loaded.score(groups, job.task.settings, job.task.text, prepared)
            yield job, scored, self.loaded.device_name

    def peak_tflops(self) -> float:
        """See `Engine.peak_tflops`."""
        return peak_tflops(self.loaded.device, self.loaded.dtype)

    def peak_memory(self) -> int:
        """See `Engine.peak_memory`."""
        return peak_memory(self.loaded.device)

    def usage(self) -> None:
        """Return None: the times of the one worker are in the cost of every cell."""
        return

    def close(self) -> None:
        """Drop the model."""
        self._reranker = None


def _tell_pairs(tell: Callable[[int], None] | None, pairs: int, share: float) -> None:
    if tell is not None:
        tell(round(share * pairs))
