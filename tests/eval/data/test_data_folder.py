from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from beir_folder import CORPUS, QRELS, QUERIES, jsonl, write_beir
from rerankbench.eval.data import Dataset, load_dataset, load_policy, read_qrels
from rerankbench.rerankers.errors import InputError


@pytest.fixture
def load(tmp_path: Path):
    def _load(**files: str | bytes) -> Dataset:
        return load_dataset(str(write_beir(tmp_path / "toy", **files)), cache=tmp_path / "cache")

    return _load


def test_reads_a_beir_folder(load):
    data = load()
    assert data.name == "toy"
    assert data.queries == {"q1": "how to brew tea", "q2": "roasted coffee"}
    assert data.qrels == {"q1": {"d1": 2, "d3": 1}, "q2": {"d2": 1}}
    assert len(data) == 4
    assert data.warnings == []
    assert [doc for doc, _ in data.corpus()] == ["d1", "d2", "d3", "d4"]


def test_texts_come_in_the_order_asked_for_with_titles_joined(load):
    data = load()
    assert data.texts(["d3", "d1", "d3"]) == [
        "A kettle boils water for tea.",
        "Tea Green tea is brewed at eighty degrees.",
        "A kettle boils water for tea.",
    ]
    assert dict(data.corpus())["d1"] == data.texts(["d1"])[0]
    assert data.missing(["d4", "d9"]) == ["d9"]
    with pytest.raises(InputError, match="toy: document 'd9' is not in the corpus"):
        data.texts(["d1", "d9"])


def test_policy_file_is_read(load):
    data = load(policy="language: de\njoin: '{title}: {text}'\nremove_identical_ids: true\n")
    assert (data.policy.language, data.policy.remove_identical_ids) == ("de", True)
    assert data.texts(["d1", "d2"]) == ["Tea: Green tea is brewed at eighty degrees.", "Coffee beans are roasted."]


def test_index_is_reused_and_rebuilt_when_the_corpus_changes(load, tmp_path: Path):
    first = load()
    (index,) = (tmp_path / "cache" / "index").glob("*.sqlite")
    made = index.stat().st_mtime_ns
    assert load_dataset(str(tmp_path / "toy"), cache=tmp_path / "cache").checksum == first.checksum
    assert index.stat().st_mtime_ns == made
    changed = load(corpus=jsonl([*CORPUS, {"_id": "d5", "text": "new"}]))
    assert len(changed) == 5
    assert changed.texts(["d5"]) == ["new"]
    assert changed.checksum != first.checksum
    assert list((tmp_path / "cache" / "index").glob("*.sqlite")) == [index]


def test_damaged_index_is_rebuilt(load, tmp_path: Path):
    load()
    (index,) = (tmp_path / "cache" / "index").glob("*.sqlite")
    index.write_bytes(b"no database")
    reopened = load_dataset(str(tmp_path / "toy"), cache=tmp_path / "cache")
    assert reopened.texts(["d2"]) == ["Coffee beans are roasted."]


def test_an_index_that_gives_another_text_is_rebuilt(load, tmp_path: Path):
    load()
    (index,) = (tmp_path / "cache" / "index").glob("*.sqlite")
    with closing(sqlite3.connect(index)) as db, db:
        (place,) = db.execute("SELECT start, size FROM docs WHERE id = 'd1'")
        db.execute("UPDATE docs SET start = ?, size = ? WHERE id = 'd2'", place)
    reopened = load_dataset(str(tmp_path / "toy"), cache=tmp_path / "cache")
    assert reopened.texts(["d2"]) == ["Coffee beans are roasted."]


def test_nothing_is_left_of_an_index_that_failed(load, tmp_path: Path):
    with pytest.raises(InputError):
        load(corpus=jsonl(CORPUS) + "{")
    assert list((tmp_path / "cache" / "index").glob("*")) == []


