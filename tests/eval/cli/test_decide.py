"""A model without counted FLOPs is best at depth 5, and every model is below the first stage over all candidates."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from beir_folder import write_beir
from checkpoints import WORDS, make
from in_process import Command
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.results import FIRST_STAGE
from rerankbench.eval.runner.run import run_experiment

_MODULE = """
import json, pathlib
RANKS = json.loads(pathlib.Path(__file__).with_suffix(".json").read_text())

class Uncounted:
    version = "1"
    def predict(self, pairs):
        return [RANKS[f"{query}|{passage}"] for query, passage in pairs]
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BM25 mixes two passages up; the uncounted model knows the answer, and is fooled by what BM25 ranks low."""
    root = tmp_path_factory.mktemp("decide")
    draw = random.Random(3)
    corpus, queries, lines = [], [], ["query-id\tcorpus-id\tscore"]
    for i in range(40):
        words = draw.sample(WORDS, 4)
        queries.append({"_id": f"q{i:02d}", "text": " ".join(words)})
        for j, kept in enumerate((3, 3, 0, 0)):
            text = " ".join([*words[:kept], *draw.choices(WORDS, k=4), f"n{i}x{j}"])
            corpus.append({"_id": f"d{i:02d}-{j}", "text": text})
        lines.append(f"q{i:02d}\td{i:02d}-1\t1")
    files = {"corpus": corpus, "queries": queries}
    data = write_beir(
        root / "words",
        qrels="\n".join(lines) + "\n",
        **{name: "".join(json.dumps(row) + "\n" for row in rows) for name, rows in files.items()},
    )
    (root / "encoder").mkdir()
    make(root / "encoder", "bert", head=False, num_hidden_layers=2)
    raw = {"name": "decide", "datasets": [str(data)], "first_stage": {"retriever": "bm25", "k": 30}}
    first = run_experiment(parse_experiment({**raw, "rerankers": []}, "decide"), root / "first")[0].run()
    texts, asked = ({one["_id"]: one["text"] for one in rows} for rows in (corpus, queries))
    scores = {}
    for query, found in first.items():
        for rank, doc in enumerate(sorted(found, key=lambda d: -found[d])):
            right = doc == f"d{query[1:]}-1"
            scores[f"{asked[query]}|{texts[doc]}"] = float(right) if rank < 5 else 9.0 - rank / 100
    (root / "knows_top_five.py").write_text(_MODULE)
    (root / "knows_top_five.json").write_text(json.dumps(scores))
    models = [{"model": "knows_top_five:Uncounted"}, {"model": str(root / "encoder"), "cutoff_layers": [1, None]}]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        cells = run_experiment(parse_experiment({**raw, "rerankers": models}, "decide"), root / "run")
    start = next(c for c in cells if c.manifest.setting == FIRST_STAGE).manifest.metrics["nDCG@10"]
    assert all(c.manifest.metrics["nDCG@10"] < start for c in cells if c.manifest.setting != FIRST_STAGE)
    return root / "run"


def shown(command: Command, *arguments: str) -> str:
    status, out, _ = command(*arguments)
    assert status == 0
    return " ".join(out.split())


def test_table_and_pareto_call_nothing_below_the_first_stage_frontier(run: Path, command: Command) -> None:
    text = shown(command, "table", str(run), "--layout", "datasets")
    assert "Pareto frontier dominated dominated dominated" in text
    assert "FLOPs not counted: Uncounted" in text
    rows = json.loads(command("pareto", str(run), "--json")[1])
    assert {row["setting"]: row["frontier"] for row in rows if row["model"] != "Uncounted"} == {
        "first-stage": True, "L1": False, "full": False
    }  # fmt: skip
    assert [row["frontier"] for row in rows if row["model"] == "Uncounted"] == [False]
    assert "FLOPs not counted: words: Uncounted full" in shown(command, "pareto", str(run))


def test_depth_and_cascade_tell_of_the_uncounted_model(run: Path, command: Command) -> None:
    text = shown(command, "depth", str(run))
    assert "FLOPs not counted: words: Uncounted full top 5" in text
    assert "above the first stage, but not placed on the frontier" in text
    text = shown(command, "cascade", str(run), "--stages", "2")
    assert "FLOPs not counted, so in no plan: Uncounted full, best alone on the top 5" in text


def test_python_has_the_same_figures(run: Path, command: Command) -> None:
    from rerankbench.eval.board.frontier import uncounted

    import rerankbench

    rows = json.loads(command("pareto", str(run), "--json")[1])
    points = rerankbench.pareto(run)
    assert [(p.variant.setting, p.score) for p in points] == [
        (row["setting"], row["score"]) for row in rows if row["flops_per_query"] is not None
    ]
    assert {one.variant.model for one in uncounted(rerankbench.depth(run, depths=[5]))} == {"Uncounted"}
    assert "Uncounted full top 5: " in rerankbench.report(run)


def test_decide_and_report_advise_the_depth(run: Path, tmp_path: Path, command: Command) -> None:
    text = shown(command, "decide", str(run))
    assert "Do not rerank" not in text
    assert "Uncounted full top 5: " in text
    assert "It is significantly above the first stage" in text
    assert command("report", str(run), "--output", str(tmp_path / "r.html"), "--no-texts")[0] == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Do not rerank" not in page
    assert "Uncounted full top 5: " in page
