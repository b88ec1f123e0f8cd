"""A published table: one YAML file in `configs/published/`, as its source prints it, errata beside it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...configs import CONFIGS, find, names, read
from ...rerankers.errors import InputError, suggest
from ...rerankers.settings import Setting
from ...rerankers.validate import validated
from ..results import FIRST_STAGE

MEAN = "mean"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Record):
    """Where a table was printed."""

    title: str
    url: str


class Column(_Record):
    """One variant of a table.

    Attributes:
        flops_saved: the printed share in per cent.
        tolerance: largest difference for each of its figures, where the source allows another than for the table's.
    """

    model: str
    setting: str
    flops_saved: float | None = None
    tolerance: float | None = Field(default=None, gt=0)

    @property
    def key(self) -> tuple[str, str]:
        """(model, setting), as in a manifest."""
        return self.model, self.setting


class Tolerance(_Record):
    """Largest difference that counts as reproduced, in points of the metric x 100."""

    first_stage: float
    reranker: float
    mean: float


class Erratum(_Record):
    """A printed figure that contradicts others. `row` is a row of the table or `mean`.

    `corrected` is what the older table prints; without it the erratum is open.
    """

    model: str
    setting: str
    row: str
    printed: float
    corrected: float | None = None
    note: str


class PublishedTable(_Record):
    """Rows are datasets or macro groups, columns are variants; figures are the metric x 100, as printed.

    A source may print rows without their mean, a mean without its rows, or leave a figure out (None). `first_stage`,
    `depth`, `length` (tokens of a pair), `precision` and `sets` are what figures of one model differ by; None where
    the source does not state it. `older` names a table that printed the same measurements before.
    """

    name: str
    title: str
    first_stage: str | None = None
    depth: int | None = None
    length: int | None = None
    precision: str | None = None
    sets: str | None = None
    source: Source
    older: str | None = None
    note: str = ""
    metric: str
    decimals: int
    tolerance: Tolerance
    columns: tuple[Column, ...]
    rows: dict[str, tuple[float | None, ...]] = {}
    mean: tuple[float, ...] | None = None
    errata: tuple[Erratum, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> PublishedTable:
        if not self.rows and self.mean is None:
            raise ValueError("has no figure; give rows, a mean or both")
        means = [] if self.mean is None else [(MEAN, self.mean)]
        for row, values in [*self.rows.items(), *means]:
            if len(values) != len(self.columns):
                raise ValueError(f"row '{row}' has {len(values)} figures for {len(self.columns)} columns")
        for column in self.columns:
            if column.setting != FIRST_STAGE:
                Setting.parse(column.setting)
        for erratum in self.errata:
            printed = self.printed(erratum.row, erratum.model, erratum.setting)
            if printed != erratum.printed:
                where = f"{erratum.row}, {erratum.model} {erratum.setting}"
                raise ValueError(f"erratum of {where}: {erratum.printed} is given as printed, the table has {printed}")
        return self

    def _index(self, model: str, setting: str) -> int | None:
        keys = [column.key for column in self.columns]
        return keys.index((model, setting)) if (model, setting) in keys else None

    def printed(self, row: str, model: str, setting: str) -> float | None:
        """Return the figure as printed; None where the table has none."""
        column = self._index(model, setting)
        values = self.mean if row == MEAN else self.rows.get(row)
        return None if column is None or values is None else values[column]

    def value(self, row: str, model: str, setting: str) -> float | None:
        """Return the figure to compare with: corrected where an older source does.

        An open erratum of a mean has no correction; the mean of the column's rows replaces it.
        """
        for erratum in self.errata_of(model, setting):
            if erratum.row == row and erratum.corrected is not None:
                return erratum.corrected
            if erratum.row == row == MEAN:
                return self.mean_of_rows(model, setting)
        return self.printed(row, model, setting)

    def allowed(self, row: str, model: str, setting: str) -> float:
        """Return the largest difference of one figure that counts as reproduced."""
        column = self._index(model, setting)
        if column is not None and (own := self.columns[column].tolerance) is not None:
            return own
        kinds = self.tolerance
        return kinds.mean if row == MEAN else kinds.first_stage if setting == FIRST_STAGE else kinds.reranker

    def errata_of(self, model: str, setting: str) -> tuple[Erratum, ...]:
        """Return the errata of one column."""
        return tuple(e for e in self.errata if (e.model, e.setting) == (model, setting))

    def mean_of_rows(self, model: str, setting: str, *, corrected: bool = True) -> float:
        """Return the mean of a column's rows, with or without the corrections of single cells."""
        read = self.value if corrected else self.printed
        values = [read(row, model, setting) for row in self.rows]
        if any(v is None for v in values):
            raise InputError(f"published table '{self.name}' has no column {model} {setting}")
        return sum(v for v in values if v is not None) / len(values)


def list_published() -> list[str]:
    """List names of the published tables that come with the package, sorted."""
    return names("published")


@cache
def load_published(name: str) -> PublishedTable:
    """Load a published table by its name. Raises InputError for an unknown name or a file that contradicts itself."""
    return read_published(find("published", name, "published table"))


def read_published(path: Path) -> PublishedTable:
    """Read a published table from a file; `tolerance` is a key of configs/tolerances.yaml."""
    raw, tolerances = read(path), read(CONFIGS / "tolerances.yaml")
    key = raw.get("tolerance")
    if key not in tolerances:
        raise InputError(f"{path}: tolerance '{key}' is unknown{suggest(str(key), tolerances)}")
    return validated(PublishedTable, {"name": path.stem, **raw, "tolerance": tolerances[key]}, str(path))
