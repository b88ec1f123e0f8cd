"""Collections on the hub: as `datasets` reads them, kept as folders, counts checked, refused in one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from beir_folder import CORPUS, QUERIES
from hub_sets import write_examples, write_set
from rerankbench.eval.data import load
from rerankbench.eval.data.catalog import NamedDataset, entries
from rerankbench.eval.data.dataset import Policy
from rerankbench.eval.data.hub import HubSource
from rerankbench.eval.first_stage.bm25 import bm25_candidates
from rerankbench.eval.first_stage.imported import imported_candidates
from rerankbench.rerankers.errors import InputError

pytest.importorskip("datasets")
PARTS: dict[str, list[dict[str, Any]]] = {
    "corpus": [{"_id": row["_id"], "title": row.get("title") or "", "text": row["text"]} for row in CORPUS],
    "queries": QUERIES,
    "default": [
        {"query-id": "q1", "corpus-id": "d1", "score": 2},
        {"query-id": "q1", "corpus-id": "d3", "score": 1},
        {"query-id": "q2", "corpus-id": "d2", "score": 1},
    ],
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))


def entry(repo: Path, **policy: Any) -> NamedDataset:
    return NamedDataset("nano/toy", Policy(**{"split": "train", **policy}), hub=HubSource(str(repo)))


def test_parquet_becomes_a_dataset_and_stays(tmp_path: Path):
    repo = write_set(tmp_path / "toy", "train", PARTS)
    wanted = entry(repo, n_docs=4, n_queries=2)
    data = load.open_entry(wanted, tmp_path / "cache")
    assert dict(data.corpus()) == {
        "d1": "Tea Green tea is brewed at eighty degrees.",
        "d2": "Coffee beans are roasted.",
        "d3": "A kettle boils water for tea.",
        "d4": "Bread Rye bread keeps for a week.",
    }
    assert data.queries == {"q1": "how to brew tea", "q2": "roasted coffee"}
    assert data.qrels == {"q1": {"d1": 2, "d3": 1}, "q2": {"d2": 1}}
    for file in repo.rglob("*.parquet"):
        file.unlink()  # offline after the first time
    again = load.open_entry(wanted, tmp_path / "cache")
    assert again.checksum == data.checksum


def test_one_repository_for_several_collections(tmp_path: Path):
    names = {"corpus": "ar-corpus", "queries": "ar-queries", "default": "ar-qrels"}
    repo = write_set(tmp_path / "many", "dev", {names[key]: rows for key, rows in PARTS.items()})
    wanted = replace(entry(repo, split="dev"), hub=HubSource(str(repo), config="ar"))
    assert len(load.open_entry(wanted, tmp_path / "cache")) == 4


def test_r2meds_names_and_ids_with_blanks(tmp_path: Path):
    """`query` for `queries`, `q_id` and `p_id`, one split each; LIMIT calls documents by a name and a surname."""
    parts = {
        "corpus": [{"id": "Ada Wu", "text": "Ada Wu likes tea."}, {"id": "Bo", "text": "Bo likes rye bread."}],
        "query": [{"id": "0", "text": "Who likes tea?"}],
        "qrels": [{"q_id": "0", "p_id": "Ada Wu", "score": 1}],
    }
    repo = write_set(tmp_path / "r2", "qrels", parts)
    data = load.open_entry(entry(repo, split="test", n_docs=2, n_queries=1), tmp_path / "cache")
    assert [doc for doc, _ in data.corpus()] == ["Ada_Wu", "Bo"]
    assert (data.queries, data.qrels) == ({"0": "Who likes tea?"}, {"0": {"Ada_Wu": 1}})


def test_judgements_of_grade_0_are_left_out_where_the_source_does(tmp_path: Path):
    none = [{"query-id": "q2", "corpus-id": "d3", "score": 0}]
    repo = write_set(tmp_path / "toy", "train", {**PARTS, "default": PARTS["default"][:1] + none})
    for wanted, kept in ((False, {"q1": {"d1": 2}, "q2": {"d3": 0}}), (True, {"q1": {"d1": 2}})):
        source = HubSource(str(repo), relevant_only=wanted)
        data = load.open_entry(replace(entry(repo), hub=source), tmp_path / f"cache-{wanted}")
        assert data.qrels == kept


def bright(folder: Path, **first: Any) -> NamedDataset:
    """BRIGHT's layout: the first query excludes a document, the second none. Ids have blanks."""
    documents = [{"id": row["_id"].replace("d", "d "), "content": row["text"]} for row in CORPUS]
    rows = [
        {"id": "0", "query": "green tea", "gold_ids": ["d 3"], "excluded_ids": ["d 1"], "reasoning": "", **first},
        {"id": "1", "query": "green tea", "gold_ids": ["d 1"], "excluded_ids": ["N/A"], "reasoning": ""},
    ]
    repo = write_examples(folder, {"biology": (documents, rows), "pony": (documents[:1], rows[:1])})
    return replace(entry(repo, split="standard"), hub=HubSource(str(repo), config="biology", layout="examples"))


