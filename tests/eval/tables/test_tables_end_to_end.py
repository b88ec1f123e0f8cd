"""The BEIR and MIRACL experiments as they ship, from the real loaders to the published table's layout.

Only what cannot be had here is exchanged: archives are tiny files where ir_datasets keeps its downloads, models are
tiny random checkpoints in the hub's layout. No figure here says anything about the real models.
"""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rerankbench.eval.experiment.file import load_experiment
from rerankbench.eval.published import load_published
from rerankbench.eval.results import Cell, load_cells
from rerankbench.eval.runner.run import run_experiment
from rerankbench.eval.tables import render
from rerankbench.rerankers.errors import InputError
from tiny_hub import E5, write_hub
from tiny_sources import QUERIES, put_beir, put_miracl, put_passages

pytestmark = pytest.mark.slow
K = 4


def at_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    """ir_datasets with that home; it reads the variable when it is imported, so it is imported anew."""
    patch.setenv("IR_DATASETS_HOME", str(home))
    for module in [m for m in sys.modules if m.split(".")[0] == "ir_datasets"]:
        patch.delitem(sys.modules, module)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with everything in place, and no way to fetch anything."""
    folder = tmp_path_factory.mktemp("tables")
    with pytest.MonkeyPatch.context() as patch:
        at_home(patch, folder / "irds")
        patch.setenv("RERANKBENCH_CACHE", str(folder / "cache"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            patch.setenv(proxy, "http://127.0.0.1:9")
        put_beir(folder / "irds")
        put_miracl(folder / "irds")
        (folder / "hub").mkdir()
        write_hub(folder / "hub")
        yield folder


def tiny(name: str, place: Path, *more: str):
    """An experiment of the package with its models exchanged for the tiny ones of the same names."""
    original = load_experiment(name)
    sets = [f"first_stage.retriever={place}/hub/{original.first_stage.label}.yaml", f"first_stage.k={K}"]
    sets += [f"rerankers.{i}.model={place}/hub/{entry.model}.yaml" for i, entry in enumerate(original.rerankers)]
    return load_experiment(name, [*sets, *more])


@pytest.fixture(scope="module")
def beir(place: Path) -> list[Cell]:
    run_experiment(tiny("beir-bge-large", place, "first_stage.on_mismatch=warn"), place / "beir")
    return load_cells([place / "beir"])


@pytest.fixture(scope="module")
def e5(place: Path) -> list[Cell]:
    run_experiment(tiny("beir-e5-mistral", place, "first_stage.on_mismatch=warn"), place / "e5")
    return load_cells([place / "e5"])


@pytest.fixture(scope="module")
def miracl(place: Path) -> list[Cell]:
    run_experiment(tiny("miracl-bge-m3", place, "first_stage.on_mismatch=warn"), place / "miracl")
    return load_cells([place / "miracl"])


def ndcg10(ranking: list[str], grades: dict[str, int]) -> float:
    """nDCG@10 from its definition."""
    gain = sum(grades.get(doc, 0) / math.log2(i + 2) for i, doc in enumerate(ranking[:10]))
    return gain / sum(g / math.log2(i + 2) for i, g in enumerate(sorted(grades.values(), reverse=True)[:10]))


def recomputed(cells: list[Cell]) -> dict[tuple[str, str], dict[str, float]]:
    """(model, setting) -> row -> nDCG@10 x 100, from the stored runs and the files that were put in place."""
    from rerankbench.eval.data import load_dataset

    judged = {name: load_dataset(name).qrels for name in {cell.manifest.dataset for cell in cells}}
    members: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for cell in cells:
        m, run, qrels = cell.manifest, cell.run(), judged[cell.manifest.dataset]
        values = []
        for query, grades in qrels.items():
            ranked = sorted(run.get(query, {}).items(), key=lambda pair: (pair[1], pair[0]), reverse=True)
            values.append(ndcg10([doc for doc, _ in ranked], grades))
        members[m.model, m.setting][m.group or m.dataset].append(100 * sum(values) / len(values))
    return {v: {row: sum(found) / len(found) for row, found in rows.items()} for v, rows in members.items()}


def check_table(cells: list[Cell], published_name: str) -> None:
    """Every row and column of the published table is there, and every figure and mean is what the runs say."""
    published = load_published(published_name)
    expected = recomputed(cells)
    assert set(expected) == {column.key for column in published.columns}
    lines = list(csv.DictReader(io.StringIO(render(cells, format="csv", published=published_name))))
    shown = {(line["model"], line["setting"], line["dataset"]): line for line in lines}
    for variant, rows in expected.items():
        assert set(rows) == set(published.rows)
        for row, value in rows.items():
            line = shown[(*variant, row)]
            assert float(line["value"]) == pytest.approx(value, abs=1e-4)
            assert line["partial"] == ""
            assert float(line["published"]) == published.value(row, *variant)
            assert line["verdict"] in ("off", "reproduced")
        mean = shown[(*variant, "mean")]
        assert float(mean["value"]) == pytest.approx(sum(rows.values()) / len(rows), abs=1e-4)
    text = render(cells, published=published_name)
    assert "not run" not in text
    for format in ("md", "latex", "html"):
        assert len(render(cells, format=format, published=published_name)) > 1000


def test_beir_table(beir: list[Cell]):
    assert len(beir) == 26 * 6
    check_table(beir, "beir-bge-large")
    forums = [cell for cell in beir if cell.manifest.group == "cqadupstack"]
    assert len(forums) == 12 * 6


def test_e5_table(e5: list[Cell]):
    assert len(e5) == 26 * 4
    check_table(e5, "beir-e5-mistral")


def test_e5_candidates_are_those_of_its_instructions_and_both_special_tokens(e5: list[Cell], place: Path):
    """Vectors from the bare tokenizer file and transformers' own model, a dataset's instruction before its queries."""
    from rerankbench.eval.data import load_dataset
    from tokenizers import Tokenizer
    from transformers import MistralModel

    words = Tokenizer.from_file(str(place / "hub" / E5 / "tokenizer.json"))
    model = MistralModel.from_pretrained(place / "hub" / E5).eval()

    def vector(text: str) -> torch.Tensor:
        ids = torch.tensor([[*words.encode(text).ids[:511], 2]])  # that file adds <s> and no </s>
        assert ids[0, 0] == 1
        with torch.inference_mode():
            return torch.nn.functional.normalize(model(input_ids=ids).last_hidden_state[0, -1], dim=0)

    first = {c.manifest.dataset: c.run() for c in e5 if c.manifest.setting == "first-stage"}
    duplicates = "detailed question descriptions from Stackexchange that are duplicates to the given question"
    for name, told in (
        ("beir/arguana", "Given a claim, find documents that refute the claim"),
        ("beir/cqadupstack/gis", f"Given a question, retrieve {duplicates}"),
        ("beir/msmarco", "Given a web search query, retrieve relevant passages that answer the query"),
        ("beir/scifact", "Given a scientific claim, retrieve documents that support or refute the claim"),
    ):
        dataset = load_dataset(name)
        passages = {doc: vector(text) for doc, text in dataset.corpus()}
        for query, text in dataset.queries.items():
            asked = vector(f"Instruct: {told}\nQuery: {text}")
            scores = {doc: float(asked @ passage) for doc, passage in passages.items() if doc != query}
            best = dict(sorted(scores.items(), key=lambda pair: -pair[1])[:K])
            assert first[name][query] == pytest.approx(best, abs=2e-3)  # vectors are kept in 16 bits


def test_miracl_table(miracl: list[Cell]):
    assert len(miracl) == 18 * 6
    check_table(miracl, "miracl-bge-m3")
    head = [part.strip() for part in render(miracl, format="md").splitlines()[0].split("|")]
    assert {name.removeprefix("miracl/") for name in load_published("miracl-bge-m3").rows} <= set(head)  # as columns


def test_queries_are_no_candidates_of_themselves(beir: list[Cell], miracl: list[Cell]):
    first = {c.manifest.dataset: c.run() for c in beir + miracl if c.manifest.setting == "first-stage"}
    for name in ("beir/arguana", "beir/quora"):
        assert len(first[name]) == QUERIES
        assert all(query not in docs and len(docs) == K for query, docs in first[name].items())
    assert all(len(docs) == K for run in first.values() for docs in run.values())


def test_prompts_and_lengths_are_the_datasets(beir: list[Cell]):
    def identity(dataset: str, model: str) -> str:
        cell = next(c for c in beir if (c.manifest.dataset, c.manifest.model) == (dataset, model))
        return json.dumps(cell.manifest.identity_parts["reranker"])

    light, gemma = "bge-reranker-v2.5-gemma2-lightweight", "bge-reranker-v2-gemma"
    assert "contradictory opinions" in identity("beir/arguana", light)
    assert "asking the same thing" in identity("beir/quora", light)
    assert "Predict whether passage B contains an answer to query A." in identity("beir/nq", light)
    assert "Given a query A and a passage B" in identity("beir/nq", gemma)
    assert "contradictory opinions" in identity("beir/arguana", gemma)
    assert all('"max_length": 1024' in identity("beir/nq", cell.manifest.model) for cell in beir
               if cell.manifest.setting != "first-stage")  # fmt: skip


def test_flops_of_the_cheap_setting_are_saved(beir: list[Cell]):
    cells = [c.manifest for c in beir if c.manifest.setting == "L25-r2@8"]
    assert len(cells) == 26
    assert all(m.flops is not None and 0.3 < m.flops.saved < 0.7 for m in cells)


def test_again_is_free_and_the_same(beir: list[Cell], place: Path):
    def never(*_: object):
        raise AssertionError("a model was loaded for stored cells") from None

    before = {cell.path: cell.manifest.identity for cell in beir}
    experiment = tiny("beir-bge-large", place, "first_stage.on_mismatch=warn", "rerankers=[]")
    again = run_experiment(experiment, place / "beir-first", load=never)
    same = {c.manifest.dataset: c.manifest.identity for c in beir if c.manifest.setting == "first-stage"}
    assert {c.manifest.dataset: c.manifest.identity for c in again} == same
    assert set(before) == {cell.path for cell in load_cells([place / "beir"])}


@pytest.mark.shared
def test_scifact_complete(place: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Real texts and judgements through the same experiment; tiny models, so only counts and means are checked."""
    at_home(monkeypatch, tmp_path)
    folder = tmp_path / "beir" / "scifact"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "source.zip", "w") as archive:
        for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
            archive.write(shared_data / "scifact" / name, f"scifact/{name}")
    more = ["datasets=[beir/scifact]", f"rerankers=[{{model: {place}/hub/bge-reranker-v2-m3.yaml, max_length: 64}}]"]
    run_experiment(tiny("beir-bge-large", place, "first_stage.on_mismatch=warn", *more), place / "scifact")
    cells = load_cells([place / "scifact"])
    assert [(c.manifest.counts.queries, c.manifest.counts.pairs) for c in cells] == [(300, 300 * K)] * 2
    assert cells[0].manifest.provenance["data"]["documents"] == 5183
    for variant, rows in recomputed(cells).items():
        (shown,) = (100 * c.manifest.metrics["nDCG@10"] for c in cells if c.manifest.model == variant[0])
        assert shown == pytest.approx(rows["beir/scifact"], abs=1e-4)


