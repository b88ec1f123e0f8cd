"""The corpus of a dense first stage, encoded by all workers of a Ray cluster."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np

from ....rerankers.errors import ScoreError
from ...experiment.engines import RayOptions
from ...first_stage.embeddings import BLOCK
from ...first_stage.encode import Encoder, SentenceEncoder
from ...first_stage.retriever import RetrieverSpec
from ...schedule.patience import Patience
from ...schedule.schedule import Schedule
from .engine import Fleet, cluster, worker_environment

MakeEncoder = Callable[[RetrieverSpec, str], Encoder]


@dataclass(frozen=True)
class EncoderRecipe:
    """What a worker gets once."""

    make: MakeEncoder
    spec: RetrieverSpec
    device: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Texts:
    """One block of texts."""

    texts: tuple[str, ...]
    queries: bool


@dataclass(frozen=True)
class EncoderIntroduction:
    """A worker that has loaded the encoder, and where it runs. All must have the same `identity`, the dimensions."""

    identity: int
    node: str
    pid: int


class EncodeWorker:
    """A Ray actor with an encoder."""

    def __init__(self, recipe: EncoderRecipe) -> None:
        os.environ.update(recipe.environment)  # before the libraries that read it are imported
        self._recipe = recipe
        self._encoder: Encoder | None = None

    def ready(self) -> EncoderIntroduction:
        """Load the encoder."""
        self._encoder = self._recipe.make(self._recipe.spec, self._recipe.device)
        return EncoderIntroduction(self._encoder.dimensions, platform.node(), os.getpid())

    def score(self, order: Texts) -> np.ndarray:
        """Return vectors of one block."""
        assert self._encoder is not None, "ready() comes first"
        return self._encoder.encode(order.texts, queries=order.queries)


class RayEncoder:
    """An encoder that cuts texts into blocks as large as a single encoder gets them, so that vectors are the same.

    Attributes:
        workers: how many blocks are encoded at a time.
        dimensions: of a vector.
    """

    def __init__(self, options: RayOptions, fleet: Fleet, make: MakeEncoder, spec: RetrieverSpec, device: str) -> None:
        """Start the workers and wait for the first; raise its error when none can load the model."""
        from .pool import RayPool

        self.workers, self._name = fleet.workers, spec.name
        recipe = EncoderRecipe(make, spec, device, worker_environment(fleet))
        self._pool = RayPool(fleet.workers, EncodeWorker, recipe, cpus=fleet.cpus, gpus=fleet.gpus)
        self._schedule = Schedule(self._pool, Patience(options.block_timeout), retries=options.retries)
        try:
            self.dimensions: int = self._schedule.start().identity
        except BaseException:
            self._pool.close()
            raise

    def encode(self, texts: Sequence[str], *, queries: bool) -> np.ndarray:
        """See `Encoder.encode`; queries go to one worker. Raises ScoreError when a block was given up."""
        size = max(len(texts), 1) if queries else BLOCK
        blocks = [tuple(texts[start : start + size]) for start in range(0, len(texts), size)]
        self._pool.order = lambda index: Texts(blocks[index], queries)
        costs = [float(sum(map(len, block))) for block in blocks]
        vectors_of = {index: vectors for _, index, vectors in self._schedule.run(costs)}
        for index, cause in self._schedule.failures.items():
            raise ScoreError(f"retriever '{self._name}': {len(blocks[index])} texts were given up: {cause}")
        return np.concatenate(
            [np.zeros((0, self.dimensions), np.float32), *(vectors_of[i] for i in range(len(blocks)))]
        )

    def close(self) -> None:
        """End the workers."""
        self._pool.close()


@contextmanager
def ray_encoders(options: RayOptions, make: MakeEncoder = SentenceEncoder) -> Iterator[MakeEncoder]:
    """Make encoders and keep the last one; the cluster is reached when the first one is wanted."""
    with ExitStack() as stack:
        fleets: list[Fleet] = []
        opened: list[tuple[RetrieverSpec, str, RayEncoder]] = []

        def encoder(spec: RetrieverSpec, device: str) -> Encoder:
            if not opened or opened[0][:2] != (spec, device):
                if not fleets:
                    fleets.append(stack.enter_context(cluster(options)))
                drop()
                opened.append((spec, device, RayEncoder(options, fleets[0], make, spec, device)))
            return opened[0][2]

        def drop() -> None:
            while opened:
                opened.pop()[2].close()

        try:
            yield encoder
        finally:
            drop()