@pytest.mark.parametrize("part", ["corpus", "queries", "qrels"])
def test_every_part_enters_the_checksum(load, part: str):
    good = load().checksum
    files = {
        "corpus": jsonl([{**CORPUS[0], "text": "other"}, *CORPUS[1:]]),
        "queries": jsonl([{**QUERIES[0], "text": "other"}, QUERIES[1]]),
        "qrels": QRELS.replace("d1\t2", "d1\t1"),
    }
    assert load(**{part: files[part]}).checksum != good


def test_order_of_queries_and_judgements_does_not_change_the_checksum(load):
    lines = QRELS.splitlines()
    shuffled = "\n".join([lines[0], *reversed(lines[1:])])
    assert load().checksum == load(queries=jsonl(QUERIES[::-1]), qrels=shuffled).checksum


@pytest.mark.parametrize(
    ("files", "warning"),
    [
        ({"qrels": QRELS + "q2\tgone\t1\n"}, "1 judged documents are not in the corpus (first: 'gone')"),
        (
            {"queries": jsonl([*QUERIES, {"_id": "q3", "text": "free"}])},
            "1 queries have no qrels and are not scored",
        ),
        ({"corpus": jsonl([*CORPUS, {"_id": "e", "title": " ", "text": ""}])}, "1 documents have neither title nor"),
    ],
)
def test_odd_but_allowed_is_counted(load, files: dict[str, str], warning: str):
    data = load(**files)
    assert len(data.warnings) == 1
    assert data.warnings[0].startswith(warning)
    assert set(data.queries) == {"q1", "q2"}


def test_empty_document_has_an_empty_text(load):
    assert load(corpus=jsonl([*CORPUS, {"_id": "e", "text": ""}])).texts(["e"]) == [""]


GOOD = jsonl(CORPUS)
BAD = {
    "truncated corpus": ({"corpus": GOOD + '{"_id": "d5", "te'}, "corpus.jsonl, line 5: ends inside a record"),
    "invalid JSON": ({"corpus": "{'_id': 1}\n" + GOOD}, "corpus.jsonl, line 1: not valid JSON"),
    "not an object": ({"corpus": GOOD + "[1]\n"}, "corpus.jsonl, line 5: expected a JSON object, found list"),
    "no _id": ({"corpus": '{"id": "x", "text": "t"}\n'}, "line 1: key '_id' is missing"),
    "no text": ({"corpus": '{"_id": "x", "contents": "t"}\n'}, "line 1: key 'text' is missing"),
    "text is null": ({"corpus": '{"_id": "x", "text": null}\n'}, "line 1: text must be a string, found NoneType"),
    "title is a list": ({"corpus": '{"_id": "x", "text": "", "title": ["a"]}\n'}, "line 1: title must be a string"),
    "blank in id": ({"corpus": '{"_id": "a b", "text": ""}\n'}, "line 1: _id 'a b' must be a string without blanks"),
    "empty id": ({"corpus": '{"_id": "", "text": ""}\n'}, "line 1: _id '' must be a string without blanks"),
    "duplicate document": ({"corpus": GOOD + GOOD}, "corpus.jsonl, line 5: document 'd1' was on line 1 already"),
    "corpus not UTF-8": ({"corpus": GOOD.encode() + b'{"_id": "\xff"}\n'}, "corpus.jsonl, line 5: not UTF-8"),
    "empty corpus": ({"corpus": "\n"}, "corpus.jsonl: has no document"),
    "empty queries": ({"queries": ""}, "queries.jsonl: has no query"),
    "duplicate query": ({"queries": jsonl([*QUERIES, QUERIES[0]])}, "line 3: query 'q1' comes twice"),
    "query not UTF-8": ({"queries": b'{"_id": "q1", "text": "\xe9"}\n'}, "queries.jsonl, line 1: not UTF-8"),
    "query without text": ({"queries": jsonl([{"_id": "q1", "text": " "}, QUERIES[1]])}, "1 judged queries have no"),
    "judged query unknown": (
        {"queries": jsonl(QUERIES[:1])},
        "1 judged queries are not among the queries (first",
    ),
    "empty qrels": ({"qrels": "query-id\tcorpus-id\tscore\n"}, "test.tsv: has no qrels"),
    "qrels with 2 columns": ({"qrels": "q1\td1\n"}, "test.tsv, line 1: 2 columns; qrels have 3"),
    "qrels change columns": ({"qrels": QRELS + "q2 0 d2 1\n"}, "test.tsv, line 5: 4 columns, the first line has 3"),
    "grade 0.5": ({"qrels": "q1\td1\t0.5\n"}, "test.tsv, line 1: grade '0.5' is not a whole number"),
    "grade in words": ({"qrels": QRELS + "q2\td4\tgood\n"}, "test.tsv, line 5: grade 'good' is not a whole number"),
    "two grades": ({"qrels": QRELS + "q1\td1\t1\n"}, "line 5: query q1, document d1 is judged 2 and 1"),
    "qrels not UTF-8": ({"qrels": b"q1\td\xe91\t1\n"}, "test.tsv, line 1: not UTF-8"),
    "policy misspelled": (
        {"policy": "langauge: de\n"},
        "unknown key 'langauge'; did you mean 'language'?",
    ),
    "policy no text": ({"policy": "language: no\n"}, "policy.yaml: language: must be a text, found false"),
    "policy no YAML": ({"policy": "a: [\n"}, "policy.yaml: not valid YAML"),
    "policy bad join": (
        {"policy": "join: '{titel} {text}'\n"},
        "join '{titel} {text}' may use {title} and {text}",
    ),
    "policy join without text": ({"policy": "join: '{title}'\n"}, "leaves the text out"),
    "other split": ({"policy": "split: dev\n"}, "dev.tsv: no such file; splits there: test"),
}


