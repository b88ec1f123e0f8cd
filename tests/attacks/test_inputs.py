"""Files that somebody else wrote: read right, or refused in one line that names the file."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from attack import cli, on_disk
from beir_folder import CORPUS, QRELS, QUERIES, jsonl, write_beir
from conftest import Trial
from rerankbench.eval.data.archive import fetch_archive
from rerankbench.eval.first_stage.tokens import Tokenizer
from rerankbench.rerankers import InputError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi")
)
YAML = {
    "alias bomb": BOMB,
    "alias of itself": "name: &a [*a]",
    "deep": "name: " + "[" * 100_000,
    "deep blocks": "\n".join(" " * i + "a:" for i in range(1000)),
    "a key twice": "name: x\nname: y",
    "5000 digits": "first_stage: {k: " + "9" * 5000 + "}",
    "not finite": "first_stage: {tolerance: .inf}",
    "sexagesimal": "first_stage: {k: 1:40}",
    "surrogate": 'name: "\\ud800"',
    "NUL": 'datasets: ["\\0"]',
    "a tag": "name: !!python/object/apply:os.system [true]",
    "binary": "name: !!binary aGk=",
    "a list as key": "? [1]\n: 2",
    "two documents": "name: a\n---\nname: b",
    "a list": "- a",
    "nothing": "",
    "control": "name: \x1b[31m",
    "not UTF-8": b"\xff\xfe\x00",
    "too long": "name: " + "x" * (2 << 20),
    "date as a number": "first_stage: {k: 2024-01-01}",
}


@pytest.mark.parametrize("name", YAML)
@pytest.mark.parametrize("kind", ["experiment", "policy", "model"])
def test_yaml(fresh: Trial, kind: str, name: str) -> None:
    content = YAML[name] if isinstance(YAML[name], bytes) else YAML[name].encode()
    place = {
        "experiment": fresh.experiment,
        "policy": fresh.folder / "data" / "policy.yaml",
        "model": fresh.folder / "mine.yaml",
    }[kind]
    if kind == "model":
        fresh.write(rerankers=[{"model": str(place)}])
    place.write_bytes(content)
    before = on_disk(fresh.folder)
    fresh.run().refused(str(place))
    assert {k: v for k, v in on_disk(fresh.folder).items() if not k.startswith("out/.")} == before


@pytest.mark.parametrize(
    "value",
    [
        "=1",
        "a",
        "..=1",
        "rerankers.²=1",
        "rerankers.99999999999999999999=1",
        "rerankers.0.x=1",
        "name.x=1",
        "name=[",
        "k\0=1",
    ],
)
def test_set(fresh: Trial, value: str) -> None:
    fresh.run("--set", value).refused()
    assert not fresh.out.exists()


@pytest.mark.parametrize(
    "join",
    [
        "{title.__class__} {text}",
        "{text:>999999999}",
        "{text!r}",
        "{0} {text}",
        "{title[0]} {text}",
        "{title}",
        "{text",
        "{}",
    ],
)
def test_joins(fresh: Trial, join: str) -> None:
    (fresh.folder / "data" / "policy.yaml").write_text(json.dumps({"join": join}))
    fresh.run().refused("policy.yaml", "join")


def corpus(**change: object) -> str:
    return jsonl([*CORPUS, {"_id": "d9", "text": "x", **change}])


DATA = {
    "a surrogate in an id": ("corpus", corpus(_id="d\ud800").replace("d\ud800", "d\\ud800"), "line 5"),
    "a surrogate in a text": ("corpus", corpus(text="MARK").replace("MARK", "\\udfff"), "line 5"),
    "a surrogate in a title": ("corpus", corpus(title="MARK").replace("MARK", "\\udfff"), "line 5"),
    "a surrogate in a query": ("queries", jsonl(QUERIES).replace("roasted", "\\ud83d"), "line 2"),
    "NUL in an id": ("corpus", corpus(_id="d\0"), "line 5"),
    "a blank in an id": ("corpus", corpus(_id="d 9"), "line 5"),
    "deep": ("corpus", "[" * 100_000, "line 1"),
    "5000 digits": ("corpus", '{"_id": ' + "9" * 5000 + ', "text": "x"}', "line 1"),
    "a bad gz": ("qrels", b"\x1f\x8b\x08" + bytes(50), "test.tsv"),
    "a grade of 2^31": ("qrels", QRELS + "q2\td2\t2147483648\n", "line 5"),
    "a grade of 5000 digits": ("qrels", QRELS + "q2\td2\t" + "9" * 5000 + "\n", "line 5"),
    "a blank in a TSV": ("qrels", QRELS + "q 2\td2\t1\n", "line 5"),
    "an unknown header": ("qrels", "query-id\tcolour\tname\nq1\td1\t1\n", "header"),
}


@pytest.mark.parametrize("name", DATA)
def test_datasets(fresh: Trial, name: str) -> None:
    part, content, word = DATA[name]
    write_beir(fresh.folder / "data", **{part: content})
    fresh.run().refused(str(fresh.folder / "data"), word)
    assert not list(fresh.out.glob("cells/*"))


@pytest.mark.parametrize("part", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file(fresh: Trial, part: str, kind: str) -> None:
    path = fresh.folder / "data" / part
    path.unlink()
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    fresh.run().refused(str(path))


def test_a_byte_order_mark_is_read(trial: Trial) -> None:
    table = trial.run().out
    for part in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        path = trial.folder / "data" / part
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert trial.run().well().out == table


RUN = "1 Q0 1239 1 9 t\n1 Q0 4462 2 8 t\n2 Q0 77 1 5 t\n"
ROWS = [("1", "1239", "1", "0"), ("1", "1502", "1", "0"), ("1", "4462", "0", "0"), ("2", "77", "1", "0")]


def evaluate(folder: Path, run: str | bytes, qrels: str, *more: str):
    (folder / "run").write_bytes(run if isinstance(run, bytes) else run.encode())
    (folder / "qrels").write_text(qrels)
    return cli("evaluate", folder / "run", "--qrels", folder / "qrels", "--metrics", "nDCG@10", *more)


@pytest.mark.parametrize(
    ("head", "order"),
    [
        ("query-id corpus-id score", (0, 1, 2)),
        ("query_id doc_id relevance iteration", (0, 1, 2, 3)),
        ("query-id score corpus-id", (0, 2, 1)),
        ("iteration relevance docno topic", (3, 2, 1, 0)),
        ("", (0, 1, 2)),
        ("", (0, 3, 1, 2)),
        ("", (0, 1, 2, 3)),
    ],
)
@pytest.mark.parametrize("blank", ["\t", " "])
def test_columns_of_judgements(tmp_path: Path, head: str, order: tuple[int, ...], blank: str) -> None:
    lines = [blank.join(head.split()), *(blank.join(row[i] for i in order) for row in ROWS)]
    done = evaluate(tmp_path, RUN, "\n".join(line for line in lines if line) + "\n").well()
    assert "nDCG@10\tall\t0.8066" in done.out  # by hand: (1 / (1 + 1/log2(3)) + 1) / 2


QREL = "1 0 1239 1\n2 0 77 1\n"
RUNS = {
    "a surrogate as document": '{"1": {"\\ud800": 1.0}}',
    "a surrogate as query": '{"\\ud800": {"d": 1.0}}',
    "NUL as document": '{"1": {"d\\u0000": 1.0}}',
    "a blank in a document": '{"1": {"a b": 1.0}}',
    "an integer of 5000 digits": '{"1": {"d": ' + "9" * 5000 + "}}",
    "deep": '{"1": ' * 100_000,
    "no number": '{"1": {"d": true}}',
    "NaN": '{"1": {"d": NaN}}',
    "a dictionary less": '{"1": [1]}',
    "infinity": "1 Q0 d 1 inf t",
    "400 digits": "1 Q0 d 1 1" + "0" * 400 + " t",
    "NUL": "1 Q0 d\0 1 1.0 t",
    "not UTF-8": b"1 Q0 \xff 1 1.0 t",
    "a surrogate in UTF-8": b"1 Q0 \xed\xa0\x80 1 1.0 t",
    "five columns": "1 Q0 d 1 1.0",
}


@pytest.mark.parametrize("name", RUNS)
def test_runs(tmp_path: Path, name: str) -> None:
    evaluate(tmp_path, RUNS[name], QREL).refused(str(tmp_path / "run"))


@pytest.mark.parametrize("score", ["-1.7976931348623157e+308", "3.5e38"])
def test_scores_beyond_float32_stay_in_order(fresh: Trial, score: str, recwarn: pytest.WarningsRecorder) -> None:
    run = fresh.folder / "other.trec"
    run.write_text(f"q1 Q0 d1 1 0.5 t\nq1 Q0 d2 2 {score} t\nq2 Q0 d2 1 1 t\n")
    fresh.write(first_stage={"run": str(run)})
    fresh.run().well()
    fresh.run().well()
    assert not [warning for warning in recwarn if "overflow" in str(warning.message)]


@pytest.mark.parametrize("metric", ["nDCG@99999999999999", "nDCG@" + "9" * 5000, "R@0", "P(rel=x)@5"])
def test_cutoffs(tmp_path: Path, metric: str) -> None:
    evaluate(tmp_path, RUN, QREL, "--metrics", metric).refused("metric")


@pytest.mark.parametrize(
    "call",
    [
        ("flops", "bge-reranker-base", "--passage-tokens"),
        ("flops", "bge-reranker-base", "--query-tokens"),
        ("plan", "quickstart", "--limit"),
        ("plan", "quickstart", "--passage-tokens"),
        ("run", "quickstart", "--limit"),
        ("run", "quickstart", "--sample"),
    ],
)
@pytest.mark.parametrize("number", ["-1", "9" * 12, "9" * 20, "9" * 5000])
def test_numbers_beyond_64_bits(tmp_path: Path, call: tuple[str, ...], number: str) -> None:
    cli(*call, number, *(("--out", tmp_path / "out") if call[0] == "run" else ())).refused(call[-1])
    assert not (tmp_path / "out").exists()


def test_turkish_letters() -> None:
    words = Tokenizer("tr")
    assert words("ISPARTA IŞIK") == words("ısparta ışık")
    assert words("İZMİR İYİ") == words("izmir iyi")
    assert words("ISPARTA") != words("isparta")
    assert Tokenizer("en")("ISPARTA") == Tokenizer("en")("isparta")


@pytest.mark.parametrize("kind", ["bomb", "bad CRC"])
def test_archives(tmp_path: Path, kind: str) -> None:
    import hashlib

    source = tmp_path / "x.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED if kind == "bomb" else zipfile.ZIP_STORED) as archive:
        archive.writestr("corpus.jsonl", bytes(20 << 20) if kind == "bomb" else b"plain text " * 50)
    data = source.read_bytes()
    if kind == "bad CRC":
        source.write_bytes(data.replace(b"plain text", b"other text", 1))
    md5 = hashlib.md5(source.read_bytes()).hexdigest()
    with pytest.raises(InputError):
        fetch_archive([source.as_uri()], md5, tmp_path / "cache" / "x")
    assert not (tmp_path / "cache" / "x").exists()
