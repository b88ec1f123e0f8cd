"""docs/reproduce.md: for every published table, what to run and what to expect. Made from YAML, not written by hand.

python -m rerankbench.eval.tables.reproduce_page > docs/reproduce.md
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from ...configs import CONFIGS, names, read
from ..data.catalog import NamedDataset, entries
from ..experiment.file import list_experiments, load_experiment
from ..experiment.schema import Experiment
from ..plan.plan import Plan, hours, make_plan
from ..published import PublishedTable, load_published
from ..text import units
from . import as_markdown
from .as_published import grid_of

_OF_THE_CARD = ("beir-bge-large", "beir-e5-mistral", "miracl-bge-m3")
_QUICK = ("nanobeir-bm25", "nfcorpus-top10", "fiqa-bge-large")
_TFLOPS = 400  # sustained: about 40 % of an H100's 16-bit peak

_HEAD = """# Reproduce the published tables

<!-- Made by `python -m rerankbench.eval.tables.reproduce_page` from configs/; a test keeps it up to date. -->

Each table is an experiment of its own.
It needs a GPU and the Hugging Face hub, verifies the models, retrieves, compares the first stage with its published \
nDCG@10 before it spends time on reranking, reranks, and can be interrupted: the same command resumes where it stopped.
`--sample 50` estimates a table from 50 queries per dataset, with intervals.

