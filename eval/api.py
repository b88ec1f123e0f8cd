"""What programs call: run, evaluate, compare, table, depth and the others. The commands call the same functions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from ..rerankers.errors import InputError
from ..rerankers.storage.atomic import write_whole
from .metrics.measures import DEFAULT_METRICS, parse_metric

if TYPE_CHECKING:
    from .board.frontier import Points
    from .board.pivot import Board
    from .board.ranking import Standings
    from .compare.runs import Comparison
    from .experiment.schema import Experiment
    from .published import PublishedTable
    from .replay.sweep import Sweep
    from .report.choice import Advice
    from .results import Cell, Cells
    from .tables import Table

log = logging.getLogger("rerankbench")

__all__ = [
    "cascade",
    "compare",
    "decide",
    "depth",
    "evaluate",
    "load_cells",
    "pareto",
    "published",
    "report",
    "run",
    "significance",
    "table",
]

Judgements = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]
Side: TypeAlias = "str | Path | Run | Cell | Sequence[Cell]"


def run(
    experiment: str | Path | Mapping[str, Any] | Experiment,
    *,
    changes: Sequence[str] = (),
    out: str | Path | None = None,
    limit: int | None = None,
    sample: int | None = None,
    sample_seed: int = 0,
    overwrite: bool = False,
    command: str | None = None,
) -> Cells:
    """Retrieves, reranks and judges what is not stored yet; returns the cells, dataset by dataset.

    Args:
        experiment: a name of `rerankbench ls experiments`, a YAML file, or what such a file says as a dictionary.
        changes: `dotted.key=YAML`, as `--set` of the command takes them.
        out: the output folder; `results_folder` says where it is without.
        limit: only the first queries of each dataset; results are marked as partial.
        sample: a stratified sample of so many queries of each dataset, with intervals, marked as partial.
        sample_seed: another seed is another sample.
        overwrite: drops what an earlier run left in the output folder.
        command: kept in every manifest.

    Raises InputError for what cannot be run, before anything is computed where that can be told; ScoreError for a
    score that cannot be used.
    """
    from .experiment.models import check_ready, find_models
    from .results import Cells
    from .runner.read_only import is_read_only, stored_cells
    from .runner.run import run_experiment
    from .runner.subset import Part
    from .tables.run_page import run_page

    wanted = read_experiment(experiment, changes)
    check_retriever(wanted)
    specs = find_models(wanted)
    check_ready(specs)
    folder = Path(out) if out is not None else results_folder(wanted.name, limit, sample, sample_seed)
    part = Part(limit, sample, sample_seed)
    if is_read_only(folder) and not overwrite:
        return stored_cells(wanted, folder, part)
    cells = run_experiment(
        wanted,
        folder,
        specs=specs,
        part=part,
        overwrite=overwrite,
        command=command,
    )
    write_whole(folder / "README.md", run_page(cells, main_metric(wanted)))
    return Cells(cells)


def main_metric(experiment: Experiment) -> str:
    """nDCG@10 where it was asked for, else the first metric."""
    return "nDCG@10" if "nDCG@10" in experiment.metrics else experiment.metrics[0]


def read_experiment(experiment: str | Path | Mapping[str, Any] | Experiment, changes: Sequence[str] = ()) -> Experiment:
    """The experiment in a file, by a name, or in a dictionary. Raises InputError naming the file and the key."""
    from .experiment.file import load_experiment, parse_experiment
    from .experiment.schema import Experiment

    if isinstance(experiment, Experiment):
        return experiment
    if isinstance(experiment, Mapping):
        return parse_experiment(experiment, "experiment", changes)
    return load_experiment(str(experiment), changes)


def check_retriever(experiment: Experiment) -> None:
    """Raises InputError for a retriever or candidate lists that are unknown, before any work."""
    from .experiment.stages import DenseSource, ListedSource
    from .first_stage import load_lists, load_retriever

    for source in experiment.first_stage.sources:
        if isinstance(source, DenseSource):
            load_retriever(source.retriever)
        elif isinstance(source, ListedSource):
            load_lists(source.candidates)


def results_folder(name: str, limit: int | None = None, sample: int | None = None, sample_seed: int = 0) -> Path:
    """`results/runs/NAME`; results of a part of the queries have a folder of their own."""
    suffix = "" if limit is None else f"-limit-{limit}"
    suffix += "" if sample is None else f"-sample-{sample}" + (f"-seed-{sample_seed}" if sample_seed else "")
    return Path("results/runs") / f"{name}{suffix}"


@overload
def evaluate(
    run: str | Path | Run,
    qrels: str | Path | Judgements,
    metrics: Sequence[str] = ...,
    *,
    per_query: Literal[False] = ...,
) -> dict[str, float]: ...
@overload
def evaluate(
    run: str | Path | Run, qrels: str | Path | Judgements, metrics: Sequence[str] = ..., *, per_query: Literal[True]
) -> dict[str, dict[str, float]]: ...
def evaluate(
    run: str | Path | Run,
    qrels: str | Path | Judgements,
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    per_query: bool = False,
) -> dict[str, float] | dict[str, dict[str, float]]:
    """Means over all judged queries by metric, or with `per_query` the value of each judged query by metric.

    A query that is missing from the run counts 0.

    `run` is a run file or query -> document -> score, `qrels` a file of judgements or query -> document -> grade.
    Raises InputError for a file that cannot be read and a metric that is unknown.
    """
    from .metrics.trec import mean

    values = evaluate_queries(run, qrels, metrics)
    return values if per_query else {name: mean(column.values()) for name, column in values.items()}


def evaluate_queries(
    run: str | Path | Run, qrels: str | Path | Judgements, metrics: Sequence[str] = DEFAULT_METRICS
) -> dict[str, dict[str, float]]:
    """Metric -> judged query -> value; see `evaluate`."""
    from .first_stage import read_run
    from .metrics.trec import per_query

    scores = run if isinstance(run, Mapping) else read_run(Path(run))
    judged = _judgements(qrels)
    if judged and not any(query in judged for query in scores):
        first = next(iter(scores), "")
        raise InputError(
            f"none of the run's queries is judged (first: '{first}'), so that every measure is 0; do they fit?"
        )
    return per_query(scores, judged, [parse_metric(name).name for name in metrics])


def _judgements(qrels: str | Path | Judgements) -> Judgements:
    from .data.importing import read_judgements

    return qrels if isinstance(qrels, Mapping) else read_judgements(Path(qrels))


def compare(
    a: Side,
    b: Side,
    *,
    metric: str = "nDCG@10",
    worst: int = 0,
    load: Callable[[str], Any] | None = None,
    correction: str = "holm",
    seed: int = 0,
    qrels: str | Path | Judgements | None = None,
) -> Comparison:
    """Paired differences B - A by dataset, with intervals and corrected p-values.

    Args:
        a: `DIR`, `DIR#model`, `DIR#model@setting` or `DIR#@setting` of a folder of results, or a baseline, `FILE.json`;
            a cell or cells; or a run, query -> document -> score.
        b: the same for the other side.
        metric: any that the stored runs can answer.
        worst: so many queries that changed most, with both top tens.
        load: turns a dataset's name into a `Dataset`, for the texts of those queries.
        correction: `holm` or `bh`, for several tests.
        seed: of the randomisation test and of the bootstrap.
        qrels: judge two runs.

    Raises InputError when nothing pairs, or a metric is unknown.
    """
    from .compare.at_hand import compare_runs, with_values
    from .compare.runs import compare as difference
    from .compare.runs import compare_cells
    from .compare.selector import Selector
    from .metrics import statistics

    if correction not in statistics.CORRECTIONS:
        raise InputError(f"correction '{correction}' is unknown; known: {', '.join(statistics.CORRECTIONS)}")
    if isinstance(a, Mapping) or isinstance(b, Mapping):
        if not (isinstance(a, Mapping) and isinstance(b, Mapping)) or qrels is None:
            raise InputError("a run is compared with another run, and with qrels=, which judge both")
        return compare_runs(a, b, _judgements(qrels), metric=metric, seed=seed, correction=correction)
    if qrels is not None:
        raise InputError("qrels: are for runs; cells have their judgements")

    def cells_of(side: str | Path | Cell | Sequence[Cell]) -> list[Cell]:
        return Selector.parse(str(side)).cells(metric) if isinstance(side, str | Path) else with_values(side, metric)

    if isinstance(a, str | Path) and str(a).endswith(".json") and not Path(a).is_dir():
        from .compare.accepted import compare_accepted

        return compare_accepted(Path(a), cells_of(b), metric, seed=seed, correction=correction)
    how: dict[str, Any] = {"worst": worst, "load": load, "correction": correction, "seed": seed}
    if isinstance(a, str | Path) and isinstance(b, str | Path):
        return difference(Selector.parse(str(a)), Selector.parse(str(b)), metric=metric, **how)
    return compare_cells(cells_of(a), cells_of(b), metric=metric, **how)


def table(
    cells: Sequence[Cell] | str | Path, *, metric: str = "nDCG@10", format: str = "text", **options: Any
) -> Table:
    """Cells, or a folder of results, as a table; `options` are those of `eval.tables.render`.

    Raises InputError for another format, a metric that cannot be answered, and no cells.
    """
    from .results import with_metric
    from .tables import render

    return render(with_metric(_cells(cells), metric), metric=metric, format=format, **options)  # pyright: ignore[reportArgumentType]


def pareto(cells: Sequence[Cell] | str | Path, *, metric: str = "nDCG@10") -> Points:
    """Each variant's score and FLOPs by dataset, the mean last, and what dominates it; the first stage is one at none.

    Variants without counted FLOPs are not among them: `rerankbench pareto` lists them.
    Raises InputError for a metric that cannot be answered, and no cells.
    """
    from .board.frontier import points
    from .results import with_metric

    return points(with_metric(_cells(cells), metric), metric)


def depth(
    cells: Sequence[Cell] | str | Path, *, metric: str = "nDCG@10", depths: Sequence[int] = (5, 10, 20, 50, 100)
) -> Board:
    """Figures of every variant when fewer candidates are reranked; `origin` of a variant is its depth, `top 50`.

    Raises InputError where judgements or scores are not stored.
    """
    from .replay.depth import depth_board
    from .results import with_metric

    return depth_board(with_metric(_cells(cells), metric), metric, depths)


def cascade(
    cells: Sequence[Cell] | str | Path, *, metric: str = "nDCG@10", budgets: Sequence[float] = (), **how: Any
) -> Sweep:
    """Cascades of stored settings within budgets in FLOPs per query, by default each setting's, by dataset.

    `how` are the `depths`, `stages`, `splits` and `seed` of `eval.replay.sweep.sweep`. Raises InputError where
    judgements or scores are not stored, or no variant's FLOPs are known.
    """
    from .replay.sweep import Sweep, sweep

    return Sweep(sweep(_cells(cells), metric, budgets=lambda _: budgets, **how))


def significance(
    cells: Sequence[Cell] | str | Path,
    *,
    metric: str = "nDCG@10",
    dataset: str | None = None,
    correction: str = "holm",
) -> Standings:
    """Variants by score on one dataset, or the mean: intervals, ranks, and tests against the best.

    Raises InputError for a metric that cannot be answered, and no cells.
    """
    from .board.ranking import standings

    return standings(_cells(cells), metric, dataset, correction)[1]


def decide(cells: Sequence[Cell] | str | Path, *, metric: str = "nDCG@10") -> list[Advice]:
    """What to choose, over every variant, depth and cascade, in words. Raises InputError as `pareto` does."""
    from .board.evidence import Evidence
    from .board.pivot import pivot
    from .report.choice import advise
    from .report.depths import depths
    from .results import with_metric

    known = with_metric(_cells(cells), metric)
    return advise(Evidence(pivot(known, metric)), depths(known, metric).options)


def load_cells(*folders: str | Path) -> Cells:
    """The cells below output folders of runs, proven. Raises InputError where there is none, or one cannot be read."""
    from .results import load_cells as load

    return load([Path(folder) for folder in folders])


def report(cells: Sequence[Cell] | str | Path, *, metric: str = "nDCG@10", **options: Any) -> str:
    """The report as one HTML page; `options` are those of `eval.report.render`.

    Raises InputError when there are no cells, or none has the metric.
    """
    from .report import render
    from .results import with_metric

    return render(with_metric(_cells(cells), metric), metric=metric, **options)


def _cells(cells: Sequence[Cell] | str | Path) -> list[Cell]:
    from .results import load_cells

    return load_cells([Path(cells)]) if isinstance(cells, str | Path) else list(cells)


def published(name: str) -> PublishedTable:
    """A published table with its source and errata. Raises InputError for an unknown name."""
    from .published import load_published

    return load_published(name)
