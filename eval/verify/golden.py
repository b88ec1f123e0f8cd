"""Published scores of single pairs: one YAML file for each model in `configs/golden/`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...configs import find, names, read
from ...rerankers.errors import InputError
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ...rerankers.validate import Name, validated
from ..published.table import Source


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GoldenPair(_Record):
    """One pair and its score; `ids` are the token ids that the source fed, where it has them."""

    query: str
    passage: str
    score: float
    setting: str = "full"
    ids: tuple[int, ...] | None = None
    source: str | None = None

    @field_validator("setting")
    @classmethod
    def _is_setting(cls, name: str) -> str:
        try:
            return Setting.parse(name).name
        except InputError as err:
            raise ValueError(str(err)) from err


class Tolerance(_Record):
    """Largest difference that still counts as the published score, by the precision of the run."""

    float32: float = Field(gt=0)
    float16: float = Field(gt=0)
    bfloat16: float = Field(gt=0)


class Golden(_Record):
    """What is known of a model.

    Attributes:
        name: of the model, as a rule the file's name.
        source: where the scores were printed.
        dtype: precision that the source ran in; on CUDA the run takes it too.
        layers, heads: depth, and after how many layers a score can be read.
        config: keys of config.json and the value each must have; None only shows it.
        pairs: at least one.
    """

    name: Name
    source: Source
    dtype: str
    tolerance: Tolerance
    layers: int
    heads: int
    config: dict[str, float | int | str | bool | None] = {}
    pairs: tuple[GoldenPair, ...] = Field(min_length=1)


def list_goldens() -> list[str]:
    """List names of the models whose published scores come with the package, sorted."""
    return names("golden")


def golden_of(spec: ModelSpec) -> Golden:
    """Return the shipped scores of a model. Raises InputError where none are known."""
    if spec.name not in list_goldens():
        raise InputError(
            f"model '{spec.name}': no published score of a single pair is known here, only of "
            f"{', '.join(list_goldens())}; give a file of your own with --golden"
        )
    return load_golden(spec.name)


def load_golden(name: str) -> Golden:
    """Load the published scores of a model by its name, or from the path of a YAML file.

    Raises InputError, one line.
    """
    path = find("golden", name, "golden")
    return validated(Golden, {"name": path.stem, **read(path)}, str(path))
