"""A board becomes a grid of entries: datasets as rows like the BEIR tables, or as columns like MIRACL's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..board.costs import shown
from ..board.evidence import Test
from ..board.figures import Figure
from ..board.frontier import names, uncounted
from ..board.pivot import Board, Variant
from ..board.training import knows, split_means
from ..published import PublishedTable, compare
from ..published.table import MEAN
from .marks import SignificanceMarks, mark_of

_MARKS = "*†‡§¶"
_KNOWN = "°"
_OF_CANDIDATES = ("ceiling", "candidates' recall")
_NONE = "–"


@dataclass(frozen=True)
class GridCell:
    """What stands in one place: `text`, footnote `marks`, a `detail` after it (difference and verdict)."""

    text: str
    marks: str = ""
    detail: str = ""
    best: bool = False


@dataclass(frozen=True)
class Line:
    """A dataset's or a summary's entries, one per variant. A `summary` is set off by a rule."""

    label: str
    entries: tuple[GridCell, ...]
    summary: bool = False


@dataclass(frozen=True)
class Grid:
    """What a writer prints. A head has one or two parts (`model`, `setting`); the first one is the corner's.

    `rules` are the indices of rows above which a rule is drawn; `transposed` grids have variants as rows.
    """

    head: tuple[tuple[str, ...], ...]
    rows: tuple[tuple[GridCell, ...], ...]
    rules: tuple[int, ...]
    notes: tuple[str, ...]
    transposed: bool = False


def layout(
    board: Board,
    *,
    transposed: bool,
    published: PublishedTable | None,
    frontier: Mapping[Variant, bool] | None,
    all_rows: bool,
    significance: SignificanceMarks | None = None,
) -> Grid:
    """The grid of a board; `transposed` has variants as rows, their mean and costs before the datasets.

    A mean is shown over several rows only. `frontier` marks variants that no other one beats in score and cost;
    without it costs are left out.
    """
    notes = _Notes(significance)
    lines = _dataset_lines(board, published, notes, all_rows)
    # a mean over other rows than the published ones is no comparison
    same_rows = published if published and len(board.rows) == len(published.rows) else None
    means = [board.mean(variant) for variant in board.variants]
    mean = _line(f"Mean ({len(board.rows)})", MEAN, means, board, same_rows, notes)
    several = [Line(mean.label, mean.entries, summary=True)] if len(board.rows) > 1 else []
    summary = [*several, *_split_lines(board, notes), *_cost_lines(board, notes, frontier)]
    corner = f"{board.metric} x 100"
    heads = [head(v.model, v.setting, v.origin) for v in board.variants]
    if not transposed:
        rows = [(GridCell(line.label), *line.entries) for line in [*lines, *summary]]
        rules = (len(lines),) if summary else ()
        return Grid(((corner,), *heads), tuple(rows), rules, notes.lines(published))
    summary = _without_constants(summary, notes)
    ordered = [*summary, *lines]
    rows = [
        (GridCell(" ".join(parts)), *(line.entries[column] for line in ordered)) for column, parts in enumerate(heads)
    ]
    labels = [(_short(line.label),) for line in ordered]
    return Grid(((corner,), *labels), tuple(rows), (), notes.lines(published), transposed=True)


def head(model: str, setting: str, origin: str = "") -> tuple[str, ...]:
    """The head of a variant's column."""
    return (model, setting, *([f"[{origin}]"] if origin else []))


def _without_constants(lines: list[Line], notes: _Notes) -> list[Line]:
    """What is the same for all variants is said once, below."""
    kept = []
    for line in lines:
        texts = {entry.text + entry.marks for entry in line.entries}
        if line.label in _OF_CANDIDATES and len(texts) == 1 and len(line.entries) > 1:
            notes.constants.append(f"{line.label} {texts.pop()}")
        else:
            kept.append(line)
    return kept


def _short(label: str) -> str:
    return label.removeprefix("miracl/")


