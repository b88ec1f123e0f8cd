from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from rerankbench.eval.experiment.file import list_experiments, load_experiment, parse_experiment
from rerankbench.eval.experiment.schema import Experiment
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.options import TextOptions

GOOD = """
    name: good
    datasets: [builtin/en]
    rerankers: [{model: m}]
"""


def write(folder: Path, text: str) -> str:
    path = folder / "some.yaml"
    path.write_text(dedent(text), encoding="utf-8")
    return str(path)


BAD = [
    (
        "datasets: [a]\nrerankers: [{model: m, compress_layer: 8}]",
        "rerankers.0: compress_layer: unknown key; did you mean",
    ),
    (
        "datasets: [a]\nrerankers: [{model: m, cutoff_layer: [8]}]",
        "cutoff_layer: unknown key; did you mean 'cutoff_layers'?",
    ),
    ("datasets: [a]\nreranker: [{model: m}]", "reranker: unknown key; did you mean 'rerankers'?"),
    ("datasets: [a]\nfirst_stage: {retriver: bm25}", "first_stage.retriver: unknown key; did you mean 'retriever'?"),
    ("datasets: [a]\nengine: {devices: cpu}", "engine.devices: unknown key; did you mean 'device'?"),
    (
        "datasets: [a]\nrerankers: [{model: m, compress: [{ratio: 2, layer: [8]}]}]",
        "rerankers.0.compress.0.layer: unknown key; did you mean 'layers'?",
    ),
    ("rerankers: [{model: m}]", "datasets: is missing"),
    ("datasets: []", "datasets: must not be empty"),
    ("datasets: builtin/en", 'datasets: must be a list, found "builtin/en"'),
    ("datasets: [a, b, a]", "datasets: 'a' is listed 2 times"),
    ("datasets: [a]\nrerankers: [{cutoff_layers: [1]}]", "rerankers.0.model: is missing"),
    ("datasets: [a]\nrerankers: [{model: m, cutoff_layers: 8}]", "rerankers.0.cutoff_layers: must be a list, found 8"),
    ("datasets: [a]\nrerankers: [{model: m, cutoff_layers: [0]}]", "rerankers.0.cutoff_layers: a cutoff is the number"),
    (
        "datasets: [a]\nrerankers: [{model: m, cutoff_layers: ['8']}]",
        'cutoff_layers.0: must be a whole number, found "8"',
    ),
    ("datasets: [a]\nrerankers: [{model: m, cutoff_layers: [true]}]", "cutoff_layers.0: must be a whole number"),
    ("datasets: [a]\nrerankers: [{model: m, compress: [{ratio: 2}]}]", "rerankers.0.compress.0.layers: is missing"),
    ("datasets: [a]\nrerankers: [{model: m, dtype: half}]", "rerankers.0.dtype: must be 'auto', 'float32'"),
    ("datasets: [a]\nrerankers: [{model: m, max_length: long}]", "rerankers.0.max_length: must be a whole number"),
    ("datasets: [a]\nrerankers: [{model: m, head_policy: first}]", "head_policy: must be 'released' or 'by_layer'"),
    ("datasets: [a]\nrerankers: [{model: m}, {model: m, dtype: float32}]", "'m' appears before with other options"),
    ("datasets: [a]\nfirst_stage: {retriever: null}", "first_stage: give either 'retriever: NAME' or 'run: PATH'"),
    ("datasets: [a]\nfirst_stage: {retriever: bm25, run: x}", "first_stage: give either"),
    (
        "datasets: [a]\nfirst_stage: {retriever: bge-m3, k1: 1.5}",
        "first_stage.k1: has no place here, only beside: Candidates by BM25",
    ),
    (
        "datasets: [a]\nfirst_stage: {run: x, stemmer: none}",
        "first_stage.stemmer: has no place here, only beside: Candidates by BM25",
    ),
    ("datasets: [a]\nfirst_stage: {retriever: bm25, stemmer: englich}", "unknown; did you mean 'english'?"),
    (
        "datasets: [a]\nfirst_stage: {retriever: bm25, k: 0}",
        "first_stage.k: Input should be greater than or equal to 1",
    ),
    ("datasets: [a, b]\nfirst_stage: {run: x.trec}", "first_stage.run: one file for several datasets"),
    ("datasets: [a, b]\nfirst_stage: {run: {a: x.trec}}", "first_stage.run: names no run for dataset 'b'"),
    ("datasets: [a]\nmetrics: [ndcg@10]", "metrics: metric 'ndcg@10' is unknown; did you mean 'nDCG@10'?"),
    ("datasets: [a]\nengine: {name: spark}", "engine: name 'spark' is unknown; known: local, ray"),
    ("datasets: [a]\nname: a/b", "name: "),
    ("datasets: [a", "not valid YAML"),
    ("- a\n- b", "expected keys and values, found list"),
    ("", "expected keys and values, found NoneType"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_experiment_is_one_line(tmp_path: Path, text: str, message: str):
    file = write(tmp_path, text)
    with pytest.raises(InputError) as caught:
        load_experiment(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("first_stage.k", "--set first_stage.k: expected key=value"),
        ("rerankers.1.dtype=float32", "--set rerankers.1.dtype: '1' must be a number from 0 to 0"),
        ("rerankers.x.dtype=float32", "'x' must be a number"),
        ("name.first=a", "--set name.first: there is nothing below"),
        ("first_stage.kk=5", "first_stage.kk: unknown key"),
        ("metrics=[AP", "--set metrics: not valid YAML"),
    ],
)
def test_bad_override(tmp_path: Path, override: str, message: str):
    with pytest.raises(InputError) as caught:
        load_experiment(write(tmp_path, GOOD), [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_apply_before_validation(tmp_path: Path):
    sets = ["first_stage={retriever: bm25, k: 7}", "rerankers.0.cutoff_layers=[1, null]", "engine.block_queries=3"]
    experiment = load_experiment(write(tmp_path, GOOD), sets)
    assert experiment.first_stage.k == 7
    assert experiment.engine.block_queries == 3
    assert [s.name for settings in experiment.variants().values() for s in settings] == ["L1", "full"]


def parse(**keys: object) -> Experiment:
    return parse_experiment({"name": "x", "datasets": ["a"], **keys}, "here")


def test_cutoffs_and_compressions_expand_without_repeats():
    compress = [None, {"ratio": 2, "layers": [8]}, {"ratio": 1, "layers": [8]}]
    entry = {"model": "m", "cutoff_layers": [25, None, 25], "compress": compress}
    (settings,) = parse(rerankers=[entry]).variants().values()
    assert [s.name for s in settings] == ["L25", "full", "L25-r2@8", "r2@8"]


def test_entries_of_one_model_are_merged():
    entries = [
        {"model": "m"},
        {"model": "m", "cutoff_layers": [3, None]},
        {"model": "m", "name": "n", "dtype": "float32"},
    ]
    variants = parse(rerankers=entries).variants()
    assert {e.label: [s.name for s in settings] for e, settings in variants.items()} == {
        "m": ["full", "L3"],
        "n": ["full"],
    }


def test_prompt_of_the_experiment_goes_beside_the_datasets_task():
    plain, own = parse(rerankers=[{"model": "m"}, {"model": "m2", "prompt": "", "max_length": 64}]).rerankers
    assert plain.text_options("contradiction") == TextOptions(task="contradiction")
    assert own.text_options("answer") == TextOptions("", 64, task="answer")


def test_run_files():
    mapping = parse(first_stage={"run": {"a": "x.trec"}}).first_stage
    pattern = parse(first_stage={"run": "runs/{dataset}.trec.gz"}).first_stage
    assert mapping.run_file("a") == Path("x.trec")
    assert pattern.run_file("beir/nq") == Path("runs/beir/nq.trec.gz")
    assert not hasattr(parse().first_stage, "run_file")


def test_experiments_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        parse().name = "other"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("name", list_experiments())
def test_included_experiments_are_valid(name: str):
    assert load_experiment(name).name == name


def test_unknown_experiment_suggests():
    with pytest.raises(InputError, match="did you mean 'quickstart'"):
        load_experiment("quikstart")
    with pytest.raises(InputError, match="no such file"):
        load_experiment("nowhere/x.yaml")


def test_short_forms() -> None:
    """A name stands for an entry, bm25 for a first stage without a source."""
    short = parse(rerankers=["all-minilm-l6-v2"], first_stage={"k": 7})
    long = parse(rerankers=[{"model": "all-minilm-l6-v2"}], first_stage={"retriever": "bm25", "k": 7})
    assert short == long
    raw = {"name": "x", "datasets": ["a"]}
    assert parse_experiment(raw, "here", ["first_stage.k=7"]).first_stage == long.first_stage
    assert raw == {"name": "x", "datasets": ["a"]}
    with pytest.raises(InputError, match=r"first_stage: give either 'retriever: NAME' or 'run: PATH'"):
        parse(first_stage={"retriever": None})