@pytest.mark.parametrize(("files", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line(load, files: dict[str, str | bytes], message: str):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load(**files)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
def test_missing_file(tmp_path: Path, file: str):
    folder = write_beir(tmp_path / "toy")
    (folder / file).unlink()
    with pytest.raises(InputError, match=re.escape(f"{folder / file}: no such file")):
        load_dataset(str(folder), cache=tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("beir/scifat", "dataset 'beir/scifat' is unknown and no folder; did you mean 'beir/scifact'?"),
        ("./nowhere", "dataset './nowhere': no such folder"),
    ],
)
def test_unknown_name(name: str, message: str):
    for function in (load_dataset, load_policy):
        with pytest.raises(InputError, match=re.escape(message)):
            function(name)


def test_cache_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="set RERANKBENCH_CACHE"):
        load_dataset(str(write_beir(tmp_path / "toy")), cache=tmp_path / "file")


@pytest.mark.parametrize(
    "text",
    [
        "query-id\tcorpus-id\tscore\nq\td\t1\nq\te\t-1\n",
        "q\td\t1\nq\te\t-1\n",
        "q 0 d 1\nq 0 e -1\n",
        "qid 0 docid rel\r\nq\t0\td\t1\r\n\r\nq Q0 e -1\r\n",
        "\ufeffquery_id\tcorpus_id\tscore\nq\td\t1\nq\td\t1\nq\te\t-1\n",
    ],
)
def test_layouts_of_qrels(tmp_path: Path, text: str):
    (tmp_path / "qrels").write_bytes(text.encode())
    assert read_qrels(tmp_path / "qrels") == {"q": {"d": 1, "e": -1}}


def test_number_as_id_is_taken_as_its_digits(load):
    data = load(corpus='{"_id": 7, "text": "seven"}\n', qrels="q1\t7\t1\nq2\t7\t0\n")
    assert data.texts(["7"]) == ["seven"]
    assert list(data.corpus()) == [("7", "seven")]
