"""Which cells of a run's folder are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...rerankers.errors import InputError
from ..results import FIRST_STAGE, Cell, find_cells, load_cells, with_metric


@dataclass(frozen=True)
class Selector:
    """`DIR`, `DIR#model`, `DIR#model@setting` or `DIR#@setting`: cells of a run's folder."""

    folder: Path
    model: str | None = None
    setting: str | None = None

    @classmethod
    def parse(cls, text: str) -> Selector:
        """The setting begins behind the first `@` (`small@L4-r2@3`); an existing folder with a `#` is a folder."""
        if Path(text).is_dir():
            return cls(Path(text))
        folder, _, variant = text.partition("#")
        model, _, setting = variant.partition("@")
        return cls(Path(folder), model or None, setting or None)

    def chooses(self, model: str, setting: str) -> bool:
        """Return whether cells of a variant are chosen."""
        return self.model in (None, model) and self.setting in (None, setting)

    def cells(self, metric: str) -> list[Cell]:
        """Load those chosen, with `metric`. Raises InputError where there is none, naming those that are there."""
        return self._judge(load_cells([self.folder], self.chooses), metric)

    def cells_among(self, cells: Sequence[Cell], metric: str) -> list[Cell]:
        """Return those chosen of cells of this folder, as `cells` does."""
        return self._judge([c for c in cells if self.chooses(c.manifest.model, c.manifest.setting)], metric)

    def _judge(self, chosen: list[Cell], metric: str) -> list[Cell]:
        if not chosen:
            names = {f"{model}@{setting}" for _, model, setting in (c.place for c in find_cells(self.folder))}
            wanted = f"{self.model or ''}@{self.setting}" if self.setting else self.model or ""
            raise InputError(f"{self.folder}: has no cell of '{wanted}'; it has {', '.join(sorted(names))}")
        if all(metric in cell.manifest.metrics for cell in chosen):
            return chosen
        stages = load_cells([self.folder], lambda _, setting: setting == FIRST_STAGE)  # they have the qrels
        own = {cell.path for cell in chosen}
        judged = with_metric([*chosen, *(cell for cell in stages if cell.path not in own)], metric)
        return [cell for cell in judged if cell.path in own]


def load_sides(a: Selector, b: Selector, metric: str) -> tuple[list[Cell], list[Cell]]:
    """Load the cells of both sides; a folder that is on both sides is read once."""
    if a.folder != b.folder:
        return a.cells(metric), b.cells(metric)
    either = load_cells([a.folder], lambda *variant: a.chooses(*variant) or b.chooses(*variant))
    return a.cells_among(either, metric), b.cells_among(either, metric)