No published model was run to write this page: the figures below are those of the sources, and the estimates are \
arithmetic (lengths of BEIR by its paper's words, elsewhere 20 query and 150 passage tokens).
What has been run is the three tables of the model card, nfcorpus-top10 and nanobeir-bm25 with all their \
models, `verify` with every shipped file, and one set of each other collection of the hub, all on tiny \
stand-ins, most from a hub on the same machine: random weights and made-up texts (tests/eval/reproduce, \
tests/eval/tables), which show nothing about quality.
"""


_FIRST = """## What to run first on a fresh GPU machine

A model that does not score as published, or a first stage that is not the published one, is found in minutes.
So, in this order:

<!-- not run: needs a GPU and the hub, but for the second line -->
```bash
rerankbench doctor
rerankbench verify all-minilm-l6-v2      # no hub needed: does the installation score as sentence-transformers?
rerankbench verify bge-reranker-v2-m3    # a published pair; then every other model that will be run
rerankbench reproduce nanobeir-bm25      # published means on the publisher's own candidates; on a laptop, too
rerankbench reproduce nfcorpus-top10     # a published figure in minutes, several models
rerankbench reproduce fiqa-bge-large     # with a dense first stage
rerankbench reproduce beir-bge-large --budget 1 --device h100-sxm
```

`reproduce` plans, verifies, checks the first stage, runs, and prints the table beside the published one with a \
verdict for each cell; the same command resumes where it stopped.
`--budget HOURS` takes the cheapest datasets, and a larger budget later adds to them.
`verify` has published scores of {goldens}.

Minutes by `rerankbench plan NAME --tflops {tflops}`, without downloads and loading, an estimate:

| experiment | PFLOPs | minutes | downloads |
| :-- | --: | --: | --: |
{rows}
"""


_COLLECTIONS = """## Collections without a table here

Fetched from the hub once (`pip install "rerankbench[beir]"`), then offline; the revision is pinned, and other numbers \
of documents or queries than these are refused.
The files in configs/datasets/ cite the source of each choice.

| collection | sets | queries | documents | what it is |
| :-- | --: | --: | --: | :-- |
{rows}

<!-- not run: needs the hub -->
```bash
rerankbench run nanobeir                                                   # a laptop's work
rerankbench run --model ms-marco-minilm-l6-v2 --dataset bright/pony
```

- BRIGHT's `excluded_ids` are dropped for their query before the top k are taken, as its own evaluation does.
  That its queries are asked as `answer` is a **guess**: no source words them for a reranker.
- FollowIR is left out: its figure, p-MRR, compares the ranks of two runs, before and after an instruction is changed, \
and every measure here judges one run.
"""


def _collections() -> str:
    """The hub's collections, in numbers of the catalogue, with the first line of their files."""
    collections: dict[str, list[NamedDataset]] = {}
    for name, entry in entries().items():
        if entry.hub is not None:
            collections.setdefault(name.split("/")[0], []).append(entry)
    rows = []
    for name, sets in collections.items():
        queries = sum(entry.policy.n_queries or 0 for entry in sets)
        documents = sum(entry.policy.n_docs or 0 for entry in sets)
        about = (CONFIGS / "datasets" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        rows.append(f"| {name} | {len(sets)} | {queries:,} | {documents:,} | {about.rstrip(':.')} |")
    return _COLLECTIONS.format(rows="\n".join(rows))


def _first(experiments: Sequence[str]) -> str:
    rows = []
    for name in experiments:
        plan = make_plan(load_experiment(name))
        total = plan.pflops + plan.encoding_pflops
        minutes = 60 * (hours(total, _TFLOPS) or 0.0)
        unsized = " and more" if plan.unsized else ""
        rows.append(f"| {name} | {total:,.1f} | {minutes:,.1f} | {units.size(plan.download_bytes)}{unsized} |")
    return _FIRST.format(goldens=", ".join(names("golden")), tflops=_TFLOPS, rows="\n".join(rows))


def _recipe(name: str) -> list[str]:
    """Which choices are known, and which are guesses."""
    recipes = read(CONFIGS / "recipes.yaml")
    rows = [*recipes.get(name, ()), *(recipes["card_tables"] if name in _OF_THE_CARD else ())]
    if not rows:
        return []
    lines = ["| choice | known from, or a guess |", "| :-- | :-- |"]
    for row in rows:
        known = row["source"] if "source" in row else f"**guess**: {row['note']}"
        lines.append(f"| {row['what']} | {known} |")
    return [*lines, ""]


def page() -> str:
    """The whole page."""
    experiments = [(load_experiment(name), name) for name in list_experiments()]
    checked = [(experiment, name) for experiment, name in experiments if experiment.first_stage.check]
    tables = [(experiment, name) for experiment, name in checked if experiment.first_stage.check == name]
    others = [(experiment, name) for experiment, name in checked if experiment.first_stage.check != name]
    quick = [(load_experiment(name), name) for name in _QUICK]
    first = _first([*_QUICK, *(name for _, name in tables)])
    sections = (_section(*one) for one in [*quick, *tables, *others])
    return "\n".join([_HEAD, first, *sections, _collections()])


def _section(experiment: Experiment, name: str) -> str:
    plan = make_plan(experiment)
    table = load_published(experiment.first_stage.check or name)
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
        f"rerankbench {'reproduce ' + name if whole else 'run ' + name}",
        f"rerankbench {shown}",
        "```",
        "",
        *_recipe(name),
    ]
    if whole:
        tolerance = table.tolerance
        own = "".join(f"; {c.model} within {c.tolerance:g}" for c in table.columns if c.tolerance)
        lines += [
            f"Expect {table.metric} x 100 as below, within {tolerance.first_stage:g} (first stage), "
            f"{tolerance.reranker:g} (reranker) and {tolerance.mean:g} (mean){own}.",
            "A figure with a star is compared with its correction below, a mean with the mean of its rows:",
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
    total = plan.pflops + plan.encoding_pflops
    time = hours(total, _TFLOPS)
    documents = sum(one.documents for one in plan.encodings)
    encoded = f"; of these {plan.encoding_pflops:,.1f} PFLOPs encode {documents:,} passages" if documents else ""
    unsized = f" and {', '.join(plan.unsized)} (size not known)" if plan.unsized else ""
    return [
        f"{rows} dataset{'s' * (rows > 1)}, {sum(size.queries for size in plan.sizes):,} queries",
        f"first stage {first}; reranked by {models}",
        f"{len(plan.cells)} cells from {len(plan.passes)} forward passes over at most {pairs:,} pairs",
        f"about {total:,.1f} PFLOPs, {time:.2f} hours at {_TFLOPS} TFLOP/s{encoded}",
        f"downloads {units.size(plan.download_bytes)}{unsized}; vectors on disk {units.size(plan.disk_bytes)}",
    ]


def _columns(plan: Plan, table: PublishedTable) -> list[str]:
    """Variants of the plan that the table prints."""
    planned = {(cell.model, cell.setting) for cell in plan.cells}
    return [f"{column.model} {column.setting}" for column in table.columns if column.key in planned]


if __name__ == "__main__":
    sys.stdout.write(page())
