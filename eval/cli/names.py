"""Names that a shell completes, and the commands that take them."""

from __future__ import annotations


def experiment_names(incomplete: str) -> list[str]:
    """Names of experiments that begin so."""
    return _starting("experiments", incomplete)


def model_names(incomplete: str) -> list[str]:
    """Names of models that begin so."""
    return _starting("models", incomplete)


def _starting(kind: str, incomplete: str) -> list[str]:
    from ...configs import names

    return [name for name in names(kind) if name.startswith(incomplete)]
