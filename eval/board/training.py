"""Whether a model knows the test: its stated training data against the dataset of a cell."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from ...configs import CONFIGS, read
from ...rerankers.registry import load_spec
from ...rerankers.spec import NOT_DISCLOSED, list_models
from ..results import FIRST_STAGE, Cell
from .figures import NOT_RUN, Figure, macro
from .pivot import Board, Variant

Known = Literal["in-domain", "zero-shot", "not disclosed"]


def knows(cell: Cell) -> Known | None:
    """What is known of a reranker and its dataset; None for a first stage and where nobody stated training data."""
    names = trained_on(cell)
    if names is None or isinstance(names, str):
        return None if names is None else "not disclosed"
    mine = {_plain(name) for name in names}
    return "in-domain" if mine & _names_of(cell.manifest.dataset, cell.manifest.group) else "zero-shot"


def trained_on(cell: Cell) -> Sequence[str] | str | None:
    """As the model's file says: what the run kept of it, else that of the shipped file of the same name."""
    if cell.manifest.setting == FIRST_STAGE:
        return None
    model = about(cell)
    names = model.get("trained_on")
    return names if isinstance(names, (list, str)) else None


def about(cell: Cell) -> Mapping[str, object]:
    """What describes the model of a cell: `family`, `parameters`, `license`, `trained_on`, as far as it is known."""
    kept = cell.manifest.provenance.get("model") or {}
    name = str(kept.get("name", cell.manifest.model))
    return {**_shipped(name), **{key: value for key, value in kept.items() if value is not None}}


@cache
def _shipped(name: str) -> Mapping[str, object]:
    if name not in list_models():
        return {}
    spec = load_spec(name)
    return {key: getattr(spec, key) for key in ("family", "parameters", "license", "trained_on")}


@cache
def _names_of(dataset: str, group: str | None) -> frozenset[str]:
    called = read(CONFIGS / "training_sets.yaml")
    parts = dataset.split("/")
    whole = [dataset, parts[0], f"{parts[0]}/{group}" if group else ""]
    own = [parts[-1], group or ""] if parts[0] != "miracl" else []  # a language is no name
    return frozenset(_plain(name) for name in (*own, *(n for key in whole for n in called.get(key, ()))) if name)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


@dataclass(frozen=True)
class Split:
    """Macro means over the rows that a variant knows and over the others; NOT_RUN where there are none."""

    in_domain: Figure
    zero_shot: Figure


def split_means(board: Board, variant: Variant) -> Split | None:
    """None where the training data of the variant are not stated, or a row was not run.

    A group is in-domain when one of its members is.
    """
    known: list[Figure] = []
    other: list[Figure] = []
    for row in board.rows:
        figure = board.figure(row.name, variant)
        said = {knows(cell) for cell in figure.cells}
        if figure.score is None or not said <= {"in-domain", "zero-shot"} or not said:
            return None
        (known if "in-domain" in said else other).append(replace(figure, limit=None))
    return Split(*(macro(some) if some else NOT_RUN for some in (known, other)))


def undisclosed(board: Board) -> list[str]:
    """Models of the board whose publisher does not say what they were trained on."""
    cells = [cell for figure in board.figures.values() for cell in figure.cells]
    return list(dict.fromkeys(c.manifest.model for c in cells if trained_on(c) == NOT_DISCLOSED))
