"""The choices by which the released code of a family differs from its configuration, tried on weights loaded once."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from .api import Reranker
from .options import POLICIES, LoadOptions
from .registry import family_of
from .spec import ModelSpec


def policy_choices(spec: ModelSpec, options: LoadOptions) -> list[LoadOptions]:
    """`options` with every combination of the policies that the model's family has, the given ones first."""
    names = list(family_of(spec).policies(options))
    found = [replace(options, **dict(zip(names, values))) for values in product(*(POLICIES[name] for name in names))]
    return sorted(found, key=lambda one: one != options)


def under(reranker: Reranker, options: LoadOptions) -> Reranker:
    """The reranker with other policies over the same weights; device and dtype stay. Nothing is loaded again."""
    return family_of(reranker.spec).under(reranker, options)