def test_examples_with_excluded_documents(tmp_path: Path):
    data = load.open_entry(bright(tmp_path / "bright"), tmp_path / "cache")
    assert [doc for doc, _ in data.corpus()] == ["d_1", "d_2", "d_3", "d_4"]
    assert data.queries == {"0": "green tea", "1": "green tea"}
    assert data.qrels == {"0": {"d_3": 1}, "1": {"d_1": 1}}
    assert data.excluded == {"0": {"d_1"}}
    other = load.open_entry(bright(tmp_path / "free", excluded_ids=["N/A"]), tmp_path / "cache-2")
    assert other.excluded == {}
    assert other.checksum != data.checksum


def test_an_excluded_document_is_no_candidate_and_costs_no_place(tmp_path: Path):
    data = load.open_entry(bright(tmp_path / "bright"), tmp_path / "cache")
    found = bm25_candidates(data, 1, tmp_path / "first").run
    assert [[doc for doc, _ in found[query]] for query in ("0", "1")] == [["d_3"], ["d_1"]]
    run = tmp_path / "mine.trec"
    run.write_text("".join(f"{q} Q0 d_{d} {d} {9 - d} mine\n" for q in "01" for d in (1, 2, 3, 4)))
    found = imported_candidates(data, run, 2, tmp_path / "first").run
    assert [[doc for doc, _ in found[query]] for query in ("0", "1")] == [["d_2", "d_3"], ["d_1", "d_2"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\td_3\n", "document 'd_3' is excluded for query '0' and judged relevant to it"),
        ("7\td_3\n", "query '7' is not among the queries"),
        ("0\td_1\t1\n", "line 1: 3 columns; excluded documents have 2, query and document"),
    ],
)
def test_excluded_documents_that_cannot_be_meant(tmp_path: Path, text: str, message: str):
    wanted = bright(tmp_path / "bright")
    load.open_entry(wanted, tmp_path / "cache")
    (file,) = (tmp_path / "cache").rglob("excluded/standard.tsv")
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        load.open_entry(wanted, tmp_path / "cache")


def test_other_counts_than_published_are_refused(tmp_path: Path):
    repo = write_set(tmp_path / "toy", "train", PARTS)
    with pytest.raises(InputError, match="4 documents instead of 5; hub repository"):
        load.open_entry(entry(repo, n_docs=5), tmp_path / "cache")
    with pytest.raises(InputError, match="2 judged queries instead of 3"):
        load.open_entry(entry(repo, n_queries=3), tmp_path / "cache")


def test_a_repository_that_is_none_is_one_line(tmp_path: Path):
    with pytest.raises(InputError, match="check the name and the network") as caught:
        load.open_entry(entry(tmp_path / "gone"), tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache" / "hub").glob("*"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # beir's own
def test_beir_delivers_when_archive_and_mirrors_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Beir's own loader with the hub's answers exchanged for files; what it cannot do is told with the rest."""
    module = pytest.importorskip("beir.datasets.data_loader_hf")
    repos = {
        "BeIR/toy": {key: PARTS[key] for key in ("corpus", "queries")},
        "BeIR/toy-qrels": {"default": PARTS["default"]},
    }
    for name, parts in repos.items():
        write_set(tmp_path / name, "test", parts)
    theirs = module.load_dataset

    def of_folder(repo: str, *args: Any, **options: Any) -> Any:
        return theirs(str(tmp_path / repo), *args, **options)

    def no_irds(name: str, *_: Any) -> None:
        raise load.SourceError(f"{name}: no network")

    monkeypatch.setattr(module, "load_dataset", of_folder)
    monkeypatch.setattr(load, "IrDataset", no_irds)
    wanted = NamedDataset("beir/toy", Policy(archive="toy"), "beir/toy", ("http://127.0.0.1:9/toy.zip",), "0", "toy")
    data = load.open_entry(wanted, tmp_path / "cache")
    assert (len(data), data.qrels) == (4, {"q1": {"d1": 2, "d3": 1}, "q2": {"d2": 1}})
    gone = replace(wanted, policy=Policy(archive="gone"), folder="gone")
    with pytest.raises(InputError, match=r"no network; then http.*; then beir, BeIR/gone: "):
        load.open_entry(gone, tmp_path / "cache")


def test_named_collections_are_pinned():
    found = {name: one for name, one in entries().items() if one.hub is not None}
    assert len([name for name in found if name.startswith("nanobeir/")]) == 13
    assert len([name for name in found if name.startswith("miracl-hard-negatives/")]) == 18
    assert len([name for name in found if name.startswith("bright/")]) == 12
    assert len([name for name in found if name.startswith("beir-clean/")]) == 8
    assert len([name for name in found if name.startswith("nanobeir-mt/")]) == 13 * 11
    assert len([name for name in found if name.startswith("mteb-eng-v2/")]) == 10
    assert len({one.policy.group or name for name, one in found.items() if name.startswith("coir/")}) == 10
    for name, one in found.items():
        assert one.hub is not None
        assert len(one.hub.revision or "") == 40, name
        assert one.policy.n_docs, name
        assert one.policy.n_queries, name
    assert len({one.hub.folder for one in found.values() if one.hub}) == len(found)
