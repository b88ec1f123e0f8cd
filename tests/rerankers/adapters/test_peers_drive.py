"""The harnesses of others drive what `load()` returns: beir's Rerank and mteb's two-stage tasks, the real packages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from checkpoints import PARITY
from rerankbench.rerankers import InputError, LoadOptions, TextOptions, load

QUERIES = {"q1": "what is panda?", "q2": "train to basel"}
CORPUS = {
    "d1": {"title": "panda", "text": "the giant panda is a bear"},
    "d2": {"title": "", "text": "trains to basel leave every hour"},
    "d3": {"title": "bread", "text": "bread and butter"},
}


@pytest.fixture(scope="module")
def reranker() -> Any:
    return load(str(PARITY / "xlmr-s1"), LoadOptions(device="cpu", dtype="float32"))


def score(reranker: Any, query: str, doc: str) -> float:
    text = f"{CORPUS[doc]['title']} {CORPUS[doc]['text']}".strip()
    return float(reranker.predict([(QUERIES[query], text)])[0])


def test_beirs_rerank_takes_it(reranker: Any) -> None:
    rerank = pytest.importorskip("beir.reranking", reason="beir is not installed (extra beir)").Rerank
    first = {"q1": {"d1": 3.0, "d2": 2.0, "d3": 1.0}, "q2": {"d2": 2.0, "d3": 1.0}}
    found = rerank(reranker, batch_size=2).rerank(CORPUS, QUERIES, first, top_k=2)
    assert {query: set(docs) for query, docs in found.items()} == {"q1": {"d1", "d2"}, "q2": {"d2", "d3"}}
    for query, docs in found.items():
        for doc, value in docs.items():
            assert value == pytest.approx(score(reranker, query, doc), abs=1e-5)


@pytest.fixture(scope="module")
def mteb() -> Any:
    return pytest.importorskip("mteb", reason="mteb is not installed (pip install mteb)")


def test_it_is_one_of_mtebs_cross_encoders(mteb: Any, reranker: Any) -> None:
    assert isinstance(reranker, mteb.CrossEncoderProtocol)
    meta = reranker.mteb_model_meta
    assert meta.name == "rerankbench/xlmr-s1"
    assert len(meta.revision) == 40
    assert meta.model_type == ["cross-encoder"]


def test_mtebs_search_with_candidates_takes_it(mteb: Any, reranker: Any) -> None:
    from datasets import Dataset
    from mteb.models.search_wrappers import SearchCrossEncoderWrapper

    task = mteb.get_task("SciFact").metadata
    search: Any = SearchCrossEncoderWrapper(reranker)
    corpus = Dataset.from_list([{"id": doc, **texts} for doc, texts in CORPUS.items()])
    queries = Dataset.from_list([{"id": query, "text": text} for query, text in QUERIES.items()])
    about = {"task_metadata": task, "hf_split": "test", "hf_subset": "default", "encode_kwargs": {"batch_size": 2}}
    search.index(corpus, **about)
    top = {"q1": ["d1", "d3"], "q2": ["d2", "d3", "d1"]}
    found = search.search(queries, top_k=3, top_ranked=top, **about)
    for query, docs in top.items():
        assert set(found[query]) == set(docs)
        for doc in docs:
            assert found[query][doc] == pytest.approx(score(reranker, query, doc), abs=1e-5)


def test_loaders_of_different_lengths_are_refused(reranker: Any) -> None:
    one, two = [{"text": ["a", "b"]}], [{"text": ["c"]}]
    with pytest.raises(InputError, match="2 queries and 1 passages"):
        reranker.predict(inputs1=one, inputs2=two)
    with pytest.raises(InputError, match="holds image and no text"):
        reranker.predict(inputs1=one, inputs2=[{"image": [1, 2]}])
    with pytest.raises(InputError, match="give pairs, or inputs1 and inputs2"):
        reranker.predict([("a", "b")], inputs1=one, inputs2=one)
    found = reranker.predict(inputs1=one, inputs2=[{"text": ["c"]}, {"text": ["d"]}], hf_split="test")
    np.testing.assert_allclose(found, reranker.predict([("a", "c"), ("b", "d")]), atol=1e-5)
    assert reranker.identity(TextOptions())
