"""docs/reproduce.md: for every published table, what to run and what to expect. Made from YAML, not written by hand.

python -m rerankbench.eval.tables.reproduce_page > docs/reproduce.md
"""

from __future__ import annotations

import sys

from ..experiment.file import list_experiments, load_experiment
from ..experiment.schema import Experiment
from ..plan.plan import Plan, hours, make_plan
from ..published import PublishedTable, load_published
from ..text import units
from . import as_markdown
from .as_published import grid_of

_TFLOPS = 400  # sustained: about 40 % of an H100's 16-bit peak

_HEAD = """# Reproduce the published tables

<!-- Made by `python -m rerankbench.eval.tables.reproduce_page` from configs/; a test keeps it up to date. -->

Each table is an experiment of its own. It needs a GPU and the Hugging Face hub, retrieves, compares the first stage
with its published nDCG@10 before it spends time on reranking, reranks, and can be interrupted: the same command
continues. `--sample 50` estimates a table from 50 queries per dataset, with intervals.

No published model was run to write this page: the figures below are those of the sources, and the estimates are
arithmetic (lengths of BEIR by its paper's words, elsewhere 20 query and 150 passage tokens). What has been run are the
experiments of bge-large-en-v1.5 and bge-m3 on tiny stand-ins, random weights and a few made-up texts per dataset
(tests/eval/tables/test_tables_end_to_end.py), which says nothing about quality.
"""


def page() -> str:
    """The whole page."""
    found = [(load_experiment(name), name) for name in list_experiments()]
    checked = [(experiment, name) for experiment, name in found if experiment.first_stage.check]
    tables = [(experiment, name) for experiment, name in checked if experiment.first_stage.check == name]
    others = [(experiment, name) for experiment, name in checked if experiment.first_stage.check != name]
    return "\n".join([_HEAD, *(_section(*one) for one in [*tables, *others])])


def _section(experiment: Experiment, name: str) -> str:
    plan = make_plan(experiment)
    table = load_published(str(experiment.first_stage.check))
    whole = table.name == name
    title = table.title if whole else f"{name}: beside the published table {table.name}"
    shown = (
        f"table results/runs/{name} --published {table.name}"
        if _columns(plan, table)
        else f"pareto results/runs/{name}"
    )
    lines = [
        f"## {title}",
        "",
        *(f"- {point}" for point in _points(experiment, plan)),
        "",
        "<!-- not run: needs a GPU and the hub -->",
        "```bash",
        f"rerankbench plan {name}",
        f"rerankbench run {name}",
        f"rerankbench {shown}",
        "```",
        "",
    ]
    if whole:
        tolerance = table.tolerance
        lines += [
            f"Expect {table.metric} x 100 as below, within {tolerance.first_stage:g} (first stage), "
            f"{tolerance.reranker:g} (reranker) and {tolerance.mean:g} (mean). A figure with a star is compared with "
            "its correction below, a mean with the mean of its rows:",
            "",
            as_markdown.write(grid_of(table)),
        ]
    elif shared := _columns(plan, table):
        lines += [f"Published are {', '.join(shared)}; see `rerankbench published {table.name}`.", ""]
    return "\n".join(lines)


def _points(experiment: Experiment, plan: Plan) -> list[str]:
    rows = len(plan.sizes)
    models = ", ".join(dict.fromkeys(entry.label for entry in experiment.rerankers))
    first = f"{experiment.first_stage.label}, top {experiment.first_stage.k}"
    pairs = sum(one.pairs for one in plan.passes)
    time = hours(plan.pflops + plan.encoding_pflops, _TFLOPS)
    unsized = f" and {', '.join(plan.unsized)} (size not known)" if plan.unsized else ""
    return [
        f"{rows} datasets, {sum(size.queries for size in plan.sizes):,} queries",
        f"first stage {first}; reranked by {models}",
        f"{len(plan.cells)} cells from {len(plan.passes)} forward passes over at most {pairs:,} pairs",
        f"about {plan.pflops + plan.encoding_pflops:,.0f} PFLOPs, {time:.1f} hours at {_TFLOPS} TFLOP/s; "
        f"of these {plan.encoding_pflops:,.0f} PFLOPs encode {sum(one.documents for one in plan.encodings):,} passages",
        f"downloads {units.size(plan.download_bytes)}{unsized}; vectors on disk {units.size(plan.disk_bytes)}",
    ]


def _columns(plan: Plan, table: PublishedTable) -> list[str]:
    """Variants of the plan that the table prints."""
    planned = {(cell.model, cell.setting) for cell in plan.cells}
    return [f"{column.model} {column.setting}" for column in table.columns if column.key in planned]


if __name__ == "__main__":
    sys.stdout.write(page())
