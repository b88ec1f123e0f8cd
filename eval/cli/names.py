"""Names that a shell completes, and the commands that take them."""

from __future__ import annotations

from collections.abc import Iterable


def experiment_names(incomplete: str) -> list[str]:
    """Names of experiments that begin so."""
    return _starting("experiments", incomplete)


def model_names(incomplete: str) -> list[str]:
    """Names of models that begin so."""
    return _starting("models", incomplete)


def published_names(incomplete: str) -> list[str]:
    """Names of published tables that begin so."""
    return _starting("published", incomplete)


def dataset_names(incomplete: str) -> list[str]:
    """Names of datasets that begin so."""
    from ..data import list_datasets

    return starting((info.name for info in list_datasets()), incomplete)


def starting(names: Iterable[str], incomplete: str) -> list[str]:
    """Those names that begin so."""
    return [name for name in names if name.startswith(incomplete)]


def _starting(kind: str, incomplete: str) -> list[str]:
    from ...configs import names

    return starting(names(kind), incomplete)
