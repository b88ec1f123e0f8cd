"""The process with a model on one GPU, or on some cores, and scores blocks for the driver."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ....rerankers import Reranker
from ....rerankers.api import Group, Prepared, Scored
from ....rerankers.errors import InputError, ScoreError
from ....rerankers.options import LoadOptions, TextOptions
from ....rerankers.settings import Setting
from ....rerankers.spec import ModelSpec
from ...data import Dataset
from ...hardware.peak import device_name, peak_memory, peak_tflops
from ...locks import name_lock
from ..engine import LoadedModel

OpenDataset = Callable[[str], Dataset]


@dataclass(frozen=True)
class Recipe:
    """What a worker gets once. `environment` has the places of data and models, and the number of threads."""

    load: Callable[[ModelSpec, LoadOptions], Reranker]
    model: ModelSpec
    options: LoadOptions
    texts: tuple[TextOptions, ...]
    settings: tuple[Setting, ...]
    open_dataset: OpenDataset
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Order:
    """One block: the texts of its queries, the ids of their documents. Worker and driver must have the same data."""

    source: str
    checksum: str
    settings: tuple[Setting, ...]
    text: TextOptions
    groups: tuple[tuple[str, tuple[str, ...]], ...]  # (query's text, document ids)


@dataclass(frozen=True)
class Answer:
    """The scores of a block, what made them, how long that took, and the most bytes the worker ever had in use."""

    scored: Scored
    device_name: str
    seconds: float
    peak_memory: int


@dataclass(frozen=True)
class Introduction:
    """A worker that has loaded the model, where it runs, and what its device can do (0 where no FLOPs are counted)."""

    loaded: LoadedModel
    node: str
    pid: int
    peak_tflops: float
    peak_memory: int

    @property
    def identity(self) -> Mapping[TextOptions, dict[str, Any]]:
        """Which model; see `Introduced`."""
        return self.loaded.identities


class Worker:
    """A Ray actor. Each method runs one call at a time, in their order; `prepare` runs beside `score`."""

    def __init__(self, recipe: Recipe) -> None:
        os.environ.update(recipe.environment)  # before the libraries that read it are imported
        self._recipe = recipe
        self._datasets: dict[str, Dataset] = {}
        self._reranker: Reranker | None = None
        self._ahead: dict[Order, tuple[list[Group], Prepared]] = {}

    def ready(self) -> Introduction:
        """Load the model. Raises InputError when that cannot work here."""
        recipe = self._recipe
        start = perf_counter()
        self._reranker = recipe.load(recipe.model, recipe.options)
        loaded = LoadedModel.of(self._reranker, recipe.texts, recipe.settings, perf_counter() - start)
        peak = peak_tflops(loaded.device, loaded.dtype) if loaded.shape is not None else 0.0
        return Introduction(loaded, platform.node(), os.getpid(), peak, peak_memory(loaded.device))

    def prepare(self, order: Order) -> None:
        """Read and tokenise a block, which stays here for `score`."""
        assert self._reranker is not None, "ready() comes first"
        dataset = self._open_dataset(order)
        groups = [Group(query, dataset.texts(docs)) for query, docs in order.groups]
        self._ahead[order] = groups, self._reranker.prepare(groups, order.text)

    def score(self, order: Order, prepared: None) -> Answer:
        """Return scores of one block, which is prepared."""
        assert self._reranker is not None, "ready() comes first"
        start = perf_counter()
        groups, tokens = self._ahead.pop(order)
        scored = self._reranker.score(groups, order.settings, order.text, tokens)
        if not np.isfinite(scored.scores).all():
            raise ScoreError("its scores contain NaN or infinity")
        device = self._reranker.device
        return Answer(scored, device_name(device), perf_counter() - start, peak_memory(device))

    def _open_dataset(self, order: Order) -> Dataset:
        if order.source not in self._datasets:
            try:
                with name_lock(order.source):  # the first process fetches and indexes, the others find it there
                    dataset = self._recipe.open_dataset(order.source)
            except InputError as err:
                raise InputError(f"on {platform.node()}: {err} (all nodes need the data; share its folder)") from err
            if dataset.checksum != order.checksum:
                raise InputError(
                    f"dataset '{order.source}' on {platform.node()} differs from the driver's; copy it there again"
                )
            self._datasets[order.source] = dataset
        return self._datasets[order.source]