def _dataset_lines(board: Board, published: PublishedTable | None, notes: _Notes, all_rows: bool) -> list[Line]:
    lines = []
    for row in board.rows:
        figures = [board.figure(row.name, variant) for variant in board.variants]
        title = f"{row.name} ({len(row.members)})" if row.members else row.name
        lines.append(_line(title, row.name, figures, board, published, notes))
        for member in row.members if all_rows else ():
            figures = [board.figure(member, variant) for variant in board.variants]
            lines.append(_line(f"  {member}", member, figures, board, published, notes))
    return lines


def _line(
    title: str, row: str, figures: Sequence[Figure], board: Board, published: PublishedTable | None, notes: _Notes
) -> Line:
    best = best_of(figures)
    tests = notes.tests(row)
    entries = []
    for variant, figure, is_best in zip(board.variants, figures, best):
        marks = notes.marks(figure) if figure.score is not None else ""
        marks += notes.training(figure) if row != MEAN else ""
        marks += mark_of(tests.get(variant)) if figure.score is not None else ""
        entries.append(GridCell(_text(figure), marks, _detail(row, variant, figure, published, notes), is_best))
    return Line(title, tuple(entries))


def _text(figure: Figure) -> str:
    if figure.interval is not None:
        return f"{figure.score:.2f} ({figure.interval[0]:.2f} to {figure.interval[1]:.2f})"
    if figure.score is not None:
        return f"{figure.score:.2f}"
    return f"{_NONE} ({figure.have} of {figure.of})" if figure.have else "not run"


def best_of(figures: Sequence[Figure]) -> list[bool]:
    """The best as printed, ties included unless all tie. Whole and partial figures are not ranked together."""
    printed = [None if f.score is None else round(f.score, 2) for f in figures]
    scores = {score for score in printed if score is not None}
    if len(scores) < 2 or len({f.partial for f in figures if f.score is not None}) > 1:
        return [False] * len(figures)
    return [score == max(scores) for score in printed]


def _detail(row: str, variant: Variant, figure: Figure, published: PublishedTable | None, notes: _Notes) -> str:
    if published is None:
        return ""
    result = compare(published, row, variant.model, variant.setting, figure.score, partial=bool(figure.partial))
    if result is None:
        return ""
    mark = notes.erratum(published, row, variant)
    if result.difference is None:
        return f"published {result.published:.{published.decimals}f}{mark}"
    return f"{result.difference:+.2f} {result.verdict}{mark}"


def _split_lines(board: Board, notes: _Notes) -> list[Line]:
    """Means over the rows that a variant's training data name, and over the others, where there are some of the first.

    Behind each stands of how many rows it is: variants differ in what they know.
    """
    splits = [split_means(board, variant) for variant in board.variants]
    if not any(split and split.in_domain.have for split in splits):
        return []

    def entry(figure: Figure | None) -> GridCell:
        if figure is None or figure.score is None:
            return GridCell(_NONE)
        return GridCell(f"{figure.score:.2f} of {figure.of}", notes.marks(figure))

    return [
        Line("in-domain mean", tuple(entry(split and split.in_domain) for split in splits), summary=True),
        Line("zero-shot mean", tuple(entry(split and split.zero_shot) for split in splits), summary=True),
    ]


def _cost_lines(board: Board, notes: _Notes, frontier: Mapping[Variant, bool] | None) -> list[Line]:
    """FLOPs are macro means over the rows, like the score above them, and as strict about missing rows."""
    means = [board.mean(variant) for variant in board.variants]
    if frontier is None:
        return []

    lines = []
    for column in shown(means):
        values = [column.value(mean) for mean in means]
        texts = [_cost(mean, value, column.write) for mean, value in zip(means, values)]
        marks = [notes.marks(mean) if value is not None else "" for mean, value in zip(means, values)]
        lines.append(Line(column.head, tuple(map(GridCell, texts, marks)), summary=True))
    notes.uncounted(board)
    if not any(mean.flops for mean in means):
        return lines
    words = {True: "frontier", False: "dominated", None: _NONE}
    places = tuple(GridCell(words[frontier.get(variant)]) for variant in board.variants)
    return [*lines, Line("Pareto", places, summary=True)]


