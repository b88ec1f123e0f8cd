"""The built-in collection keeps what its README says about it."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import NamedTuple

import pytest
from rerankbench.configs import CONFIGS
from rerankbench.eval.data import load_dataset

LANGUAGES = ("de", "en", "es", "hi", "zh")
SETS = (*LANGUAGES, "everyday")
PASSAGE_WORDS = (40, 110)
PASSAGE_CHARACTERS_ZH = (80, 200)


class Collection(NamedTuple):
    folder: Path
    corpus: list[dict[str, str]]
    queries: list[dict[str, str]]
    judged: list[tuple[str, str, int]]


def read(language: str) -> Collection:
    folder = CONFIGS / "builtin" / language
    header, *rows = lines(folder / "qrels" / "test.tsv")
    assert header == "query-id\tcorpus-id\tscore"
    triples = [row.split("\t") for row in rows]
    return Collection(
        folder=folder,
        corpus=[json.loads(line) for line in lines(folder / "corpus.jsonl")],
        queries=[json.loads(line) for line in lines(folder / "queries.jsonl")],
        judged=[(query, doc, int(grade)) for query, doc, grade in triples],
    )


def lines(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8", errors="strict")
    assert text.endswith("\n")
    return text.removesuffix("\n").split("\n")


@pytest.fixture(params=SETS)
def collection(request: pytest.FixtureRequest) -> Collection:
    return read(request.param)


def test_sizes() -> None:
    assert sorted(p.parent.name for p in (CONFIGS / "builtin").glob("*/corpus.jsonl")) == sorted(SETS)
    sets = [read(name) for name in SETS]
    assert sum(len(s.corpus) for s in sets) >= 150
    assert sum(len(s.queries) for s in sets) >= 60


def test_ids_and_texts_are_unique_in_the_whole_collection() -> None:
    sets = [read(name) for name in SETS]
    passages = [p for s in sets for p in s.corpus]
    queries = [q for s in sets for q in s.queries]
    for values in (
        [record["_id"] for record in passages + queries],
        [record["text"] for record in passages + queries],
        [passage["title"] for passage in passages],
    ):
        assert len(values) == len(set(values))


def test_records_have_the_keys_of_beir_and_an_id_with_the_folder(collection: Collection) -> None:
    name = collection.folder.name
    assert all(p.keys() == {"_id", "title", "text"} and p["_id"].startswith(f"{name}-p") for p in collection.corpus)
    assert all(q.keys() == {"_id", "text"} and q["_id"].startswith(f"{name}-q") for q in collection.queries)


def test_judgements(collection: Collection) -> None:
    queries = {q["_id"] for q in collection.queries}
    passages = {p["_id"] for p in collection.corpus}
    pairs = [(query, doc) for query, doc, _ in collection.judged]
    assert len(pairs) == len(set(pairs))
    assert {query for query, _ in pairs} == queries
    assert {doc for _, doc in pairs} <= passages
    assert {grade for _, _, grade in collection.judged} == {0, 1, 2}
    for query in queries:
        grades = {grade for q, _, grade in collection.judged if q == query}
        assert {0, 2} <= grades, f"{query} needs an answer and a near miss"


def test_text_is_clean(collection: Collection) -> None:
    for record in collection.corpus + collection.queries:
        for value in record.values():
            assert value == value.strip()
            assert value
            assert "  " not in value
            assert unicodedata.is_normalized("NFC", value), record["_id"]
            # Cc control, Cf invisible, Co private, Cn unassigned
            assert not {unicodedata.category(c) for c in value} & {"Cc", "Cf", "Co", "Cn"}, record["_id"]


def test_length_of_passages(collection: Collection) -> None:
    chinese = collection.folder.name == "zh"
    low, high = PASSAGE_CHARACTERS_ZH if chinese else PASSAGE_WORDS
    for passage in collection.corpus:
        length = len(passage["text"]) if chinese else len(passage["text"].split())
        assert low <= length <= high, f"{passage['_id']}: {length}"


def test_loads_by_name_without_warnings(collection: Collection, tmp_path: Path) -> None:
    name = collection.folder.name
    dataset = load_dataset(f"builtin/{name}", cache=tmp_path)
    assert dataset.policy.language == (name if name in LANGUAGES else "en")
    assert dataset.warnings == []
    assert len(dataset) == dataset.policy.n_docs == len(collection.corpus)
    assert len(dataset.queries) == dataset.policy.n_queries == len(collection.queries)
    first = collection.corpus[0]
    assert dataset.texts([first["_id"]]) == [f"{first['title']} {first['text']}"]
