"""Every golden score and every golden token id of the encoder; see parity/README.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rerankbench.rerankers import LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.tokenization.encoder_pairs import build_pairs

PARITY = Path(__file__).resolve().parents[1] / "parity"
MODEL = PARITY / "xlmr-s1"
PAIRS = json.loads((PARITY / "pairs.json").read_text(encoding="utf-8"))
CASES = json.loads((MODEL / "goldens.json").read_text(encoding="utf-8"))["cases"]
ENTRIES = json.loads((MODEL / "tokens.json").read_text(encoding="utf-8"))["entries"]


@pytest.fixture(scope="module")
def reranker():
    return load(str(MODEL), LoadOptions(device="cpu", dtype="float32"))


def groups(case) -> list[Group]:
    init = case.get("init", {})
    before_query, before_passage = init.get("query_instruction_for_rerank"), init.get("passage_instruction_for_rerank")
    return [Group((before_query or "") + q, [(before_passage or "") + p]) for q, p in PAIRS[case["pairs"]]]


def text_options(case) -> TextOptions:
    call = case["call"]
    truncation = "snippet" if case["api"] == "snippet" else "class"
    return TextOptions(None, call.get("max_length"), call.get("query_max_length"), truncation)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_scores(reranker, case):
    assert set(case["call"]) <= {"max_length", "query_max_length", "batch_size", "normalize"}
    found = reranker.score(groups(case), [Setting()], text_options(case)).scores[0]
    if case["call"].get("normalize"):
        found = 1 / (1 + np.exp(-found))
    np.testing.assert_allclose(found, case["scores"], rtol=0, atol=3e-4)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry['api']}-{entry['call']['max_length']}")
def test_token_ids(reranker, entry):
    text = reranker.plan.text.resolve(text_options(entry))
    found = build_pairs(reranker.tokenizer, groups(entry), text)
    assert found.ids == entry["input_ids"]
    scored = reranker.score(groups(entry), [Setting()], text_options(entry))
    assert list(scored.query_tokens + scored.passage_tokens) == [len(ids) for ids in entry["input_ids"]]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_stays_near_the_reference(dtype):
    case = CASES[0]
    found = load(str(MODEL), LoadOptions("cpu", dtype)).score(groups(case), [Setting()], TextOptions()).scores[0]
    spread = np.ptp(case["scores"])
    assert found.dtype == np.float32
    assert 0 < np.abs(found - case["scores"]).max() < 0.05 * spread
