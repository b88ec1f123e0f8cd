"""What every reranker has: `predict`, `rank`, `compute_score` as in the libraries they come from; equal pairs."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import PARITY
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.rerankers import CustomReranker, Group, InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.adapters.base import Reranker
from rerankbench.rerankers.adapters.custom import CustomAdapter
from rerankbench.rerankers.adapters.decoder import DecoderAdapter
from rerankbench.rerankers.adapters.pair_classifier import PairAdapter
from rerankbench.rerankers.adapters.text_encoder import TextEncoder
from rerankbench.rerankers.groups import gather

CPU = LoadOptions(device="cpu", dtype="float32")
QUERY, DOCUMENTS = "what is panda?", ["hi", "the giant panda is a bear", "hi", "train to basel"]
PAIRS = [[QUERY, document] for document in DOCUMENTS] + [["train to basel", "hi"], [QUERY, "china"]]


@pytest.fixture(scope="module")
def encoder() -> Any:
    return load(str(PARITY / "xlmr-s1"), CPU)


@pytest.fixture(scope="module")
def decoder() -> Any:
    return load(str(PARITY / "minicpm-layerwise-s1"), CPU)


@pytest.mark.parametrize("adapter", [DecoderAdapter, CustomAdapter, PairAdapter, TextEncoder])
def test_every_adapter_has_the_faces(adapter: type) -> None:
    assert issubclass(adapter, Reranker)


def test_predict_and_rank_are_those_of_a_cross_encoder(encoder: Any) -> None:
    from sentence_transformers import CrossEncoder

    theirs = CrossEncoder(str(PARITY / "xlmr-s1"), device="cpu", activation_fn=torch.nn.Identity())
    ours = encoder.predict(PAIRS, batch_size=2, show_progress_bar=False)
    np.testing.assert_allclose(ours, theirs.predict(PAIRS), rtol=0, atol=1e-4)
    assert ours.dtype == np.float32
    mine, known = (model.rank(QUERY, DOCUMENTS, top_k=3, return_documents=True) for model in (encoder, theirs))
    assert [{**one, "score": 0} for one in mine] == [{**one, "score": 0} for one in known]
    assert [one["score"] for one in mine] == pytest.approx([float(one["score"]) for one in known], abs=1e-4)


def test_names_of_a_cross_encoders_parameters_are_kept() -> None:
    from sentence_transformers import CrossEncoder

    theirs, ours = (list(inspect.signature(kind.rank).parameters)[:5] for kind in (CrossEncoder, Reranker))
    assert ours == theirs


def test_compute_score_is_flag_embeddings(encoder: Any) -> None:
    scores = encoder.compute_score(PAIRS)
    assert scores == encoder.predict(PAIRS).tolist()
    assert encoder.compute_score(PAIRS[1]) == pytest.approx([scores[1]], abs=1e-6)
    normal = encoder.compute_score(PAIRS, normalize=True)
    np.testing.assert_allclose(normal, torch.sigmoid(torch.tensor(scores)).tolist(), rtol=1e-6)


def test_settings_and_texts_by_name(decoder: Any) -> None:
    text = TextOptions(prompt="Is B about A?", max_length=32)
    groups, places = gather(PAIRS)
    expected = decoder.score(groups, [Setting(3)], text).scores[0][places]
    found = decoder.predict(PAIRS, setting="L3", prompt="Is B about A?", max_length=32)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(decoder.predict(PAIRS, setting=Setting(3), prompt=text.prompt, max_length=32), found)
    best = decoder.rank(QUERY, DOCUMENTS, setting="L3", prompt=text.prompt, max_length=32)[0]
    assert best["score"] == pytest.approx(float(found[best["corpus_id"]]), abs=1e-4)


def test_equal_scores_keep_the_given_order(encoder: Any) -> None:
    ranked = [hit["corpus_id"] for hit in encoder.rank(QUERY, ["hi", "hi", "hi"])]
    assert ranked == [0, 1, 2]


class Counting(CustomReranker):
    """Numbers the pairs that it is given, so that no two of its scores are equal."""

    version, name = "1", "counting"
    seen = 0

    def predict(self, pairs: list[tuple[str, str]]) -> list[int]:
        type(self).seen += len(pairs)
        return list(range(self.seen - len(pairs), self.seen))


ADAPTERS = {
    "pairs": str(PARITY / "xlmr-s1"),
    "decoder": str(PARITY / "minicpm-layerwise-s1"),
    "ModernBERT": str(PARITY / "modernbert-s1"),
    "custom": Counting(),
}


@pytest.fixture(scope="module")
def adapters() -> Any:
    return {name: load(model) if name == "custom" else load(model, CPU) for name, model in ADAPTERS.items()}


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(list(ADAPTERS)), documents=st.lists(st.sampled_from(DOCUMENTS), max_size=9))
def test_equal_passages_have_one_score(adapters: Any, name: str, documents: list[str]) -> None:
    asked, alone = [Group(QUERY, documents), Group("tea", documents[::-1])], adapters[name]
    scored = alone.score(asked, [Setting()], TextOptions())
    for start in (0, len(documents)):
        passages = asked[bool(start)].passages
        scores: dict[str, float] = {}
        for place, passage in enumerate(passages, start=start):
            assert scored.scores[0, place] == scores.setdefault(passage, scored.scores[0, place])
    if name != "custom":  # what a repeated pair would have cost is counted as shared
        distinct = alone.score(
            [Group(g.query, list(dict.fromkeys(g.passages))) for g in asked], [Setting()], TextOptions()
        )
        assert scored.executed.flops == distinct.executed.flops
        total = int((scored.query_tokens + scored.passage_tokens + scored.prompt_tokens).sum())
        assert scored.executed.real_tokens + scored.executed.shared_tokens == total


def test_nothing_to_score(encoder: Any) -> None:
    assert encoder.predict([]).shape == (0,)
    assert encoder.rank(QUERY, []) == []
    assert encoder.compute_score([]) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.predict("what is panda?"), "expected a list of .* pairs, found the text"),
        (lambda r: r.predict([["a", "b"], ["c"]]), r"pair 1: expected \[query, passage\]"),
        (lambda r: r.predict([["a", "b"], "cd"]), "pair 1: expected"),
        (lambda r: r.predict([["a", 3]]), "pair 0: expected"),
        (lambda r: r.predict(), "expected a list of"),
        (lambda r: r.predict(PAIRS, seting="L3"), "unknown keyword 'seting'; did you mean 'setting'"),
        (lambda r: r.predict(PAIRS, setting="L3x"), "setting 'L3x'"),
        (lambda r: r.predict(PAIRS, convert_to_tensor=True), "unknown keyword 'convert_to_tensor'"),
        (lambda r: r.rank(QUERY, "hi"), "rank: expected a list of passages, found one text"),
        (lambda r: r.rank(QUERY, ["hi", None]), "rank: passage 1 is NoneType"),
        (lambda r: r.rank([QUERY], ["hi"]), "rank: the query is list"),
        (lambda r: r.rank(QUERY, ["hi"], top_k=0), "top_k 0: must be at least 1"),
        (lambda r: Group(QUERY, "hi"), "expected a list of passages, found one text"),
        (lambda r: Group(None, ["hi"]), "the query is NoneType"),
    ],
)
def test_what_is_no_pair_is_refused(encoder: Any, call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(encoder)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=3)), max_size=12))
def test_gathered_pairs_come_back_in_order(pairs: list[tuple[str, str]]) -> None:
    groups, places = gather(pairs)
    flat = [(group.query, passage) for group in groups for passage in group.passages]
    assert [flat[place] for place in places] == pairs
    assert len({group.query for group in groups}) == len(groups)
