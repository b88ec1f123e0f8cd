"""Two rerankers on the same candidates, from the words of a command line, as an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...rerankers.errors import InputError
from ...rerankers.registry import choose, families, family_named, find_spec
from ...rerankers.spec import ModelSpec
from .file import override, parse_experiment
from .schema import Experiment

FAMILY = "family"  # beside the keys of an entry: who runs the model, instead of the family that would
SIDES = ("A", "B")


def two_sided(
    models: Sequence[str], options: Sequence[Sequence[str]], datasets: Sequence[str], changes: Sequence[str]
) -> tuple[Experiment, dict[str, str]]:
    """Return the experiment of the two `models`, and the requested family by side.

    `options` are `KEY=YAML` of each side's entry, `changes` those of the experiment. Raises InputError for an unknown
    key, model or family, or for more than one setting of a side.
    """
    raw: dict[str, Any] = {"name": "parity", "datasets": list(datasets)}
    raw["rerankers"] = [{"model": model, "name": side} for model, side in zip(models, SIDES)]
    wanted: dict[str, str] = {}
    for number, (side, words) in enumerate(zip(SIDES, options)):
        for word in words:
            key, _, value = word.partition("=")
            if key == FAMILY:
                if value not in families():
                    raise InputError(f"--{side.lower()} {word}: unknown family; known: {', '.join(families())}")
                wanted[side] = value
            else:
                override(raw, f"rerankers.{number}.{word}", f"--{side.lower()} {word}")
    experiment = parse_experiment(raw, "parity", changes)
    for entry in experiment.rerankers:
        find_spec(entry.model)  # an unknown name is refused before any work
        if len(entry.settings()) != 1:
            raise InputError(f"{entry.label}: {len(entry.settings())} settings; parity compares one of each side")
    return experiment, wanted


def with_families(experiment: Experiment, wanted: dict[str, str]) -> dict[str, ModelSpec]:
    """Return the models of both sides, each run by the requested family, with the options that this family has."""
    specs = {}
    for entry in experiment.rerankers:
        spec = find_spec(entry.model)
        if entry.label in wanted:
            fields = family_named(wanted[entry.label]).options.model_fields
            options = {name: value for name, value in spec.options.items() if name in fields}
            spec = replace(spec, name=entry.label, family=wanted[entry.label], options=options)
        specs[entry.label] = choose(spec, entry.options)
    return specs
