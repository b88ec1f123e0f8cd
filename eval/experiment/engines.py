"""What executes an experiment: this process, or Ray's workers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from .part import Part


class _Engine(Part):
    """What executes the work. Provenance only, except that a block is the unit that is stored."""

    device: str = "auto"
    token_budget: int | None = Field(default=None, ge=1, description="most tokens in one forward pass")
    block_queries: int = Field(default=16, ge=1, description="queries that are scored and stored at a time")


class LocalOptions(_Engine):
    """Scores in this process."""

    name: Literal["local"] = "local"


class RayOptions(_Engine):
    """Scores on many GPUs."""

    name: Literal["ray"]
    workers: int | None = Field(default=None, ge=1, description="how many; default: one per GPU of the cluster")
    gpus_per_worker: float | None = Field(
        default=None, ge=0, description="0 scores on CPUs; default: 1 where the cluster has GPUs, else 0"
    )
    threads_per_worker: int | None = Field(
        default=None, ge=1, description="default: the cores shared among workers, or 4 beside a GPU"
    )
    address: str | None = Field(
        default=None, description="of a running cluster, auto for the one of this machine; default: start one here"
    )
    retries: int = Field(default=2, ge=0, description="how often a block is tried again when its worker died")
    block_timeout: float | None = Field(
        default=None, gt=0, description="seconds until a worker counts as hung; default: from the blocks' costs"
    )


def _kind_of_engine(raw: Any) -> str:
    """Return which engine some keys describe; without a name the local one."""
    name = raw.get("name") if isinstance(raw, dict) else raw.name
    return "RayOptions" if name == "ray" else "LocalOptions"


def _known_name(raw: Any) -> Any:
    if isinstance(raw, dict) and raw.get("name", "local") not in ("local", "ray"):
        raise ValueError(f"name {raw['name']!r:.40} is unknown; known: local, ray")
    return raw


EngineOptions = Annotated[
    Annotated[LocalOptions, Tag("LocalOptions")] | Annotated[RayOptions, Tag("RayOptions")],
    Discriminator(_kind_of_engine),
    BeforeValidator(_known_name),
]
