"""Tables of every shape give the same folder; what cannot be meant is one line and leaves nothing."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.cli import main
from rerankbench.eval.data import load_dataset
from rerankbench.eval.data.importing import import_data
from rerankbench.eval.data.rows import open_table
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.storage import atomic as whole_files

CORPUS = [
    {"docno": "d1", "headline": "Tea", "body": 'Brew "green" tea,\nat 80 degrees.'},
    {"docno": "d2", "headline": "", "body": "Kaffee wird geröstet."},
]
QUERIES = [{"qid": 1, "question": "tea?"}, {"qid": 2, "question": "röstet man Kaffee?"}]
QRELS = [{"qid": 1, "docno": "d1", "label": 2}, {"qid": 2, "docno": "d2", "label": 1}]
TOLD = {"corpus": {"id": "docno", "text": "body", "title": "headline"}}
Rows = list[dict[str, Any]]
ROWS: dict[str, Rows] = {"corpus": CORPUS, "queries": QUERIES, "qrels": QRELS}


def as_csv(folder: Path, name: str, rows: Rows) -> Path:
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_packed(folder: Path, name: str, rows: Rows) -> Path:
    path = folder / f"{name}.csv.gz"
    path.write_bytes(gzip.compress(as_csv(folder, name, rows).read_bytes()))
    return path


def as_jsonl(folder: Path, name: str, rows: Rows) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_parquet(folder: Path, name: str, rows: Rows) -> Path:
    pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def as_saved(folder: Path, name: str, rows: Rows) -> Path:
    datasets = pytest.importorskip("datasets", reason="folders that `datasets` saves")
    datasets.Dataset.from_list(rows).save_to_disk(str(folder / name), num_shards=2)
    return folder / name


def written(folder: Path, write: Callable[[Path, str, Rows], Path]) -> dict[str, Path]:
    folder.mkdir()
    return {kind: write(folder, kind, rows) for kind, rows in ROWS.items()}


@pytest.mark.parametrize("write", [as_csv, as_packed, as_jsonl, as_parquet, as_saved])
def test_every_shape_gives_the_same_dataset(write: Callable[..., Path], tmp_path: Path) -> None:
    done = import_data(tmp_path / "out" / "tea", written(tmp_path / "in", write), TOLD)
    assert (done.documents, done.queries, done.judgements, done.warnings) == (2, 2, 2, ())
    made = load_dataset(str(done.folder), cache=tmp_path / "cache")
    assert made.queries == {"1": "tea?", "2": "röstet man Kaffee?"}
    assert made.qrels == {"1": {"d1": 2}, "2": {"d2": 1}}
    assert made.texts(["d1", "d2"]) == ['Tea Brew "green" tea,\nat 80 degrees.', "Kaffee wird geröstet."]
    assert [path.name for path in done.folder.parent.iterdir()] == ["tea"]


def test_columns_by_number_and_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.tsv").write_text('d1\tsay "hi"\nd2\tb\n', encoding="utf-8")
    Path("q.tsv").write_text("1\thallo\n", encoding="utf-8")
    Path("j.tsv").write_text("1\t0\td1\t1\n", encoding="utf-8")
    words = "import-data de --corpus c.tsv --queries q.tsv --qrels j.tsv --corpus-columns id=1,text=2 --split dev"
    words += " --queries-columns id=1,text=2 --qrels-columns query=1,doc=3,grade=4 --language de --task same_meaning"
    monkeypatch.setattr("sys.argv", ["rerankbench", *words.split()])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code, capsys.readouterr().err
    assert capsys.readouterr().out == "de: 2 documents, 1 queries, 1 judgements\n"
    made = load_dataset("de", cache=tmp_path / "cache")
    assert (made.policy.split, made.policy.language, made.policy.task) == ("dev", "de", "same_meaning")
    assert made.texts(["d1"]) == ['say "hi"']


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("corpus", lambda rows: [*rows, rows[0]], "corpus.csv, record 4: id 'd1' comes twice"),
        ("corpus", lambda rows: [{**rows[0], "docno": "a b"}], "corpus.csv, record 2: id 'a b' must not"),
        ("queries", lambda rows: [{**rows[0], "question": " "}], "column 'question' must be a text, found ' '"),
        (
            "queries",
            lambda rows: [{"a": 1, "b": 2}],
            "is the id and which the text? Give --queries-columns id=NAME,text=NAME; it has a, b",
        ),
        ("qrels", lambda rows: [{**rows[0], "label": "1.5"}], "qrels.csv, record 2: grade '1.5' is not a whole number"),
        ("qrels", lambda rows: [{**rows[0], "label": ""}], "grade '' is not a whole number"),
        ("qrels", lambda rows: [{**rows[0], "label": 20000}], "grade 20000 is beyond 10,000"),
        ("qrels", lambda rows: [*rows, {**rows[0], "label": 1}], "query 1, document d1 is judged 2 and 1"),
        ("qrels", lambda rows: [{**rows[0], "qid": 9}], "9"),
    ],
)
def test_bad_tables_are_one_line_and_leave_nothing(
    kind: str, change: Callable[[Rows], Rows], told: str, tmp_path: Path
) -> None:
    tables = written(tmp_path / "in", as_csv)
    as_csv(tmp_path / "in", kind, change(ROWS[kind]))
    with pytest.raises(InputError) as err:
        import_data(tmp_path / "out" / "tea", tables, TOLD)
    assert told in str(err.value)
    assert "\n" not in str(err.value)
    assert ".tmp" not in str(err.value)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_there_stays(tmp_path: Path) -> None:
    tables = written(tmp_path / "in", as_csv)
    with pytest.raises(InputError, match="exists already"):
        import_data(tmp_path / "in", tables, TOLD)
    with pytest.raises(InputError, match=r"--corpus-columns texts=body: no such part; did you mean 'text'"):
        import_data(tmp_path / "out", tables, {"corpus": {"texts": "body"}})
    with pytest.raises(InputError, match=r"give \.csv, \.tsv"):
        open_table(as_csv(tmp_path, "x", QRELS).rename(tmp_path / "x.xls"))
    (tmp_path / "bad.csv").write_text('a,b\n"1,2\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"bad\.csv: not valid CSV"):
        list(open_table(tmp_path / "bad.csv").read(["a"]))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"bad\.parquet: cannot be read"):
        open_table(tmp_path / "bad.parquet")


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1), min_size=1, max_size=5))
def test_cells_come_back_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("cells")
    rows = [{"id": n, "text": text} for n, text in enumerate(texts)]
    for write in (as_csv, as_jsonl, as_parquet):
        table = open_table(write(folder, "t", rows))
        assert [text for (text,) in table.read(["text"])] == texts


def test_reading_by_turns_where_the_system_has_no_pread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(bytes(range(100)))
    with (tmp_path / "f").open("rb") as file:
        ours = [whole_files.read_at(file, 7, start) for start in (50, 0, 98)]
        monkeypatch.delattr("os.pread", raising=False)
        assert [whole_files.read_at(file, 7, start) for start in (50, 0, 98)] == ours
    assert ours == [bytes(range(50, 57)), bytes(range(7)), b"bc"]
