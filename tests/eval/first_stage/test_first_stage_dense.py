"""Dense retrieval: the store survives a kill, the search is exact, the model is used as its specification says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from beir_folder import CORPUS, QUERIES, jsonl, write_beir
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.eval.data import load_dataset
from rerankbench.eval.first_stage import dense_candidates, load_retriever, retrieve
from rerankbench.eval.first_stage.embeddings import EmbeddingStore
from rerankbench.eval.first_stage.retriever import EncoderSize, RetrieverSpec, list_retrievers
from rerankbench.eval.first_stage.runs import trec_order
from rerankbench.eval.first_stage.search import search
from rerankbench.rerankers.errors import InputError

SPEC = RetrieverSpec(
    name="fake", source="nowhere", revision="0" * 40, pooling="mean", query_max_length=32, passage_max_length=32
)


class Letters:
    """A text's vector counts its letters; every call is kept."""

    dimensions = 26

    def __init__(self, die_after: int | None = None) -> None:
        self.seen: list[str] = []
        self.die_after = die_after

    def encode(self, texts: Sequence[str], *, queries: bool) -> np.ndarray:
        if self.die_after is not None and len(self.seen) + len(texts) > self.die_after:
            raise KeyboardInterrupt
        self.seen += texts
        return np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)


def corpus(n: int) -> list[tuple[str, str]]:
    return [(f"doc-{i}", "abc"[i % 3] * (i % 7) + "x" * (i % 5)) for i in range(n)]


def fill(folder: Path, encoder: Letters, documents: list[tuple[str, str]], **identity: str) -> EmbeddingStore:
    store = EmbeddingStore(folder, identity, len(documents))
    store.fill(documents, encoder, "float32", block=10, progress=False)
    return store


def content(store: EmbeddingStore) -> tuple[np.ndarray, list[str]]:
    rows = np.concatenate([vectors for _, vectors in store.chunks(7)])
    return rows, store.ids(range(store.documents))


def test_continues_after_a_kill(tmp_path: Path):
    documents = corpus(53)
    whole = content(fill(tmp_path / "whole", Letters(), documents))
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "killed", Letters(die_after=35), documents)
    second = Letters()
    store = fill(tmp_path / "killed", second, documents)
    assert second.seen == [text for _, text in documents[30:]]
    assert np.array_equal(content(store)[0], whole[0])
    assert content(store)[1] == whole[1] == [doc for doc, _ in documents]
    assert store.complete


@pytest.mark.parametrize("cut", ["journal", "ids"])
def test_half_written_block_is_done_again(tmp_path: Path, cut: str):
    documents = corpus(40)
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "s", Letters(die_after=30), documents)
    journal = tmp_path / "s" / "journal.txt"
    if cut == "journal":  # killed inside the last line
        journal.write_bytes(journal.read_bytes()[:-2])
    else:  # killed between ids and journal
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-1]))
    second = Letters()
    store = fill(tmp_path / "s", second, documents)
    assert second.seen == [text for _, text in documents[20:]]
    assert content(store)[1] == [doc for doc, _ in documents]
    again = Letters()
    fill(tmp_path / "s", again, documents)
    assert again.seen == []


def test_other_identity_is_never_reused(tmp_path: Path):
    fill(tmp_path / "s", Letters(), corpus(20), pooling="cls")
    second = Letters()
    fill(tmp_path / "s", second, corpus(20), pooling="mean")
    assert len(second.seen) == 20


@pytest.mark.parametrize("name", ["vectors.npy", "ends.npy", "ids.txt", "journal.txt"])
def test_a_damaged_block_is_encoded_again(tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture):
    documents, flips = corpus(40), random.Random(3)
    store = fill(tmp_path, Letters(), documents)
    whole = content(store)
    for _ in range(25):
        path = tmp_path / name
        data = bytearray(path.read_bytes())
        data[flips.randrange(len(data))] ^= 1 << flips.randrange(8)
        path.write_bytes(data)
        again, store = Letters(), EmbeddingStore(tmp_path, {}, 40)
        caplog.clear()
        store.drop_damaged()
        assert len(caplog.records) == 1
        store.fill(documents, again, "float32", block=10, progress=False)
        assert 0 < len(again.seen) <= 40
        assert np.array_equal(content(store)[0], whole[0])
        assert content(store)[1] == whole[1]
    store.drop_damaged()
    assert len(caplog.records) == 1  # what is whole stays


