"""`rerankbench evaluate`: metrics of any run, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .import_data import read_columns


def evaluate(
    run: Annotated[Path, typer.Argument(help="TREC run (6 columns) or JSON dictionary, plain or gz.")],
    qrels: Annotated[Path, typer.Option(help="Qrels: TREC's 4 columns, BEIR's TSV, or what import-data takes.")],
    metrics: Annotated[
        str, typer.Option(help="Separated by commas, spelled as in ir_measures.")
    ] = "nDCG@10,R@100,RR@10,AP,Judged@10",
    qrels_columns: Annotated[
        str, typer.Option(metavar="PART=COLUMN,…", help="query, doc and grade of such a table, as for import-data.")
    ] = "",
    per_query: Annotated[bool, typer.Option("--per-query", help="Also one line per judged query.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Judge a run: means over all judged queries, one that is missing from the run counting 0.

    Example: rerankbench evaluate bm25.trec --qrels qrels/test.tsv --metrics nDCG@10,R@100
    """
    import json

    from ..api import evaluate_queries
    from ..data.importing import read_judgements
    from ..first_stage import read_run
    from ..metrics.measures import split_metrics
    from ..metrics.trec import mean

    names = split_metrics(metrics)
    scores, judged = read_run(run), read_judgements(qrels, read_columns("qrels", qrels_columns))
    values = evaluate_queries(scores, judged, names)
    means = {name: mean(column.values()) for name, column in values.items()}
    missing = sum(not scores.get(query) for query in judged)
    rows = {query: {name: values[name][query] for name in values} for query in sorted(judged)} if per_query else {}
    if as_json:
        counts = {"queries": len(judged), "missing": missing, "unjudged": len(scores.keys() - judged.keys())}
        detail = {"per_query": rows} if per_query else {}
        print(json.dumps({"run": str(run), "qrels": str(qrels), **counts, "metrics": means, **detail}, indent=2))
        return
    for query, row in rows.items():
        for name, value in row.items():
            print(f"{name}\t{query}\t{value:.4f}")
    for name, value in means.items():
        print(f"{name}\tall\t{value:.4f}")
    print(f"judged queries\tall\t{len(judged)}" + (f" ({missing} missing from the run count 0)" if missing else ""))
