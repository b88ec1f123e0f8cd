"""Marks of figures that are significantly above or below another variant's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...rerankers.errors import InputError, suggest
from ..board.evidence import Evidence, Test
from ..board.frontier import label
from ..board.pivot import Board, Variant
from ..metrics.statistics import CORRECTION_NAMES

ABOVE, BELOW = "▲", "▼"


@dataclass(frozen=True)
class SignificanceMarks:
    """`other` is the variant that all are tested against; None: each against the first stage that it reranked."""

    evidence: Evidence
    other: Variant | None = None

    def tests(self, row: str) -> Mapping[Variant, Test]:
        """The tests of a row, or of the mean."""
        if self.other is None:
            return self.evidence.against_first_stage(row)
        return self.evidence.against(row, self.other)

    def note(self) -> str:
        """What the marks mean and how the tests were made."""
        other = "its first stage" if self.other is None else label(self.other)
        named = CORRECTION_NAMES[self.evidence.correction]
        return (
            f"{ABOVE} {BELOW} significantly above, below {other} "
            f"(paired randomisation test over queries, {named} within a dataset, 5 %)"
        )


def mark_of(test: Test | None) -> str:
    """The mark of a figure; nothing where the difference is not significant or was not tested."""
    return "" if test is None or not test.sign else ABOVE if test.sign > 0 else BELOW


def find_variant(board: Board, name: str) -> Variant:
    """The variant called `MODEL@SETTING`, or `MODEL` where it has one setting. Raises InputError for another."""
    names = {f"{v.model}@{v.setting}{f' {v.origin}' if v.origin else ''}": v for v in board.variants}
    if name in names:
        return names[name]
    of_model = [variant for variant in board.variants if name in (variant.model, label(variant))]
    if len(of_model) != 1:
        raise InputError(f"--against '{name}': is no variant of the table{suggest(name, names)}; or give first-stage")
    return of_model[0]
