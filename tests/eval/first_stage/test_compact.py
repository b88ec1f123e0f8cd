"""Runs in arrays: they are what dictionaries would be."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.eval.first_stage import compact
from rerankbench.eval.first_stage.compact import CompactRun
from rerankbench.eval.first_stage.runs import read_run
from rerankbench.rerankers.errors import InputError

IDS = st.text("abcdé字", min_size=1, max_size=5)
RUNS = st.dictionaries(IDS, st.dictionaries(IDS, st.floats(-1e6, 1e6), max_size=7), max_size=9)


@given(RUNS, st.integers(1, 4))
def test_compact_run_is_the_dictionary(run, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "_CHUNK", chunk)
        found = CompactRun.of((query, docs.items()) for query, docs in run.items())
    assert list(found) == list(run)
    assert len(found) == len(run)
    assert {query: dict(ranking) for query, ranking in found.items()} == run


@settings(max_examples=50, deadline=None)  # the first one imports
@given(RUNS, st.randoms(use_true_random=False))
def test_lines_of_a_run_may_come_in_any_order(tmp_path_factory, run, random):
    lines = [f"{q} Q0 {doc} 0 {score!r} tag" for q, docs in run.items() for doc, score in docs.items()]
    random.shuffle(lines)
    path: Path = tmp_path_factory.mktemp("run") / "run.trec"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if not lines:
        with pytest.raises(InputError, match="has no result"):
            read_run(path)
        return
    assert read_run(path) == {query: docs for query, docs in run.items() if docs}


def test_a_document_that_comes_twice_is_named_with_its_line(tmp_path: Path):
    path = tmp_path / "run.trec"
    path.write_text("a Q0 d1 1 3 t\nb Q0 d1 1 2 t\n\na Q0 d2 2 1 t\nb Q0 d2 1 1 t\na Q0 d1 3 0 t\n")
    with pytest.raises(InputError, match=r"line 6: document 'd1' comes twice for query 'a'"):
        read_run(path)
