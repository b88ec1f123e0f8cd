from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.first_stage import read_run, run_writer, trec_order
from rerankbench.rerankers.errors import InputError

RUN = {"q1": {"d1": 1.5, "d2": 1.5, "d3": -0.25}, "q2": {"d1": 3.0}}
TREC = "q1 Q0 d2 1 1.5 x\nq1 Q0 d1 2 1.5 x\nq1 Q0 d3 3 -0.25 x\nq2 Q0 d1 1 3 x\n"
ids = st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="{["), min_size=1, max_size=6)
finite = st.floats(width=32, allow_nan=False, allow_infinity=False)


def write_run(path: Path, run: dict[str, dict[str, float]], tag: str) -> None:
    with run_writer(path, tag) as write:
        for query, scores in run.items():
            write(query, scores)


@pytest.mark.parametrize(
    "content",
    [
        TREC,
        TREC.replace(" ", "\t").replace("\n", "\r\n"),
        json.dumps(RUN),
        json.dumps({"eval_name": "beir", "model_name": "m", "split": "test", "search_results": RUN}, indent=4),
        json.dumps({"mteb_model_meta": {"model_name": "m", "revision": None}, "default": {"test": RUN}}),
    ],
    ids=["trec", "tabs", "beir", "flagembedding", "mteb"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_shapes_that_are_read(tmp_path: Path, content: str, packed: bool):
    file = tmp_path / "run"
    file.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert read_run(file) == RUN


BAD = {
    "empty": ("", "run: has no result"),
    "blank lines only": ("\n\n", "run: has no result"),
    "5 columns": ("q1 Q0 d1 1 1.5\n", "run, line 1: 5 columns; a TREC run has 6"),
    "blank in id": (TREC + "q1 Q0 d 4 1 0.5 x\n", "run, line 5: 7 columns"),
    "document twice": (TREC + "q1 Q0 d2 4 0.5 x\n", "run, line 5: document 'd2' comes twice for query 'q1'"),
    "score in words": (TREC + "q2 Q0 d7 2 high x\n", "run, line 5: score 'high' is not a number"),
    "NaN": (TREC + "q2 Q0 d7 2 nan x\n", "run, line 5: score 'nan' is not a finite number"),
    "infinity": (TREC + "q2 Q0 d7 2 -inf x\n", "run, line 5: score '-inf' is not a finite number"),
    "not UTF-8": (TREC.encode() + b"q2 Q0 \xff 2 1 x\n", "run, line 5: not UTF-8"),
    "gz cut off": (gzip.compress(TREC.encode())[:-4], "run: packed data is damaged"),
    "JSON cut off": (json.dumps(RUN)[:-3], "run, line 1: not valid JSON"),
    "JSON empty": ("{}", "run: has no result"),
    "JSON list": ("[1]", "run: expected a dictionary query -> document -> score, found list"),
    "JSON flat": ('{"q1": 0.5}', "run: query 'q1': expected a dictionary document -> score"),
    "JSON NaN": ('{"q1": {"d1": NaN}}', "query 'q1', document 'd1': score nan is not a finite number"),
    "JSON text score": ('{"q1": {"d1": "1"}}', "query 'q1', document 'd1': score '1' is not a finite number"),
    "JSON document twice": ('{"q1": {"d1": 1, "d1": 2}}', "run: 'd1' comes twice in one dictionary"),
    "mteb with two splits": (
        '{"mteb_model_meta": {}, "en": {"dev": {}, "test": {}}}',
        "has 2 runs (en/dev, en/test)",
    ),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD.keys())
def test_bad_run_is_one_line(tmp_path: Path, content: str | bytes, message: str):
    file = tmp_path / "run"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        read_run(file)
    assert "\n" not in str(caught.value)


def test_missing_run(tmp_path: Path):
    with pytest.raises(InputError, match="no such file"):
        read_run(tmp_path / "nowhere")


@given(st.dictionaries(ids, st.dictionaries(ids, finite, min_size=1, max_size=5), min_size=1, max_size=3))
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]]):
    file = tmp_path_factory.mktemp("run") / "run.trec.gz"
    write_run(file, run, "tag")
    again = {q: {doc: np.float32(score) for doc, score in docs.items()} for q, docs in read_run(file).items()}
    assert again == run
    first = file.read_bytes()
    write_run(file, {q: dict(reversed(docs.items())) for q, docs in run.items()}, "tag")
    assert file.read_bytes() == first


def test_written_lines(tmp_path: Path):
    write_run(tmp_path / "run.gz", {"q": {"a": 0.1, "b": 0.1, "c": 2}}, "me")
    text = gzip.decompress((tmp_path / "run.gz").read_bytes()).decode()
    assert text == "q Q0 c 1 2.0 me\nq Q0 b 2 0.1 me\nq Q0 a 3 0.1 me\n"
    assert [f.name for f in tmp_path.iterdir()] == ["run.gz"]


@given(st.dictionaries(ids, st.floats(-1, 1) | st.sampled_from([0.0, 0.5, 0.5 + 1e-12]), min_size=1, max_size=8))
def test_order_is_that_of_trec_eval(scores: dict[str, float]):
    order = trec_order(scores)
    assert {doc for doc, _ in order} == set(scores)
    assert all(score == float(np.float32(scores[doc])) for doc, score in order)
    for rank, (doc, _) in enumerate(order, 1):  # the reciprocal rank that trec_eval gives a document tells its place
        found = pytrec_eval.RelevanceEvaluator({"q": {doc: 1}}, {"recip_rank"}).evaluate({"q": scores})
        assert found["q"]["recip_rank"] == pytest.approx(1 / rank)
