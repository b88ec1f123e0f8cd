"""`rerankbench plan`: counts that follow from sizes, and nothing fetched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from beir_folder import write_beir
from checkpoints import make
from rerankbench.eval.api import run
from rerankbench.eval.cli import main
from rerankbench.eval.data import load_policy
from rerankbench.eval.experiment.file import load_experiment, parse_experiment
from rerankbench.eval.plan.plan import hours, make_plan
from rerankbench.eval.published import load_published
from rerankbench.rerankers import Setting, flops, load_spec
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.registry import shape_of

LIGHT = "bge-reranker-v2.5-gemma2-lightweight"


def experiment(**keys: Any):
    return parse_experiment({"name": "x", "datasets": ["beir/nfcorpus"], **keys}, "here")


def test_published_sizes_and_assumed_lengths():
    rerankers = [{"model": LIGHT, "cutoff_layers": [25, None], "compress": [{"ratio": 2, "layers": [8]}]}]
    plan = make_plan(experiment(rerankers=rerankers), query_tokens=20, passage_tokens=150)
    assert [(s.queries, s.pairs, s.lengths) for s in plan.sizes] == [(323, 32300, "as given")]
    cut, deep = plan.cells
    shape = shape_of(load_spec(LIGHT))
    assert shape is not None
    pair = int(flops.reference(shape, Setting(25, 2, (8,)), 20, 150, 14))
    assert cut.pflops == pytest.approx(32300 * pair / 1e15)
    assert cut.tokens == 32300 * (20 + 150 + 14)
    (single,) = plan.passes
    assert single.settings == ("L25-r2@8", "r2@8")
    assert single.pflops == deep.pflops == plan.pflops


def test_settings_without_a_common_pass_are_added():
    rerankers = [{"model": LIGHT, "compress": [None, {"ratio": 2, "layers": [8]}]}]
    plan = make_plan(experiment(rerankers=rerankers))
    assert len(plan.passes) == 2
    assert plan.pflops == pytest.approx(sum(cell.pflops or 0 for cell in plan.cells))


def test_lengths_of_a_folder_are_measured(tmp_path: Path):
    folder = write_beir(tmp_path / "tea")
    plan = make_plan(experiment(datasets=[str(folder)], rerankers=[{"model": "all-minilm-l6-v2"}]))
    (size,) = plan.sizes
    assert (size.queries, size.pairs, size.lengths) == (2, 2 * 4, "from words")  # no more pairs than documents
    assert 2 < size.query_tokens < size.passage_tokens < 20


def test_length_limit_holds():
    limited = experiment(rerankers=[{"model": LIGHT, "max_length": 64}])
    short, long = (make_plan(limited, passage_tokens=tokens).pflops for tokens in (60, 6000))
    assert short == long


def test_shared_archive_is_fetched_once():
    forums = ["beir/cqadupstack/android", "beir/cqadupstack/english"]
    one, two = (make_plan(experiment(datasets=names)).download_bytes for names in (forums[:1], forums))
    assert one == two > 0


def test_first_stage_that_encodes():
    plan = make_plan(experiment(first_stage={"retriever": "bge-large-en-v1.5"}), query_tokens=20, passage_tokens=150)
    (one,) = plan.encodings
    assert one.documents == 3633
    assert one.tokens == 3633 * 150 + 323 * 20
    assert one.disk_bytes == plan.disk_bytes == 3633 * 1024 * 2
    layer = 24 * 1024**2  # FLOPs per token in the matrices of a BERT layer
    exact = 3633 * 24 * (layer * 150 + 4 * 1024 * 150**2) + 323 * 24 * (layer * 20 + 4 * 1024 * 20**2)
    assert plan.encoding_pflops == pytest.approx(exact / 1e15)
    assert plan.as_json(1.0)["hours"] == hours(plan.encoding_pflops, 1.0)
    assert plan.download_bytes == 2448432 + 1340000000
    assert make_plan(experiment()).encodings == ()


def test_unknown_sizes_are_named():
    assert make_plan(experiment(datasets=["miracl/yo", "miracl/sw"])).unsized == ("miracl/yo",)


@pytest.mark.parametrize(
    ("name", "datasets", "variants"),
    [
        ("beir-bge-large", 26, 5),
        ("beir-e5-mistral", 26, 3),
        ("miracl-bge-m3", 18, 5),
        ("minicpm-layerwise", 26, 33),
        ("lightweight-sweep", 7, 81),
    ],
)
def test_experiments_of_the_published_tables(name: str, datasets: int, variants: int):
    loaded = load_experiment(name)
    plan = make_plan(loaded)
    assert (len(plan.sizes), len(plan.cells)) == (datasets, datasets * variants)
    assert not plan.unknown
    published = load_published(str(loaded.first_stage.check))
    assert loaded.first_stage.label == published.first_stage
    if name == published.name:  # the table's rows and columns, no more and no fewer
        rows = {load_policy(size.dataset).group or size.dataset for size in plan.sizes}
        assert rows == set(published.rows)
        columns = {(cell.model, cell.setting) for cell in plan.cells} | {(published.first_stage, "first-stage")}
        assert columns == {column.key for column in published.columns}


def test_limit():
    assert make_plan(experiment(), limit=5).sizes[0].pairs == 500


def test_unknown_names_and_impossible_settings():
    with pytest.raises(InputError, match="did you mean"):
        make_plan(experiment(rerankers=[{"model": "bge-reranker-bse"}]))
    with pytest.raises(InputError, match="cutoff layer 3 has no output head"):
        make_plan(experiment(rerankers=[{"model": LIGHT, "cutoff_layers": [3]}]))


def test_hours():
    assert hours(3600.0, 1000.0) == 1.0
    assert hours(1.0, None) is None


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("sys.argv", ["rerankbench", "plan", "quickstart", "--device", "h100-sxm", "--json"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    report = json.loads(capsys.readouterr().out)
    assert report["tflops"] == pytest.approx(0.4 * 989)
    assert len(report["cells"]) == 2 * 6
    assert len(report["passes"]) == 2
    assert report["hours"] == pytest.approx(report["pflops"] * 1000 / report["tflops"] / 3600)


def test_beir_is_as_long_as_its_paper_says():
    datasets = ["beir/arguana", "beir/cqadupstack/unix", "miracl/sw"]
    sizes = {size.dataset: size for size in make_plan(experiment(datasets=datasets)).sizes}
    arguana, unix, sw = (sizes[name] for name in datasets)
    assert (arguana.query_tokens, arguana.passage_tokens) == (round(192.98 * 1.3) + 2, round(166.80 * 1.3) + 2)
    assert (unix.query_tokens, unix.lengths) == (round(8.59 * 1.3) + 2, "published words")
    assert (sw.query_tokens, sw.passage_tokens, sw.lengths) == (20, 150, "assumed")


def test_a_model_that_is_here_is_no_download(tmp_path: Path):
    make(tmp_path / "mine", "bert")
    plan = make_plan(experiment(datasets=["builtin/en"], rerankers=[str(tmp_path / "mine")]))
    assert (plan.download_bytes, plan.unsized, plan.unknown) == (0, (), ())
    assert plan.pflops > 0


def test_a_server_without_a_key_is_planned_and_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CO_API_KEY", raising=False)
    model = tmp_path / "cohere.yaml"
    model.write_text("family: served\nsource: rerank\nrevision: '1'\nserver: {api: cohere}\n", encoding="utf-8")
    served = experiment(datasets=[str(write_beir(tmp_path / "tea"))], rerankers=[{"model": str(model)}])
    assert make_plan(served).sizes[0].queries == 2
    with pytest.raises(InputError, match="CO_API_KEY"):
        run(served, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