@pytest.mark.shared
@pytest.mark.parametrize("language", ["sw", "yo", "zh"])
def test_miracl_topics_complete(
    place: Path, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str
):
    """Real topics and judgements; the passages are not at hand, so a made-up text stands for every judged one."""
    at_home(monkeypatch, tmp_path)
    source, target = shared_data / "miracl-dev", tmp_path / "miracl" / "v1.0" / language / "dev"
    target.mkdir(parents=True)
    for part in ("topics", "qrels"):
        shutil.copy(source / f"{part}.{language}.tsv", target / f"{part}.tsv")
    judged = sorted({line.split()[2] for line in (target / "qrels.tsv").read_text().splitlines()})
    put_passages(tmp_path, language, judged)
    more = [f"datasets=[miracl/{language}]", "rerankers=[]"]
    experiment = tiny("miracl-bge-m3", place, "first_stage.on_mismatch=warn", *more)
    (cell,) = run_experiment(experiment, place / f"miracl-{language}")
    queries = {"sw": 482, "yo": 119, "zh": 393}[language]
    assert (cell.manifest.counts.queries, cell.manifest.counts.missing) == (queries, 0)
    assert cell.manifest.provenance["data"]["documents"] == len(judged)
    assert 100 * cell.manifest.metrics["nDCG@10"] == pytest.approx(
        recomputed([cell])["bge-m3", "first-stage"][f"miracl/{language}"], abs=1e-4
    )


def test_first_stage_off_its_published_score_stops_before_any_model(place: Path):
    def never(*_: object):
        raise AssertionError("a model was loaded")

    with pytest.raises(InputError, match=r"the first stage has nDCG@10 .*reranking was not started"):
        run_experiment(tiny("beir-bge-large", place), place / "stopped", load=never)
    assert not (place / "stopped" / "scores").exists()
