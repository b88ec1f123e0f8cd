"""Experiments: what a YAML file may say. Unknown keys are errors; nothing is guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from ...rerankers.errors import InputError, suggest
from ...rerankers.options import LoadOptions, Task, TextOptions, Truncation
from ...rerankers.registry import check_option, families, option_defaults
from ...rerankers.settings import Setting
from ...rerankers.storage.names import check_name
from ...rerankers.validate import Name
from ..metrics.measures import DEFAULT_METRICS, parse_metric
from ..published import load_published
from .engines import EngineOptions, LocalOptions
from .part import Part, label_of
from .stages import Bm25Stage, FirstStage, RunSource


class Compression(Part):
    """`ratio` neighbouring passage states become one before each of `layers` (indices from 0)."""

    ratio: int = Field(ge=1)
    layers: tuple[int, ...]

    @field_validator("layers")
    @classmethod
    def _not_negative(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if any(layer < 0 for layer in layers):
            raise ValueError("layers count from 0")
        return layers


def _with_family_options(schema: dict[str, Any]) -> None:
    """Put the options of every family beside the keys of an entry."""
    for family in families().values():
        schema["properties"] |= {
            key: value
            for key, value in family.options.model_json_schema()["properties"].items()
            if key not in schema["properties"]
        }
    schema["additionalProperties"] = False


class RerankerEntry(Part):
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

    model_config = ConfigDict(extra="allow", json_schema_extra=_with_family_options)

    @model_validator(mode="after")
    def _options_of_families(self) -> RerankerEntry:
        for name, value in self.options.items():
            if name not in option_defaults():
                known = [*type(self).model_fields, *option_defaults()]
                raise ValueError(f"{name}: unknown key{suggest(name, known)}")
            check_option(name, value)
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Options of the model's family, by name; the family checks them (`registry.choose`)."""
        return dict(self.model_extra or {})

    @field_validator("cutoff_layers")
    @classmethod
    def _positive(cls, cutoffs: tuple[int | None, ...]) -> tuple[int | None, ...]:
        if any(cutoff is not None and cutoff < 1 for cutoff in cutoffs):
            raise ValueError("a cutoff is the number of layers that run, at least 1")
        return cutoffs

    @property
    def label(self) -> str:
        """The folder and column name of this entry's cells: its name, or the last part of the model's."""
        return self.name or label_of(self.model)

    def settings(self) -> list[Setting]:
        """Return cutoffs x compressions without repeats; the first of equal ones keeps its place."""
        pairs = product(self.compress, self.cutoff_layers)
        return list(dict.fromkeys(Setting(cut, c.ratio, c.layers) if c else Setting(cut) for c, cut in pairs))

    def text_options(self, task: Task) -> TextOptions:
        """Return how pairs of a dataset of some task become token ids."""
        return TextOptions(self.prompt, self.max_length, self.query_max_length, self.truncation, task)


def _or_a_name(schema: dict[str, Any]) -> None:
    """Read `- NAME` as `- model: NAME`; see `file.parse_experiment`."""
    schema["items"] = {"anyOf": [{"type": "string"}, schema["items"]]}


class Experiment(Part):
    """Datasets x variants, and the metrics to judge them by."""

    name: Name
    datasets: tuple[str, ...] = Field(min_length=1)
    first_stage: FirstStage = Bm25Stage()
    rerankers: tuple[RerankerEntry, ...] = Field(default=(), json_schema_extra=_or_a_name)
    metrics: tuple[str, ...] = Field(default=DEFAULT_METRICS, min_length=1)
    engine: EngineOptions = LocalOptions()

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
        for source in self.first_stage.sources:
            if isinstance(source, RunSource):
                _check_runs(source.run, self.datasets)
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
            _check_label(self.first_stage.label, "first_stage")
        for index, entry in enumerate(self.rerankers):
            _check_label(entry.label, f"rerankers.{index}")
            for other in self.rerankers[:index]:
                # folders of some systems do not distinguish large letters from small ones
                if entry.label.casefold() != other.label.casefold():
                    continue
                if entry.label != other.label or _options(entry) != _options(other):
                    raise ValueError(
                        f"rerankers.{index}: '{entry.label}' appears before with other options; give it a 'name'"
                    )
        return self

    def load_options(self, entry: RerankerEntry) -> LoadOptions:
        """Load how a model is put on a device."""
        return LoadOptions(device=self.engine.device, dtype=entry.dtype, token_budget=self.engine.token_budget)

    def variants(self) -> dict[RerankerEntry, list[Setting]]:
        """Return every model once with all settings of its entries; entries under one label are merged."""
        merged: dict[str, tuple[RerankerEntry, list[Setting]]] = {}
        for entry in self.rerankers:
            merged.setdefault(entry.label, (entry, []))[1].extend(entry.settings())
        return {entry: list(dict.fromkeys(settings)) for entry, settings in merged.values()}


def _check_runs(runs: str | dict[str, str], datasets: Sequence[str]) -> None:
    if isinstance(runs, dict):
        for dataset in datasets:
            if dataset not in runs:
                raise ValueError(f"first_stage.run: names no run for dataset '{dataset}'")
    elif "{dataset}" not in runs and len(datasets) > 1:
        raise ValueError("first_stage.run: one file for several datasets; write {dataset} in it, or a mapping")


def _check_label(label: str, where: str) -> None:
    try:
        check_name(label)
    except InputError as err:
        raise ValueError(f"{where}: {err}, or give it a 'name'") from err


def _options(entry: RerankerEntry) -> dict[str, Any]:
    return entry.model_dump(exclude={"cutoff_layers", "compress", "name"})
