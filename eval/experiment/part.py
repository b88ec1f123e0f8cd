"""What every part of an experiment has in common."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of an experiment: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def stem(name: str) -> str:
    """Return the name in a path of a YAML file, the class in `module:Class`; a name as it is."""
    return Path(name.removesuffix(".yaml").removesuffix(".yml")).name.rpartition(":")[2]
