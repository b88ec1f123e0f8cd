"""The comparison table: variants as rows; their mean, their cost and every dataset as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..board.costs import shown
from ..board.evidence import Evidence, Test
from ..board.figures import Figure
from ..board.frontier import MEAN, label
from ..board.pivot import Variant
from ..board.training import knows, split_means, undisclosed
from ..published import PublishedTable, compare
from ..results import Cell
from ..tables.layout import best_of


@dataclass(frozen=True)
class TableCell:
    """One place of the table.

    Attributes:
        text: as shown; `value` is what the column is sorted by, None sorts last.
        best: the highest of its column as printed.
        known: whether the model's training data name the dataset.
        notes: numbers of the footnotes that say why the figure is partial, from 1 on.
        first: 1 or -1 where it is significantly above or below its first stage, 0 where not, None where not tested.
        near_best: not significantly below the best of its column, and not the best.
        published: the published figure with difference and verdict, or nothing.
        cells: indices of the cells that it was made of.
        spoken: what a screen reader says.
    """

    text: str
    value: float | None = None
    best: bool = False
    known: bool = False
    notes: tuple[int, ...] = ()
    first: int | None = None
    near_best: bool = False
    published: str = ""
    verdict: str = ""
    cells: tuple[int, ...] = ()
    spoken: str = ""


@dataclass(frozen=True)
class Column:
    """A column's head: `prefix` is the collection of a dataset's name. `member_of` is set for members of a group."""

    name: str
    prefix: str = ""
    member_of: str = ""
    score: bool = True


@dataclass(frozen=True)
class Table:
    """Heads, one line of entries for each variant, and the reasons that the entries' `notes` count."""

    columns: tuple[Column, ...]
    lines: tuple[tuple[Variant, tuple[TableCell, ...]], ...]
    reasons: tuple[str, ...]
    verdicts: Mapping[str, int]
    undisclosed: tuple[str, ...] = ()

    @property
    def known(self) -> bool:
        """Whether a model was trained on one of the datasets."""
        return any(entry.known for _, entries in self.lines for entry in entries)


class Builder:
    """Puts the table together, collecting footnotes and verdicts on the way."""

    def __init__(self, evidence: Evidence, cells: Sequence[Cell], published: PublishedTable | None) -> None:
        self.evidence, self.board, self.published = evidence, evidence.board, published
        self.index = {str(cell.path): i for i, cell in enumerate(cells)}
        self.reasons: list[str] = []
        self.verdicts: dict[str, int] = {}

    def build(self) -> Table:
        """The whole table."""
        board = self.board
        columns: list[tuple[Column, Sequence[TableCell]]] = []
        if len(board.rows) > 1:
            columns.append((Column(f"Mean of {len(board.rows)}"), self._scores(MEAN)))
        columns += self._splits()
        columns += self._costs()
        for row in board.rows:
            title = f"{row.name} ({len(row.members)})" if row.members else row.name
            columns.append((_column(title), self._scores(row.name)))
            for member in row.members:
                columns.append((_column(member, member_of=row.name), self._scores(member)))
        lines = [(v, tuple(entries[i] for _, entries in columns)) for i, v in enumerate(board.variants)]
        return Table(
            tuple(c for c, _ in columns), tuple(lines), tuple(self.reasons), self.verdicts, tuple(undisclosed(board))
        )

    def _scores(self, row: str) -> list[TableCell]:
        variants = self.board.variants
        figures = [self.evidence.figure(row, v) for v in variants]
        best = best_of(figures)
        first, top = self.evidence.against_first_stage(row), self.evidence.against_best(row)
        return [self._score(row, v, f, b, first.get(v), top.get(v)) for v, f, b in zip(variants, figures, best)]

    def _score(
        self, row: str, variant: Variant, figure: Figure, best: bool, first: Test | None, top: Test | None
    ) -> TableCell:
        published, verdict = self._published(row, variant, figure)
        cells = tuple(self.index[str(cell.path)] for cell in figure.cells)
        if figure.score is None:
            text = f"– ({figure.have} of {figure.of})" if figure.have else "not run"
            return TableCell(text, published=published, verdict=verdict, cells=cells)
        near = top is not None and not top.sign and not best
        known = row != MEAN and any(knows(cell) == "in-domain" for cell in figure.cells)
        words = {1: "significantly above its first stage", -1: "significantly below its first stage", 0: ""}
        spoken = [f"{label(variant)}, {row}: {figure.score:.2f}", "best" if best else ""]
        spoken += [words[first.sign] if first else "", "not distinguishable from the best" if near else ""]
        spoken += ["in its training data" if known else ""]
        spoken += [f"partial: {reason}" for reason in figure.partial]
        return TableCell(
            text=f"{figure.score:.2f}",
            value=figure.score,
            best=best,
            known=known,
            notes=tuple(self._note(reason) for reason in figure.partial),
            first=first.sign if first else None,
            near_best=near,
            published=published,
            verdict=verdict,
            cells=cells,
            spoken=", ".join(filter(None, spoken)),
        )

    def _note(self, reason: str) -> int:
        if reason not in self.reasons:
            self.reasons.append(reason)
        return self.reasons.index(reason) + 1

    def _published(self, row: str, variant: Variant, figure: Figure) -> tuple[str, str]:
        table = self.published
        # a mean over other rows than the published ones is no comparison
        if table is None or (row == MEAN and len(self.board.rows) != len(table.rows)):
            return "", ""
        comparison = compare(table, row, variant.model, variant.setting, figure.score, partial=bool(figure.partial))
        if comparison is None:
            return "", ""
        self.verdicts[comparison.verdict] = self.verdicts.get(comparison.verdict, 0) + 1
        text = f"published {comparison.published:.{table.decimals}f}"
        if table.printed(row, variant.model, variant.setting) != comparison.published:
            text += " (corrected)"
        if comparison.difference is not None:
            text += f": {comparison.difference:+.2f}".replace("-", "\N{MINUS SIGN}")
        return text, comparison.verdict

    def _splits(self) -> list[tuple[Column, list[TableCell]]]:
        """Means over what each variant was trained on and over the rest; nothing where no row is of the first kind."""
        splits = [split_means(self.board, v) for v in self.board.variants]
        if not any(split and split.in_domain.have for split in splits):
            return []

        def entry(figure: Figure | None) -> TableCell:
            if figure is None or figure.score is None:
                return TableCell("–")
            return TableCell(f"{figure.score:.2f} of {figure.of}", figure.score)

        return [
            (Column("In-domain mean", score=False), [entry(split and split.in_domain) for split in splits]),
            (Column("Zero-shot mean", score=False), [entry(split and split.zero_shot) for split in splits]),
        ]

    def _costs(self) -> list[tuple[Column, list[TableCell]]]:
        means = [self.board.mean(v) for v in self.board.variants]
        columns: list[tuple[Column, list[TableCell]]] = []
        for column in shown(means):
            values = [column.value(mean) for mean in means]
            entries = [TableCell(column.write(value) if value is not None else "–", value) for value in values]
            columns.append((Column(column.head, score=False), entries))
        return columns


def _column(name: str, member_of: str = "") -> Column:
    prefix, _, rest = name.rpartition("/")
    return Column(rest, f"{prefix}/" if prefix else "", member_of)
