"""The models of an experiment: every name becomes a specification once, with the options of its entry."""

from __future__ import annotations

from collections.abc import Mapping

from ...rerankers.registry import choose, family_of, find_spec
from ...rerankers.spec import ModelSpec
from .schema import Experiment, RerankerEntry

Specs = Mapping[str, ModelSpec]  # by the label of an entry


def find_models(experiment: Experiment) -> dict[str, ModelSpec]:
    """Find the specification of every entry, by its label.

    Raises InputError for an unknown model, and an option that its family does not have or take.
    """
    return {entry.label: find_model(entry) for entry in experiment.variants()}


def check_ready(specs: Specs) -> None:
    """Raise InputError for what would stop a model after the others have run: a server without a key or an address."""
    for spec in specs.values():
        family_of(spec).check_ready(spec)


def find_model(entry: RerankerEntry) -> ModelSpec:
    """Find the specification of one entry."""
    return choose(find_spec(entry.model, entry.options.get("template")), entry.options)


def unresolved(experiment: Experiment) -> dict[str, ModelSpec]:
    """Return specifications that state a name alone, for loaders that find models in another way."""
    return {
        entry.label: ModelSpec(entry.model, "", entry.model, options=entry.options) for entry in experiment.variants()
    }