def _cost(mean: Figure, value: float | None, write: Callable[[float], str]) -> str:
    if value is not None:
        return write(value)
    measured = any(cell.manifest.flops for cell in mean.cells)
    return _text(mean) if measured and mean.score is None else _NONE


class _Notes:
    """Footnotes in the order in which they are first needed."""

    def __init__(self, significance: SignificanceMarks | None = None) -> None:
        self._significance = significance
        self.constants: list[str] = []
        self._reasons: list[str] = []
        self._intervals = self._in_domain = False
        self._undisclosed: list[str] = []
        self._errata: list[str] = []
        self._uncounted: list[str] = []

    def tests(self, row: str) -> Mapping[Variant, Test]:
        """The tests of a row, where marks of significance are wanted."""
        return self._significance.tests(row) if self._significance else {}

    def marks(self, figure: Figure) -> str:
        """The marks of a partial figure; none when it is whole."""
        self._intervals |= figure.interval is not None
        return "".join(self._mark(reason) for reason in figure.partial)

    def _mark(self, reason: str) -> str:
        if reason not in self._reasons:
            self._reasons.append(reason)
        index = self._reasons.index(reason)
        return _MARKS[index] if index < len(_MARKS) else f"[{index + 1}]"

    def training(self, figure: Figure) -> str:
        """The mark of a figure that is in-domain; notes which models do not say."""
        said = [knows(cell) for cell in figure.cells]
        models = [cell.manifest.model for cell, word in zip(figure.cells, said) if word == "not disclosed"]
        self._undisclosed += [model for model in models if model not in self._undisclosed]
        self._in_domain |= "in-domain" in said
        return _KNOWN if "in-domain" in said else ""

    def erratum(self, published: PublishedTable, row: str, variant: Variant) -> str:
        """` (e)` where the published figure is not the printed one; says so below the table."""
        printed = published.printed(row, variant.model, variant.setting)
        value = published.value(row, variant.model, variant.setting)
        if printed is None or value is None or printed == value:
            return ""
        digits = published.decimals
        self._errata.append(
            f"(e) erratum: {row}, {variant.model} {variant.setting}: "
            f"compared with {value:.{digits}f}, printed {printed:.{digits}f}"
        )
        return " (e)"

    def uncounted(self, board: Board) -> None:
        """Notes which models have a mean and no counted FLOPs."""
        models = [one.variant.model for one in uncounted(board) if one.dataset == names(board)[-1]]
        self._uncounted = list(dict.fromkeys(models))

    def lines(self, published: PublishedTable | None) -> tuple[str, ...]:
        """All footnotes."""
        lines = [", ".join(self.constants)] if self.constants else []
        lines += [f"{self._mark(reason)} partial: {reason}" for reason in self._reasons]
        lines += [self._significance.note()] if self._significance else []
        if self._in_domain:
            lines.append(f"{_KNOWN} in-domain: the model's publisher names this dataset among its training data")
        if self._undisclosed:
            lines.append(f"training data not disclosed: {', '.join(self._undisclosed)}")
        if self._uncounted:
            lines.append(f"FLOPs not counted: {', '.join(self._uncounted)}")
        if self._intervals:
            lines.append("(low to high): 95 % bootstrap interval of the mean, over queries")
        if published:
            t = published.tolerance
            lines.append(f"published: {published.name}, {published.source.title}")
            lines.append(
                "reproduced: differs from the published figure by at most "
                f"{t.first_stage} (first stage), {t.reranker} (reranker), {t.mean} (mean)"
            )
            lines.extend(f"of {c.model} {c.setting} by at most {c.tolerance}" for c in published.columns if c.tolerance)
            lines.extend([f"published note: {published.note}"] if published.note else [])
        return (*lines, *dict.fromkeys(self._errata))
