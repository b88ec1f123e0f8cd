"""Late interaction against sentence-transformers' MultiVectorEncoder: ids exactly, scores, and FLOPs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answering import make_late, make_pylate
from checkpoints import PARITY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rerankbench.rerankers import flops
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.options import TextOptions
from rerankbench.rerankers.registry import find_spec, load, load_spec, shape_of
from rerankbench.rerankers.settings import Setting
from torch.utils.flop_counter import FlopCounterMode

sentence_transformers = pytest.importorskip("sentence_transformers", minversion="6.1")
pytestmark = pytest.mark.filterwarnings("ignore")
FULL = [Setting()]
QUERY = "what is the quiet river?"
PASSAGES = ["a river runs over stone.", "green, green paper", "the moon " * 30, "?!", "lamp"]
EXPANSION = {"strategy": "fixed", "length": 16}
SAVED: dict[str, dict[str, Any]] = {
    "plain": {},
    "fixed": {"query_expansion": EXPANSION, "document_length": 20, "skiplist_words": [".", ",", "no such word"]},
    "attended": {"query_expansion": {**EXPANSION, "attend": True}, "prompts": {"query": "lamp ", "document": "moon "}},
    "least": {"query_expansion": {"strategy": "min", "length": 6, "token": "[SEP]"}, "query_length": 9},
    "mean": {"similarity_fn_name": "meanmaxsim", "query_length": 5},
}
# a word that the vocabulary has: what it lacks means the unknown token to PyLate, and nothing to sentence-transformers
DOT = {"skiplist_words": ["."]}
OLD: dict[str, dict[str, Any]] = {
    "markers": {
        "query_prefix": "[unused0]",
        "document_prefix": "[D] ",
        "query_length": 12,
        "document_length": 24,
        **DOT,
    },
    "no-expansion": {"do_query_expansion": False, "query_length": 7, "query_prefix": "river ", "skiplist_words": [","]},
    "attending": {"attend_to_expansion_tokens": True, "query_length": 10, **DOT},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("late")
    for name, knobs in SAVED.items():
        make_late(root / name, "modernbert" if name == "attended" else "bert", **knobs)
    for name, stated in OLD.items():
        make_pylate(root / name, **stated)
    return {name: root / name / "saved" if name in SAVED else root / name for name in [*SAVED, *OLD]}


@pytest.mark.parametrize("name", [*SAVED, *OLD])
def test_ids_and_scores_are_those_of_the_library(folders: dict[str, Path], name: str):
    theirs = sentence_transformers.MultiVectorEncoder(str(folders[name]), device="cpu")
    reranker = load(str(folders[name]), device="cpu")
    assert reranker.plan.adapter == "late-interaction/1"
    queries, passages = reranker.prepare([Group(QUERY, PASSAGES)], TextOptions()).tokens
    for task, texts, ours in (("query", [QUERY], queries), ("document", PASSAGES, passages)):
        prompts = [task] if task == "query" else ["document", "passage", "corpus"]
        prompt = next((theirs.prompts[key] for key in prompts if theirs.prompts.get(key)), None)
        for text in texts:
            features = theirs.preprocess([text], prompt=prompt, task=task)
            assert list(ours[text].ids) == features["input_ids"][0].tolist(), text
            assert ours[text].seen == int(features["attention_mask"].sum())
    expected = theirs.similarity(theirs.encode_query([QUERY]), theirs.encode_document(PASSAGES))[0].cpu().numpy()
    scored = reranker.score([Group(QUERY, PASSAGES)], FULL, TextOptions())
    np.testing.assert_allclose(scored.scores[0], expected, rtol=0, atol=3e-4)


def test_scores_are_those_of_pylate():
    """Its default list of skipped punctuation, which the small vocabulary lacks: the unknown token is skipped."""
    golden = json.loads((PARITY / "pylate-s1" / "goldens.json").read_text())
    reranker = load(str(PARITY / "pylate-s1"), device="cpu")
    scores = reranker.predict([(golden["query"], passage) for passage in golden["passages"]])
    np.testing.assert_allclose(scores, golden["scores"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["fixed", "attended"])
def test_flops_are_those_of_the_counter_and_less_with_the_cache(folders: dict[str, Path], name: str):
    eager = {"attn_implementation": "eager"}  # the counter does not see the CPU's fused attention
    theirs = sentence_transformers.MultiVectorEncoder(str(folders[name]), device="cpu", model_kwargs=eager)
    reranker = load(str(folders[name]), device="cpu")
    scored = reranker.score([Group(QUERY, PASSAGES)], FULL, TextOptions())
    counts = (scored.query_tokens, scored.passage_tokens, scored.prompt_tokens)
    assert scored.prompt_tokens.tolist()[:2] == ([1, 1] if name == "fixed" else [0, 0])  # a stop, a comma
    expected = []
    for passage in PASSAGES:
        with FlopCounterMode(display=False) as counter:
            theirs.similarity(theirs.encode_query([QUERY]), theirs.encode_document([passage]))
        expected.append(counter.get_total_flops())
    reference = flops.reference(reranker.shape, Setting(), *counts)
    assert reference.tolist() == expected
    assert flops.useful(reranker.shape, Setting(), *counts).tolist() == expected
    products = [2 * 16 * int(q) * int(p) for q, p in zip(counts[0], counts[1])]
    with FlopCounterMode(display=False) as counter:
        theirs.encode_query([QUERY])
    query = counter.get_total_flops()
    assert scored.executed.flops == sum(expected) - (len(PASSAGES) - 1) * query  # the query is encoded once
    again = reranker.score([Group(QUERY, PASSAGES)], FULL, TextOptions())
    assert again.executed.flops == sum(products)
    np.testing.assert_array_equal(again.scores, scored.scores)


@pytest.fixture(scope="module")
def reranker(folders: dict[str, Path]) -> Any:
    return load(str(folders["fixed"]), device="cpu")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text("river ton,.?é", max_size=40), min_size=1, max_size=6))
def test_a_score_depends_on_its_pair_alone(reranker: Any, texts: list[str]):
    together = reranker.score([Group(QUERY, texts)], FULL, TextOptions()).scores[0]
    reranker.cache.limit = 0  # nothing is kept
    alone = [reranker.score([Group(QUERY, [text])], FULL, TextOptions()).scores[0][0] for text in texts]
    kept, reranker.cache = reranker.cache, None  # as on a GPU, where texts of one length share a pass
    batched = reranker.score([Group(QUERY, texts)], FULL, TextOptions()).scores[0]
    reranker.cache = kept
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_allclose(batched, alone, rtol=0, atol=1e-4)


def test_what_cannot_be_run_is_one_line(folders: dict[str, Path], reranker: Any):
    with pytest.raises(InputError, match="its queries always have 16 tokens; leave out query_max_length 9"):
        reranker.score([Group("a", ["b"])], FULL, TextOptions(query_max_length=9))
    with pytest.raises(InputError, match="runs at full depth only"):
        reranker.score([Group("a", ["b"])], [Setting(1)], TextOptions())
    for family in ("bi-encoder", "cross-encoder", "sequence-classification", "modern-encoder"):
        spec = find_spec(str(folders["plain"]))
        with pytest.raises(InputError):
            load(type(spec)("x", family, spec.source), device="cpu")


def test_a_registered_model_has_a_shape():
    shape = shape_of(load_spec("gte-moderncolbert-v1"))
    assert shape is not None
    assert shape.across == 2 * 128
    body = shape_of(load_spec("gte-reranker-modernbert-base"))  # the same encoder
    assert body is not None
    assert shape.layer.rest == body.layers * body.layer.per_token + 2 * 768 * 128
    assert shape.layer.attention == body.layers * body.layer.attention
