"""Files as other programs write them: quotes, splits, packing, languages, names, and files that cannot fit."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from rerankbench.eval.api import evaluate
from rerankbench.eval.data import load_dataset, read_qrels
from rerankbench.eval.data.importing import import_data
from rerankbench.eval.data.languages import language_code
from rerankbench.eval.first_stage import read_run
from rerankbench.eval.runner.inputs import check_row_names
from rerankbench.rerankers.errors import InputError

RUN = 'q"1 Q0 d"1 1 2.0 x\nq"1 Q0 d2 2 1.0 x\n'


def write_folder(folder: Path, qrels: str, ids: tuple[str, ...] = ("d1", "d2"), **policy: Any) -> Path:
    (folder / "qrels").mkdir(parents=True)
    records = [json.dumps({"_id": name, "text": f"word{n} tea"}) for n, name in enumerate(ids)]
    (folder / "corpus.jsonl").write_text("\n".join(records) + "\n")
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "word0"}\n')
    (folder / "qrels" / "test.tsv").write_text(qrels)
    if policy:
        (folder / "policy.yaml").write_text(json.dumps(policy))
    return folder


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
def test_qrels_quoted_as_other_programs_write_them(tmp_path: Path, quoting: int) -> None:
    """Pandas and beir quote where they must, R's write.table everywhere."""
    frame = pd.DataFrame({"query-id": ['q"1', "q2"], "corpus-id": ['d"1', "d2"], "score": [1, 0]})
    frame.to_csv(tmp_path / "qrels.tsv", sep="\t", index=False, quoting=quoting)
    (tmp_path / "run.trec").write_text(RUN)
    assert read_qrels(tmp_path / "qrels.tsv") == {'q"1': {'d"1': 1}, "q2": {"d2": 0}}
    assert evaluate(tmp_path / "run.trec", tmp_path / "qrels.tsv", ["nDCG@10"]) == {"nDCG@10": 0.5}


def test_a_writer_that_does_not_quote_keeps_its_quotes(tmp_path: Path) -> None:
    (tmp_path / "qrels.tsv").write_text('query-id\tcorpus-id\tscore\n"q1"\td"1\t1\n')
    assert read_qrels(tmp_path / "qrels.tsv") == {'"q1"': {'d"1': 1}}


def test_grades_written_as_floats(tmp_path: Path) -> None:
    for name, text in (("a.tsv", "q\td\t1.0\n"), ("b.txt", "q 0 d 2.0\n"), ("c.txt", "q 0 d 2.\n")):
        (tmp_path / name).write_text(text)
    grades = [read_qrels(tmp_path / name) for name in ("a.tsv", "b.txt", "c.txt")]
    assert grades == [{"q": {"d": 1}}, {"q": {"d": 2}}, {"q": {"d": 2}}]
    (tmp_path / "d.txt").write_text("q 0 d 1.5\n")
    with pytest.raises(InputError, match=r"grade '1\.5' is not a whole number"):
        read_qrels(tmp_path / "d.txt")


def test_four_columns_that_nobody_can_tell_apart_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "qrels.tsv"
    file.write_text("q1\td1\t1\t1\nq1\td2\t0\t1\n")
    with pytest.raises(InputError, match="the documents would be 0, 1; name them in a first line"):
        read_qrels(file)
    file.write_text("query-id\tcorpus-id\tscore\titeration\nq1\td1\t1\t1\nq1\td2\t0\t1\n")
    assert read_qrels(file) == {"q1": {"d1": 1, "d2": 0}}
    file.write_text("q1 0 1 1\nq1 0 2 0\n")  # documents that are numbers, in TREC's columns
    assert read_qrels(file) == {"q1": {"1": 1, "2": 0}}


@pytest.mark.parametrize("query", ["{a1b2-c3}", "[1]", '{"q"}'])
def test_ids_in_braces_are_no_json(tmp_path: Path, query: str) -> None:
    (tmp_path / "run").write_text(f"{query} Q0 d1 1 3.5 bm25\n")
    assert {name: dict(docs) for name, docs in read_run(tmp_path / "run").items()} == {query: {"d1": 3.5}}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q1", "text": "word0"}\n')
    (tmp_path / "qrels.csv").write_text("query-id,corpus-id,score\nq1,d1,1\n")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d1", "text": "a"}\n{"_id": "d2", "title": "T", "text": "b"}\n')
    return {kind: next(tmp_path.glob(f"{kind}.*")) for kind in ("corpus", "queries", "qrels")}


def test_columns_of_all_records_count(tmp_path: Path, tables: dict[str, Path]) -> None:
    import_data(tmp_path / "out", tables, {})
    titles = [json.loads(line).get("title", "") for line in (tmp_path / "out/corpus.jsonl").read_text().splitlines()]
    assert titles == ["", "T"]


def test_files_of_several_splits(tmp_path: Path, tables: dict[str, Path]) -> None:
    (tmp_path / "qrels").mkdir()
    for split, document in (("train", "d2"), ("test", "d1")):
        rows = {"query-id": ["q1"], "corpus-id": [document], "score": [1]}
        parquet.write_table(pa.table(rows), tmp_path / "qrels" / f"{split}-00000-of-00001.parquet")
    tables["qrels"] = tmp_path / "qrels"
    import_data(tmp_path / "out", tables, {})
    assert read_qrels(tmp_path / "out/qrels/test.tsv") == {"q1": {"d1": 1}}
    with pytest.raises(InputError, match=r"has several splits \(test, train\); name one of them with --split"):
        import_data(tmp_path / "dev", tables, {}, split="dev")