def test_damaged_vectors_give_the_same_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    data = load_dataset(str(write_beir(tmp_path / "toy")))

    def candidates(folder: str):
        return dense_candidates(
            SPEC, data, 2, tmp_path / folder, device="cpu", make_encoder=lambda *_: Letters(), progress=False
        )

    first = candidates("a")
    (vectors,) = (tmp_path / "cache").glob("embeddings/*/vectors.npy")
    stored = np.load(vectors, mmap_mode="r+")
    stored[:] = stored[::-1].copy()
    stored.flush()
    assert candidates("b").hash == first.hash


@pytest.mark.parametrize("name", ["vectors.npy", "ids.txt", "journal.txt"])
def test_no_link_is_followed(tmp_path: Path, name: str):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / name).symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match=f"{name}: is a link"):
        fill(tmp_path / "s", Letters(), corpus(20))
    assert (tmp_path / "mine").read_text() == "mine"


def test_changed_corpus_is_told(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        fill(tmp_path / "s", Letters(die_after=15), corpus(40))
    with pytest.raises(InputError, match="line 4: the corpus has 'other' there"):
        fill(tmp_path / "s", Letters(), [*corpus(3), ("other", "x"), *corpus(40)[4:]])
    with pytest.raises(InputError, match="ended after 20 of 25 documents"):
        EmbeddingStore(tmp_path / "t", {}, 25).fill(corpus(20), Letters(), "float32", progress=False)
    with pytest.raises(InputError, match="more than the 15 documents"):
        EmbeddingStore(tmp_path / "u", {}, 15).fill(corpus(20), Letters(), "float32", progress=False)


@settings(max_examples=40, deadline=None)
@given(
    vectors=st.lists(st.tuples(*[st.integers(-2, 2)] * 3), min_size=1, max_size=30),
    queries=st.lists(st.tuples(*[st.integers(-2, 2)] * 3), min_size=1, max_size=4),
    k=st.integers(1, 12),
    chunk=st.integers(1, 11),
)
def test_search_is_exact_with_ties_in_trec_order(
    tmp_path_factory: pytest.TempPathFactory, vectors: list, queries: list, k: int, chunk: int
):
    class Given:
        dimensions = 3

        def encode(self, texts: Sequence[str], *, queries: bool) -> np.ndarray:
            return np.array([vectors[int(text)] for text in texts], dtype=np.float32)

    names = [f"d{i * 7 % 31}" for i in range(len(vectors))]  # not in order
    store = EmbeddingStore(tmp_path_factory.mktemp("s"), {}, len(vectors))
    store.fill([(name, str(i)) for i, name in enumerate(names)], Given(), "float16", progress=False)
    found = search(np.array(queries, dtype=np.float32), store, k, chunk_rows=chunk, progress=False)
    for query, scores in zip(queries, found, strict=True):
        everything = {name: float(np.dot(query, vector)) for name, vector in zip(names, vectors, strict=True)}
        assert trec_order(scores) == trec_order(everything)[:k]


def test_candidates_are_kept_and_the_query_itself_is_dropped_before_the_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    same = [{"_id": "d1", "text": CORPUS[0]["text"]}, QUERIES[1]]
    qrels = "query-id\tcorpus-id\tscore\nd1\td3\t1\nq2\td2\t1\n"
    policy = "remove_identical_ids: true\n"
    folder = write_beir(tmp_path / "toy", queries=jsonl(same), qrels=qrels, policy=policy)
    data, encoder = load_dataset(str(folder)), Letters()

    def candidates(spec: RetrieverSpec, k: int):
        return dense_candidates(
            spec, data, k, tmp_path / "c", device="cpu", make_encoder=lambda *_: encoder, progress=False
        )

    first = candidates(SPEC, 2)
    assert {q: len(docs) for q, docs in first.run.items()} == {"d1": 2, "q2": 2}
    assert "d1" not in dict(first.run["d1"])
    assert first.source["query_template"] == "{query}"
    calls = len(encoder.seen)
    assert candidates(SPEC, 2).hash == first.hash
    assert len(encoder.seen) == calls  # kept
    candidates(SPEC, 3)
    assert len(encoder.seen) == calls + 2  # the queries only: the corpus is encoded
    candidates(SPEC.model_copy(update={"pooling": "cls"}), 2)
    assert len(encoder.seen) == 2 * calls + 2


def test_every_retriever_is_well_formed_and_has_a_task_for_every_dataset():
    from rerankbench.eval.data import list_datasets

    names = [name for name in list_retrievers() if name != "bm25"]
    assert {"bge-large-en-v1.5", "bge-m3", "e5-mistral-7b-instruct", "all-minilm-l6-v2"} <= set(names)
    beir = [info for info in list_datasets() if info.name.startswith("beir/")]
    for spec in map(load_retriever, names):
        assert all("{task}" not in spec.query_format(info.name, info.policy) for info in beir)
    e5 = load_retriever("e5-mistral-7b-instruct")
    formats = {info.policy.group or info.name: e5.query_format(info.name, info.policy) for info in beir}
    assert len(formats) == 15
    assert len(set(formats.values())) == 15  # each row has its own
    assert formats["beir/scifact"].startswith("Instruct: Given a scientific claim, retrieve documents")
    assert formats["beir/scifact"].endswith("\nQuery: {query}")
    large = load_retriever("bge-large-en-v1.5")
    assert large.query_template == "Represent this sentence for searching relevant passages: {query}"
    bare = {info.name for info in beir if large.query_format(info.name, info.policy) == "{query}"}
    assert bare == {"beir/arguana", "beir/quora"}  # FlagEmbedding, research/C_MTEB/eval_MTEB.py
    assert all(large.query_template == large.query_format(i.name, i.policy) for i in beir if i.name not in bare)


def test_shape_counts_what_a_bert_layer_does():
    # 12 h^2 weights per layer: 24 h^2 s for the matrices, 4 s^2 h for scores and weighted sums
    assert EncoderSize(layers=2, hidden=8, weights_per_layer=12 * 64).flops(10) == 2 * (24 * 64 * 10 + 4 * 100 * 8)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source: x\npooling: mean\nquery_max_length: 9", "passage_max_length: is missing"),
        ("source: x\npoolin: mean", "poolin: unknown key; did you mean 'pooling'"),
        (
            "{source: x, pooling: mean, query_max_length: 9, passage_max_length: 9, query_template: hello}",
            "query_template must contain {query} once",
        ),
        (
            "{source: x, pooling: mean, query_max_length: 9, passage_max_length: 9, query_templates: {beir/nq: hello}}",
            "query_templates.beir/nq must contain {query} once",
        ),
        (
            "{source: x, pooling: mean, query_max_length: 9, passage_max_length: 9, query_template: '{task} {query}'}",
            "go together",
        ),
    ],
)
def test_bad_specification(tmp_path: Path, text: str, message: str):
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_retriever(str(tmp_path / "bad.yaml"))
    assert "\n" not in str(caught.value)


def test_unknown_names(tmp_path: Path):
    with pytest.raises(InputError, match="'bge-m4' is unknown; did you mean 'bge-m3'"):
        retrieve("bge-m4", load_dataset("builtin/en", cache=tmp_path), 3, tmp_path)
    spec = SPEC.model_copy(update={"query_template": "{task}: {query}", "tasks": {"beir/nq": "x"}})
    with pytest.raises(InputError, match="has no task for 'builtin/en'"):
        dense_candidates(spec, load_dataset("builtin/en", cache=tmp_path), 3, tmp_path)
