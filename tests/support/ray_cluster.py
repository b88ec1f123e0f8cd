"""One small Ray cluster for the tests of a module."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def two_cpus() -> Iterator[None]:
    """A cluster that the engine finds; its workers can import what is beside this file."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parent))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        ray.init(
            address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20,
            log_to_driver=False, logging_level=logging.ERROR,
        )  # fmt: skip
        yield
        ray.shutdown()
