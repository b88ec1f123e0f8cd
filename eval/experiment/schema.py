"""Experiments: what a YAML file may say. Unknown keys are errors; nothing is guessed."""

from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ...rerankers.errors import InputError, suggest
from ...rerankers.options import CutoffPolicy, HeadPolicy, LoadOptions, SoftcapPolicy, Task, TextOptions, Truncation
from ...rerankers.settings import Setting
from ...rerankers.storage.names import check_name
from ..first_stage.bm25 import Bm25Options
from ..first_stage.retriever import BM25
from ..first_stage.tokens import NONE, STEMMERS, Stopwords
from ..metrics.measures import DEFAULT_METRICS, parse_metric
from ..published import load_published
from ..validate import Name


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


_BM25_ONLY = ("k1", "b", "stemmer", "stopwords")


class FirstStage(_Part):
    """Where candidates come from: a retriever, or runs that exist (`{dataset}` in the path stands for the name)."""

    retriever: str | None = Field(
        default=None, description="bm25 (also without a run), a name in configs/retrievers, or a retriever's YAML file"
    )
    run: str | dict[str, str] | None = Field(default=None, description="a run file, or dataset name -> run file")
    k: int = Field(default=100, ge=1, description="candidates per query")
    check: str | None = Field(
        default=None, description="a published table whose first stage must be met before anything is reranked"
    )
    tolerance: float | None = Field(
        default=None, ge=0, description="for `check`, in points of the metric x 100; default: the table's"
    )
    on_mismatch: Literal["stop", "warn"] = "stop"
    k1: float | None = Field(default=None, ge=0, description="bm25: how soon repeated words stop counting")
    b: float | None = Field(default=None, ge=0, le=1, description="bm25: how much long documents lose")
    stemmer: str | None = Field(default=None, description="bm25: a Snowball algorithm or none; default: the language's")
    stopwords: Stopwords | None = Field(default=None, description="bm25: lucene-en or none; default: the language's")

    @model_validator(mode="after")
    def _one_source(self) -> FirstStage:
        if (self.retriever is None) == (self.run is None):
            raise ValueError("give either 'retriever: NAME' or 'run: PATH'")
        if self.retriever != BM25:
            for key in _BM25_ONLY:
                if getattr(self, key) is not None:
                    raise ValueError(f"'{key}' is for BM25; write retriever: bm25 beside it, or leave it out")
        known = {*STEMMERS.values(), NONE}
        if self.stemmer is not None and self.stemmer not in known:
            raise ValueError(f"stemmer '{self.stemmer}' is unknown{suggest(self.stemmer, known)}")
        return self

    @property
    def bm25(self) -> Bm25Options:
        """What BM25 is told; keys that are absent have its defaults."""
        given = {key: getattr(self, key) for key in _BM25_ONLY}
        return Bm25Options(**{key: value for key, value in given.items() if value is not None})

    @property
    def label(self) -> str | None:
        """What tables call the retriever; None when runs are imported."""
        return self.retriever and stem(self.retriever)

    def run_file(self, dataset: str) -> Path | None:
        """The run to import for a dataset; None when the candidates are retrieved."""
        if self.run is None:
            return None
        path = self.run[dataset] if isinstance(self.run, dict) else self.run.replace("{dataset}", dataset)
        return Path(path)