def test_files_of_one_table_have_the_same_columns(tmp_path: Path, tables: dict[str, Path]) -> None:
    (tmp_path / "corpus").mkdir()
    for number, name in enumerate(("_id", "docid")):
        parquet.write_table(pa.table({name: ["d1"], "text": ["a"]}), tmp_path / "corpus" / f"part-{number}.parquet")
    with pytest.raises(InputError, match=r"part-1\.parquet: has the columns docid, text, part-0"):
        import_data(tmp_path / "out", {**tables, "corpus": tmp_path / "corpus"}, {})
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/state.json").write_text('{"_data_files": []}')
    with pytest.raises(InputError, match="has no file"):
        import_data(tmp_path / "out", {**tables, "corpus": tmp_path / "saved"}, {})


def test_an_import_that_fails_names_the_users_file(tmp_path: Path, tables: dict[str, Path]) -> None:
    tables["qrels"].write_text("query-id,corpus-id,score\nq1,d9,1\n")
    with pytest.raises(InputError, match=r"qrels\.csv: none of the 1 relevant documents is in the corpus"):
        import_data(tmp_path / "out", tables, {})
    assert not (tmp_path / "out").exists()


def test_where_only_0_can_come_out_it_is_an_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "other", "q1\td7\t1\nq1\td8\t0\n")
    with pytest.raises(InputError, match="none of the 1 relevant documents is in the corpus"):
        load_dataset(str(folder), cache=tmp_path / "cache")
    some = write_folder(tmp_path / "some", "q1\td7\t1\nq1\td1\t1\n")
    assert "1 judged documents are not in the corpus" in load_dataset(str(some), cache=tmp_path / "cache").warnings[0]
    with pytest.raises(InputError, match="none of the run's queries is judged"):
        evaluate({"q9": {"d1": 1.0}}, {"q1": {"d1": 1}})


@pytest.mark.parametrize(
    ("written", "code"),
    [("en", "en"), ("EN-us", "en"), ("en_GB", "en"), ("eng", "en"), ("English", "en"), ("deu", "de"), ("nb", "no"),
     ("zh-Hant", "zh"), ("Chinese", "zh"), ("fas", "fa"), ("Farsi", "fa"), ("gu", "gu")],
)  # fmt: skip
def test_languages_however_they_are_written(tmp_path: Path, written: str, code: str) -> None:
    assert language_code(written) == code
    folder = write_folder(tmp_path / "folder", "q1\td1\t1\n", language=written)
    assert load_dataset(str(folder), cache=tmp_path / "cache").policy.language == code


@pytest.mark.parametrize(("written", "told"), [("englsh", "did you mean 'english'"), ("xx", "ISO 639"), ("", "ISO")])
def test_an_unknown_language_is_refused(tmp_path: Path, written: str, told: str) -> None:
    with pytest.raises(InputError, match=rf"policy\.yaml: language '{written}' is unknown.*{told}"):
        load_dataset(str(write_folder(tmp_path / "folder", "q1\td1\t1\n", language=written)), cache=tmp_path / "cache")


def test_names_that_a_table_could_not_tell_apart() -> None:
    check_row_names([("a", None), ("b", "group"), ("c", "group")])
    for datasets, told in (
        ([("a", None), ("a", None)], "two of them are called 'a'"),
        ([("Mean", None)], "what tables call the mean"),
        ([("group", None), ("b", "group")], "'group' is a dataset and the group of 'b'"),
    ):
        with pytest.raises(InputError, match=told):
            check_row_names(datasets)


def test_a_linked_folder_is_called_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "release-7", "q1\td1\t1\n")
    (tmp_path / "mine").symlink_to(folder)
    assert load_dataset(str(tmp_path / "mine"), cache=tmp_path / "cache").name == "mine"
    monkeypatch.chdir(folder)
    assert load_dataset(".", cache=tmp_path / "cache").name == "release-7"


def test_packed_files_are_known_by_their_first_bytes(tmp_path: Path) -> None:
    text = b"q1 0 d1 1\n"
    for name, packed in (("gz", gzip.compress(text)), ("bz2", bz2.compress(text)), ("xz", lzma.compress(text))):
        (tmp_path / name).write_bytes(packed)
        assert read_qrels(tmp_path / name) == {"q1": {"d1": 1}}
    (tmp_path / "zst").write_bytes(b"(\xb5/\xfd" + text)
    with pytest.raises(InputError, match="is packed with zstd; unpack it"):
        read_qrels(tmp_path / "zst")
    folder = write_folder(tmp_path / "folder", "q1\td1\t1\n")
    (folder / "corpus.jsonl").write_bytes(gzip.compress((folder / "corpus.jsonl").read_bytes()))
    with pytest.raises(InputError, match=r"corpus\.jsonl: is packed with gzip"):
        load_dataset(str(folder), cache=tmp_path / "cache")
