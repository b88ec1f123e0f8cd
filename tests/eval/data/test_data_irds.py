"""ir_datasets from files put in place, offline."""

from __future__ import annotations

import gzip
import importlib.util
import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from beir_folder import CORPUS, QUERIES, jsonl, write_beir
from rerankbench.eval.data import load_dataset
from rerankbench.rerankers.errors import InputError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `IR_DATASETS_HOME`. ir_datasets reads the variable when it is imported, so it is imported anew."""
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "irds"))
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")  # nothing may be fetched
    for module in [m for m in sys.modules if m.split(".")[0] == "ir_datasets"]:
        monkeypatch.delitem(sys.modules, module)
    return tmp_path / "irds"


def put_scifact(home: Path, source: Path) -> None:
    (home / "beir" / "scifact").mkdir(parents=True)
    with zipfile.ZipFile(home / "beir" / "scifact" / "source.zip", "w") as archive:
        for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
            archive.write(source / name, f"scifact/{name}")


def put_miracl(home: Path, language: str, topics: str, qrels: str, docs: list[dict]) -> None:
    """Files where ir_datasets keeps them; all documents in the first file of the corpus, nothing in the others."""
    spec = importlib.util.find_spec("ir_datasets")
    downloads = json.loads((Path(spec.origin).parent / "etc" / "downloads.json").read_text(encoding="utf-8"))["miracl"]
    lines = "".join(json.dumps(doc) + "\n" for doc in docs)
    files = {"dev/topics": topics.encode(), "dev/qrels": qrels.encode(), "corpus/0": gzip.compress(lines.encode())}
    for key, download in downloads.items():
        if key.startswith((f"v1.0/{language}/dev/", f"v1.0/{language}/corpus/")):
            file = home / "miracl" / download["cache_path"]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(files.get(key.removeprefix(f"v1.0/{language}/"), gzip.compress(b"")))


def test_beir_as_the_folder_gives_it(home: Path, tmp_path: Path):
    records = [{"title": "", **record} for record in CORPUS]
    unjudged = {"_id": "q3", "text": "of another split"}
    folder = write_beir(tmp_path / "toy", corpus=jsonl(records), queries=jsonl([*QUERIES, unjudged]))
    put_scifact(home, folder)
    data = load_dataset("beir/scifact")
    plain = load_dataset(str(folder), cache=tmp_path / "cache")
    assert (data.name, len(data)) == ("beir/scifact", 4)
    assert (data.queries, data.qrels) == (plain.queries, plain.qrels)
    assert list(data.corpus()) == list(plain.corpus())
    assert data.texts(["d3", "d1"]) == plain.texts(["d3", "d1"])
    assert data.missing(["d1", "x"]) == ["x"]
    assert data.warnings == []
    with pytest.raises(InputError, match="beir/scifact: document 'x' is not in the corpus"):
        data.texts(["x"])
    assert load_dataset("beir/scifact").checksum == data.checksum


MIRACL_DOCS = [
    {"docid": "7#0", "title": "Chai", "text": "Chai ni kinywaji."},
    {"docid": "7#1", "title": "Chai", "text": "Hupikwa kwa maji."},
    {"docid": "9#0", "title": "", "text": ""},
]


def test_miracl_with_what_is_odd_but_allowed(home: Path):
    qrels = "1\tQ0\t7#0\t1\n1\tQ0\t9#0\t0\n2\tQ0\t8#0\t1\n"
    put_miracl(home, "sw", "1\tChai ni nini?\n2\tMaji ni nini?\n3\tNani?\n", qrels, MIRACL_DOCS)
    data = load_dataset("miracl/sw")
    assert (len(data), data.policy.language, data.policy.remove_identical_ids) == (3, "sw", False)
    assert data.texts(["7#1", "9#0"]) == ["Chai Hupikwa kwa maji.", ""]
    assert data.qrels == {"1": {"7#0": 1, "9#0": 0}, "2": {"8#0": 1}}
    assert data.warnings == [
        "1 judged documents have neither title nor text",
        "1 queries have no qrels and are not scored",
        "1 judged documents are not in the corpus (first: '8#0')",
    ]


def test_checksum_follows_the_corpus(home: Path):
    put_miracl(home, "sw", "1\tChai?\n", "1\tQ0\t7#0\t1\n", MIRACL_DOCS)
    before = load_dataset("miracl/sw").checksum
    shutil.rmtree(home / "miracl")
    put_miracl(home, "sw", "1\tChai?\n", "1\tQ0\t7#0\t1\n", [{**MIRACL_DOCS[0], "text": "!"}, *MIRACL_DOCS[1:]])
    assert load_dataset("miracl/sw").checksum != before


def test_page_in_place_of_the_archive(home: Path):
    (home / "beir" / "scifact").mkdir(parents=True)
    (home / "beir" / "scifact" / "source.zip").write_bytes(b"<!DOCTYPE html>\n<title>404</title>")
    with pytest.raises(InputError, match=re.escape("source.zip: not a zip archive (begins with b'<!DOCTYPE html>")):
        load_dataset("beir/scifact")


def test_docs_cut_off(home: Path):
    put_miracl(home, "sw", "1\tChai?\n", "1\tQ0\t7#0\t1\n", MIRACL_DOCS)
    docs = home / "miracl/v1.0/sw/docs/docs-0.jsonl.gz"
    docs.write_bytes(docs.read_bytes()[:-20])
    with pytest.raises(InputError, match="miracl/sw: ir_datasets cannot deliver it") as caught:
        load_dataset("miracl/sw")
    assert "\n" not in str(caught.value)


def test_no_network(home: Path):
    with pytest.raises(InputError, match=re.escape("check the network, or put its files into $IR_DATASETS_HOME")):
        load_dataset("miracl/yo")
    with pytest.raises(InputError, match=r"ir_datasets cannot deliver it .*; then https.*check the network") as caught:
        load_dataset("beir/scifact")
    assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_scifact_complete(home: Path, shared_data: Path):
    put_scifact(home, shared_data / "scifact")
    data = load_dataset("beir/scifact")
    assert (len(data), len(data.queries), sum(map(len, data.qrels.values()))) == (5183, 300, 339)
    assert data.warnings == []


@pytest.mark.shared
@pytest.mark.parametrize(
    ("language", "queries", "judgements"), [("sw", 482, 5092), ("yo", 119, 1188), ("zh", 393, 3928)]
)
def test_miracl_topics_and_judgements(home: Path, shared_data: Path, language: str, queries: int, judgements: int):
    folder = shared_data / "miracl-dev"
    topics, qrels = ((folder / f"{part}.{language}.tsv").read_text(encoding="utf-8") for part in ("topics", "qrels"))
    # One relevant passage, made up: a corpus without any is refused.
    relevant = next(line.split("\t")[2] for line in qrels.splitlines() if line.split("\t")[3] == "1")
    put_miracl(home, language, topics, qrels, [*MIRACL_DOCS, {"docid": relevant, "title": "", "text": "Chai."}])
    data = load_dataset(f"miracl/{language}")
    assert (len(data.queries), sum(map(len, data.qrels.values()))) == (queries, judgements)
    assert len(data.queries) == data.policy.n_queries
    assert "judged documents are not in the corpus" in data.warnings[-1]