class Compression(_Part):
    """`ratio` neighbouring passage states become one before each of `layers` (indices from 0)."""

    ratio: int = Field(ge=1)
    layers: tuple[int, ...]

    @field_validator("layers")
    @classmethod
    def _not_negative(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if any(layer < 0 for layer in layers):
            raise ValueError("layers count from 0")
        return layers


class RerankerEntry(_Part):
    """A model and the settings to run it under: every cutoff with every compression.

    null among `cutoff_layers` is the full depth, null in `compress` is no compression.
    """

    model: str = Field(
        description="a name of `rerankbench ls models`, a model's YAML file or folder, a hub id, my_module:MyReranker"
    )
    name: Name | None = Field(
        default=None, description="what tables call it, when one model appears with several options"
    )
    cutoff_layers: tuple[int | None, ...] = Field(default=(None,), min_length=1)
    compress: tuple[Compression | None, ...] = Field(default=(None,), min_length=1)
    prompt: str | None = Field(
        default=None, description="a prompt's name or text, instead of the model's wording for the dataset's task"
    )
    max_length: int | None = Field(default=None, ge=8)
    query_max_length: int | None = Field(default=None, ge=1)
    truncation: Truncation | None = Field(default=None, description="class or snippet; default: the model's")
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8", "fp8"] = "auto"
    head_policy: HeadPolicy = "released"
    attention_softcap: SoftcapPolicy = "released"
    cutoffs: CutoffPolicy = "trained"

    @field_validator("cutoff_layers")
    @classmethod
    def _positive(cls, cutoffs: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if any(cutoff is not None and cutoff < 1 for cutoff in cutoffs):
            raise ValueError("a cutoff is the number of layers that run, at least 1")
        return cutoffs

    @property
    def label(self) -> str:
        """The folder and column name of this entry's cells: its name, or the last part of the model's."""
        return self.name or stem(self.model)

    def settings(self) -> list[Setting]:
        """Cutoffs x compressions without repeats; the first of equal ones keeps its place."""
        pairs = product(self.compress, self.cutoff_layers)
        return list(dict.fromkeys(Setting(cut, c.ratio, c.layers) if c else Setting(cut) for c, cut in pairs))

    def text_options(self, task: Task) -> TextOptions:
        """How pairs of a dataset of some task become token ids."""
        return TextOptions(self.prompt, self.max_length, self.query_max_length, self.truncation, task)


_RAY_ONLY = {"workers", "gpus_per_worker", "threads_per_worker", "address", "retries", "block_timeout"}


class EngineOptions(_Part):
    """What executes the work. Provenance only, except that a block is the unit that is stored."""

    name: Literal["local", "ray"] = Field(default="local", description="local: in this process; ray: on many GPUs")
    device: str = "auto"
    token_budget: int | None = Field(default=None, ge=1, description="most tokens in one forward pass")
    block_queries: int = Field(default=16, ge=1, description="queries that are scored and stored at a time")
    workers: int | None = Field(default=None, ge=1, description="ray: how many; default: one per GPU of the cluster")
    gpus_per_worker: float | None = Field(
        default=None, ge=0, description="ray: 0 scores on CPUs; default: 1 where the cluster has GPUs, else 0"
    )
    threads_per_worker: int | None = Field(
        default=None, ge=1, description="ray: default: the cores shared among workers, or 4 beside a GPU"
    )
    address: str | None = Field(
        default=None, description="ray: of a running cluster, auto for the one of this machine; default: start one here"
    )
    retries: int = Field(default=2, ge=0, description="ray: how often a block is tried again when its worker died")
    block_timeout: float | None = Field(
        default=None, gt=0, description="ray: seconds until a worker counts as hung; default: from the blocks' costs"
    )

    @model_validator(mode="after")
    def _only_ray(self) -> EngineOptions:
        if self.name == "local":
            defaults = type(self).model_fields
            for key in sorted(key for key in _RAY_ONLY if getattr(self, key) != defaults[key].default):
                raise ValueError(f"'{key}' is for the engine ray; write name: ray beside it")
        return self


def _or_a_name(schema: dict[str, Any]) -> None:
    """`- NAME` stands for `- model: NAME`; see `file.parse_experiment`."""
    schema["items"] = {"anyOf": [{"type": "string"}, schema["items"]]}


class Experiment(_Part):
    """Datasets x variants, and the metrics to judge them by."""

    name: Name
    datasets: tuple[str, ...] = Field(min_length=1)
    first_stage: FirstStage = FirstStage(retriever="bm25")
    rerankers: tuple[RerankerEntry, ...] = Field(default=(), json_schema_extra=_or_a_name)
    metrics: tuple[str, ...] = Field(default=DEFAULT_METRICS, min_length=1)
    engine: EngineOptions = EngineOptions()

    @field_validator("datasets")
    @classmethod
    def _distinct(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"'{name}' is listed {count} times")
        return names

    @field_validator("metrics")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(parse_metric(name).name for name in names))

    @model_validator(mode="after")
    def _runs(self) -> Experiment:
        runs = self.first_stage.run
        if isinstance(runs, dict):
            for dataset in self.datasets:
                if dataset not in runs:
                    raise ValueError(f"first_stage.run: names no run for dataset '{dataset}'")
        if isinstance(runs, str) and "{dataset}" not in runs and len(self.datasets) > 1:
            raise ValueError("first_stage.run: one file for several datasets; write {dataset} in it, or a mapping")
        return self

    @model_validator(mode="after")
    def _checked(self) -> Experiment:
        if self.first_stage.check is not None:
            metric = load_published(self.first_stage.check).metric
            if metric not in self.metrics:
                raise ValueError(f"metrics: {metric} is needed for first_stage.check; add it")
        return self

    @model_validator(mode="after")
    def _labels(self) -> Experiment:
        if self.first_stage.label is not None:
            _check_label(self.first_stage.label, "first_stage.retriever")
        for index, entry in enumerate(self.rerankers):
            _check_label(entry.label, f"rerankers.{index}")
            for other in self.rerankers[:index]:
                # folders of some systems do not tell large letters from small ones
                if entry.label.casefold() != other.label.casefold():
                    continue
                if entry.label != other.label or _options(entry) != _options(other):
                    raise ValueError(
                        f"rerankers.{index}: '{entry.label}' appears before with other options; give it a 'name'"
                    )
        return self

    def load_options(self, entry: RerankerEntry) -> LoadOptions:
        """How a model is put on a device."""
        return LoadOptions(
            device=self.engine.device,
            dtype=entry.dtype,
            head_policy=entry.head_policy,
            attention_softcap=entry.attention_softcap,
            cutoffs=entry.cutoffs,
            token_budget=self.engine.token_budget,
        )

    def variants(self) -> dict[RerankerEntry, list[Setting]]:
        """Every model once with all settings that its entries ask for; entries under one label are merged."""
        merged: dict[str, tuple[RerankerEntry, list[Setting]]] = {}
        for entry in self.rerankers:
            merged.setdefault(entry.label, (entry, []))[1].extend(entry.settings())
        return {entry: list(dict.fromkeys(settings)) for entry, settings in merged.values()}


def _check_label(label: str, where: str) -> None:
    try:
        check_name(label)
    except InputError as err:
        raise ValueError(f"{where}: {err}, or give it a 'name'") from err


def stem(name: str) -> str:
    """The name in a path of a YAML file, the class in `module:Class`; a name as it is."""
    return Path(name.removesuffix(".yaml").removesuffix(".yml")).name.rpartition(":")[2]


def _options(entry: RerankerEntry) -> dict[str, Any]:
    return entry.model_dump(exclude={"cutoff_layers", "compress", "name"})
