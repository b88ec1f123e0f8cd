"""Exports hold what the manifests hold, in the words of other tools."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_parts import FakeDataset, FakeReranker, fake_retrieve
from rerankbench.eval.cli import main
from rerankbench.eval.data import list_datasets
from rerankbench.eval.exchange.formats import _read_mteb_tasks, export
from rerankbench.eval.experiment.file import parse_experiment
from rerankbench.eval.first_stage import read_run
from rerankbench.eval.results import load_cells
from rerankbench.eval.runner import first_stage
from rerankbench.eval.runner import run as runner
from rerankbench.eval.runner.subset import Part
from rerankbench.rerankers.errors import InputError

DATASETS = ["beir/scifact", "miracl/sw", "miracl/yo", "own"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "load_dataset", FakeDataset)
    monkeypatch.setattr(first_stage, "retrieve", fake_retrieve)

    def run(**options: Any) -> Path:
        raw = {"name": "x", "datasets": DATASETS, "rerankers": [{"model": "fake", "cutoff_layers": [2, None]}]}
        out = tmp_path / "out"
        runner.run_experiment(parse_experiment(raw, "x"), out, load=lambda *_: FakeReranker(), **options)
        return out

    return run


def test_trec(results, tmp_path: Path):
    cells = load_cells([results()])
    files = export(cells, "trec", tmp_path / "e")
    assert len(files) == len(cells) == 4 * 3
    assert {file.name for file in files} >= {"beir-scifact.fake.L2.trec.gz", "own.bm25.first-stage.trec.gz"}
    for cell, file in zip(cells, files, strict=True):
        assert read_run(file) == cell.run()


def test_two_cells_that_one_file_would_hold(results, tmp_path: Path):
    one, two = load_cells([results()]), load_cells([shutil.copytree(results(), tmp_path / "other")])
    for format in ("trec", "mteb", "model-index"):
        with pytest.raises(InputError, match="would be one file"):
            export([*one, *two], format, tmp_path / "e")
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize("revision", ["../../../x", "refs/pr/1", "..", "a\\b", "\x00"])
def test_a_revision_cannot_leave_the_folder(results, tmp_path: Path, revision: str):
    cells = load_cells([results()])
    for cell in cells:
        cell.manifest.provenance["model"] = {"revision": revision}
    files = export(cells, "mteb", tmp_path / "e")
    assert {len(file.resolve().relative_to((tmp_path / "e").resolve()).parts) for file in files} == {4}


def test_mteb(results, tmp_path: Path):
    cells = load_cells([results()])
    files = export(cells, "mteb", tmp_path / "e")
    assert len(files) == 3 * 2  # variants x tasks; `own` is no task of mteb
    path = tmp_path / "e" / "results" / "fake__L2" / "no_revision_available"
    by_key = {(c.manifest.dataset, c.manifest.setting): c.manifest for c in cells}
    scifact = json.loads((path / "SciFact.json").read_text())
    assert scifact["task_name"] == "SciFact"
    (scores,) = scifact["scores"]["test"]
    metrics = by_key["beir/scifact", "L2"].metrics
    assert scores["main_score"] == scores["ndcg_at_10"] == metrics["nDCG@10"]
    assert (scores["recall_at_100"], scores["mrr_at_10"], scores["map"]) == (
        metrics["R@100"],
        metrics["RR@10"],
        metrics["AP"],
    )
    assert (scores["hf_subset"], scores["languages"]) == ("default", ["eng-Latn"])
    miracl = json.loads((path / "MIRACLRetrieval.json").read_text())
    (languages,) = miracl["scores"].values()  # both in one file
    assert {entry["hf_subset"]: entry["ndcg_at_10"] for entry in languages} == {
        "sw": by_key["miracl/sw", "L2"].metrics["nDCG@10"],
        "yo": by_key["miracl/yo", "L2"].metrics["nDCG@10"],
    }


@pytest.mark.slow
def test_mteb_loads_the_export(results, tmp_path: Path):
    """In a process of its own: importing mteb takes seconds."""
    pytest.importorskip("mteb", reason="mteb's own loader of results")
    cells = load_cells([results()])
    export(cells, "mteb", tmp_path / "e")
    program = """
