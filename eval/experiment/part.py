"""What every part of an experiment has in common."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ...rerankers.errors import InputError
from ...rerankers.storage.names import make_name


class Part(BaseModel):
    """A part of an experiment: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def stem(name: str) -> str:
    """Return the name in a path of a YAML file, the class in `module:Class`; a name as it is."""
    return Path(name.removesuffix(".yaml").removesuffix(".yml")).name.rpartition(":")[2]


def label_of(model: str) -> str:
    """Return what tables call a model that was given no name; of a folder with blanks, its name without them."""
    name = stem(model)
    try:
        return make_name(name)
    except InputError:
        return name  # refused with the place of the entry