import json, sys, warnings
warnings.simplefilter("ignore")
from mteb import ResultCache
found = ResultCache(sys.argv[1]).load_results(include_remote=False)
print(json.dumps([
    [one.model_name, scores["hf_subset"], scores["main_score"]]
    for one in found.model_results for task in one.task_results for scores in next(iter(task.scores.values()))
]))
"""
    command = [sys.executable, "-c", program, str(tmp_path / "e")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = {(model, subset): main for model, subset, main in json.loads(done.stdout)}
    names = {"beir/scifact": "default", "miracl/sw": "sw", "miracl/yo": "yo"}
    assert loaded == {
        (f"{c.manifest.model}/{c.manifest.setting}", names[c.manifest.dataset]): c.manifest.metrics["nDCG@10"]
        for c in cells
        if c.manifest.dataset in names
    }


METRICS = ("nDCG@10", "R@100", "RR@10", "AP")


def test_plain_runs_are_what_other_tools_judge_alike(results, tmp_path: Path):
    """ir_measures, from the plain file and the stored judgements, gives the manifest's figures."""
    measures = pytest.importorskip("ir_measures", reason="a second judge")
    cells = load_cells([results()])
    files = export(cells, "trec", tmp_path / "e", plain=True)
    qrels = {c.manifest.dataset: c.qrels() for c in cells if c.manifest.setting == "first-stage"}
    assert {file.suffix for file in files} == {".trec"}
    for cell, file in zip(cells, files, strict=True):
        wanted = [measures.parse_measure(name) for name in METRICS if name != "RR@10"]  # its ties are ordered otherwise
        found = measures.calc_aggregate(wanted, qrels[cell.manifest.dataset], measures.read_trec_run(str(file)))
        for measure, value in found.items():
            assert value == pytest.approx(cell.manifest.metrics[str(measure)], abs=1e-6), (file.name, measure)


@pytest.mark.slow
def test_ranx_gives_the_manifests_figures(results, tmp_path: Path):
    pytest.importorskip("ranx", reason="a third judge, compiled by numba")
    cells = load_cells([results()])
    files = export(cells, "trec", tmp_path / "e", plain=True)
    stage = next(c for c in cells if (c.manifest.dataset, c.manifest.setting) == ("own", "first-stage"))
    (tmp_path / "qrels.json").write_text(json.dumps(stage.qrels()))
    program = """
import json, sys, warnings
warnings.simplefilter("ignore")
from ranx import Qrels, Run, evaluate
qrels = Qrels.from_dict(json.load(open(sys.argv[1])))
for path in sys.argv[2:]:
    run = Run.from_file(path, kind="trec")
    print(json.dumps(evaluate(qrels, run, ["ndcg@10", "recall@100", "mrr@10", "map"], make_comparable=True)))
"""
    mine = {str(file): cell.manifest for file, cell in zip(files, cells, strict=True) if cell.manifest.dataset == "own"}
    command = [sys.executable, "-c", program, str(tmp_path / "qrels.json"), *mine]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for manifest, values in zip(mine.values(), told, strict=True):
        assert list(values.values()) == pytest.approx([manifest.metrics[name] for name in METRICS], abs=1e-6)


def test_model_index(results, tmp_path: Path):
    cells = load_cells([results()])
    files = export(cells, "model-index", tmp_path / "e")
    assert sorted(file.name for file in files) == ["bm25.first-stage.yaml", "fake.L2.yaml", "fake.full.yaml"]
    (entry,) = yaml.safe_load((tmp_path / "e" / "fake.L2.yaml").read_text())["model-index"]
    assert entry["name"] == "fake (L2)"
    assert [result["dataset"]["type"] for result in entry["results"]] == sorted(DATASETS)
    own = next(r for r in entry["results"] if r["dataset"]["type"] == "own")
    measured = next(c for c in cells if (c.manifest.dataset, c.manifest.setting) == ("own", "L2")).manifest
    values = {metric["type"]: metric["value"] for metric in own["metrics"]}
    assert values["ndcg_at_10"] == pytest.approx(100 * measured.metrics["nDCG@10"], abs=1e-4)


def test_hub_reads_the_model_index(results, tmp_path: Path):
    hub = pytest.importorskip("huggingface_hub.repocard_data")
    export(load_cells([results()]), "model-index", tmp_path / "e")
    raw = yaml.safe_load((tmp_path / "e" / "fake.full.yaml").read_text())
    name, found = hub.model_index_to_eval_results(raw["model-index"])
    assert name == "fake (full)"
    assert {result.dataset_type for result in found} == set(DATASETS)


def test_no_score_of_a_part(results, tmp_path: Path):
    cells = load_cells([results(part=Part(sample=3))])
    for format in ("mteb", "model-index"):
        with pytest.raises(InputError, match=r"partial .*run all its queries"):
            export(cells, format, tmp_path / "e")
    assert not (tmp_path / "e").exists()
    assert len(export(cells, "trec", tmp_path / "e")) == 12
    with pytest.raises(InputError, match="--plain: --format model-index is plain already"):
        export(load_cells([results(overwrite=True)]), "model-index", tmp_path, plain=True)
    with pytest.raises(InputError, match="--format csv: known are trec, mteb, model-index"):
        export(cells, "csv", tmp_path)


def test_mteb_knows_every_published_dataset():
    assert set(_read_mteb_tasks()) == {i.name for i in list_datasets() if not i.name.startswith("builtin/")}


def test_command(results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    arguments = ["rerankbench", "export", str(results()), "--format", "model-index", "--output", str(tmp_path / "e")]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    printed = capsys.readouterr().out.splitlines()
    assert sorted(printed) == sorted(str(path) for path in (tmp_path / "e").iterdir())
