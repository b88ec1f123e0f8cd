"""The packed encoder against transformers, and what must not change a score."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from checkpoints import change, make
from counting import flop_counter
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.rerankers import LoadOptions, ScoreError, Setting, TextOptions, load
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.models.heads import PooledHead
from rerankbench.rerankers.models.ops import Ops
from rerankbench.rerankers.models.packed import Packed

EXACT = LoadOptions("cpu", "float32")
PAIRS = [
    ("the river", "a stone runs over the quiet lamp"),
    ("", "green paper"),
    ("moon bread", ""),
    ("", ""),
    ("the a of the a of " * 30, "window seven night"),
    ("seven", "river of stone, " * 60),
    ("Night?", "NIGHT. \u4f60\u597d \u200b caf\u00e9 \U0001f600 " * 3),
    ("window", "<pad> moon <s> </s> [SEP] bread"),
]
GROUPS = [Group(q, [p]) for q, p in PAIRS]


@pytest.fixture(scope="module", params=["bert", "xlm-roberta"])
def both(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return make(folder, request.param), load(str(folder), EXACT)


def reference(model, reranker, ids, types) -> float:
    """What transformers computes for one sequence."""
    tokens = torch.tensor([ids])
    kinds = torch.tensor([types]) if types else None
    with torch.no_grad():
        return model(tokens, attention_mask=torch.ones_like(tokens), token_type_ids=kinds).logits.item()


@pytest.mark.parametrize("truncation", ["class", "snippet"])
@pytest.mark.parametrize("max_length", [16, 64, 128])
def test_equal_to_transformers(both, truncation, max_length):
    from rerankbench.rerankers.tokenization.encoder_pairs import build_pairs

    model, reranker = both
    text = TextOptions(max_length=max_length, truncation=truncation)
    found = reranker.score(GROUPS, [Setting()], text).scores[0]
    pairs = build_pairs(reranker.tokenizer, GROUPS, reranker.plan.text.resolve(text))
    bert = reranker.encoder.config.head == "bert"
    expected = [reference(model, reranker, ids, pairs.types(i) if bert else None) for i, ids in enumerate(pairs.ids)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_snippet_ids_are_those_of_the_tokenizer_on_pairs(both):
    from rerankbench.rerankers.tokenization.encoder_pairs import build_pairs
    from transformers import PreTrainedTokenizerFast

    _, reranker = both
    names = {"clean_up_tokenization_spaces": False, "model_input_names": ["input_ids", "token_type_ids"]}
    theirs = PreTrainedTokenizerFast(tokenizer_file=str(reranker.files.folder / "tokenizer.json"), **names)
    for length in (7, 8, 9, 33, 128):
        text = reranker.plan.text.resolve(TextOptions(max_length=length, truncation="snippet"))
        expected = theirs([list(pair) for pair in PAIRS], truncation=True, max_length=length, padding=False)
        found = build_pairs(reranker.tokenizer, GROUPS, text)
        assert found.ids == expected["input_ids"]
        if reranker.encoder.config.head == "bert":
            assert [found.types(i) for i in range(len(PAIRS))] == expected["token_type_ids"]


def test_pair_that_cannot_be_cut_stays_long(both):
    # prepare_for_model(truncation="only_second") cuts nothing when the passage is not longer than the excess
    from rerankbench.rerankers.tokenization.encoder_pairs import build_pairs

    _, reranker = both
    text = TextOptions(max_length=20, query_max_length=20)
    long, short = "the a of the a of " * 30, "the river"
    filled = reranker.plan.text.resolve(text)
    (ids,) = build_pairs(reranker.tokenizer, [Group(long, [short])], filled).ids
    special = reranker.tokenizer.pair_template().special
    assert len(ids) == 20 + special + len(reranker.tokenizer.ids([short])[0]) > 20
    assert np.isfinite(reranker.score([Group(long, [short])], [Setting()], text).scores).all()


def test_too_long_for_the_positions_is_an_error(both):
    _, reranker = both
    with pytest.raises(InputError, match="128 positions; use max_length 128 or less"):
        reranker.score([Group("the", ["river " * 300])], [Setting()], TextOptions(max_length=512))


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(range(len(PAIRS))),
    size=st.integers(1, len(PAIRS)),
    budget=st.sampled_from([1, 40, 150, 100_000]),
)
def test_score_depends_on_its_pair_alone(both, order, size, budget):
    _, reranker = both
    text = TextOptions(max_length=96)
    alone = [reranker.score([group], [Setting()], text).scores[0, 0] for group in GROUPS]
    reranker.token_budget = budget
    chosen = order[:size]
    found = reranker.score([GROUPS[i] for i in chosen], [Setting()], text).scores[0]
    np.testing.assert_allclose(found, [alone[i] for i in chosen], rtol=1e-5, atol=1e-6)


def test_attention_kernels_agree(both):
    _, reranker = both
    expected = reranker.score(GROUPS, [Setting()], TextOptions(max_length=96)).scores
    reranker.encoder.attention = "plain"
    plain = reranker.score(GROUPS, [Setting()], TextOptions(max_length=96)).scores
    reranker.encoder.attention = "auto"
    np.testing.assert_allclose(plain, expected, rtol=1e-5, atol=1e-5)


def test_executed_flops_are_what_the_counter_sees(both):
    _, reranker = both
    batch = Packed.of([[5] * n for n in (9, 9, 4, 2)], None, torch.device("cpu"))
    for read in (
        lambda ops: reranker.encoder.scores(batch, ops),
        lambda ops: reranker.encoder.vectors(batch, [1, 2], PooledHead().pool, ops),
    ):
        reranker.encoder.attention = "plain"  # the counter sees no fused attention on CPU
        ops = Ops()
        with flop_counter() as counter, torch.no_grad():
            read(ops)
        assert ops.flops == counter.get_total_flops() > 0
        reranker.encoder.attention = "auto"
        fused = Ops()
        read(fused)
        assert fused.flops == ops.flops


def test_full_depth_only(both):
    _, reranker = both
    assert reranker.check(Setting(reranker.encoder.config.layers)) == []
    for name in ("L1", "r2@1"):
        with pytest.raises(InputError, match=name):
            reranker.score(GROUPS, [Setting.parse(name)], TextOptions())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(tmp_path, dtype):
    make(tmp_path, "bert")
    full = load(str(tmp_path), EXACT).score(GROUPS, [Setting()], TextOptions(max_length=64)).scores[0]
    half = load(str(tmp_path), LoadOptions("cpu", dtype))
    assert half.encoder.layers[0].qkv.dtype == getattr(torch, dtype)
    scored = half.score(GROUPS, [Setting()], TextOptions(max_length=64))
    assert np.corrcoef(full, scored.scores[0])[0, 1] > 0.99
    assert scored.scores.dtype == np.float32


def test_nan_names_pair_and_layer(tmp_path):
    make(tmp_path, "xlm-roberta")

    def edit(state):
        state["roberta.encoder.layer.1.output.dense.weight"][0, 0] = float("nan")

    change(tmp_path, edit)
    with pytest.raises(ScoreError, match=r"nan at layer 3 for pair 0 \(query 'the river'"):
        load(str(tmp_path), EXACT).score(GROUPS, [Setting()], TextOptions(max_length=64))


def test_identity_names_what_changes_a_score(both):
    _, reranker = both
    base = reranker.identity(TextOptions())
    own = reranker.encoder.config.positions  # the default where neither a specification nor the folder says
    assert base == reranker.identity(TextOptions(max_length=own, query_max_length=own * 3 // 4))
    assert base != reranker.identity(TextOptions(max_length=64))
    assert base != reranker.identity(TextOptions(truncation="snippet"))
    assert str(reranker.files.folder) not in str(base)


def test_flash_layout_of_jina(tmp_path):
    import json

    make(tmp_path, "xlm-roberta")
    expected = load(str(tmp_path), EXACT).score(GROUPS, [Setting()], TextOptions(max_length=96)).scores

    def rename(state):
        at = "roberta.encoder.layer."
        for number in range(3):
            for kind in ("weight", "bias"):
                parts = [state.pop(f"{at}{number}.attention.self.{p}.{kind}") for p in ("query", "key", "value")]
                state[f"roberta.encoder.layers.{number}.mixer.Wqkv.{kind}"] = torch.cat(parts)
        new = (
            ("embeddings.LayerNorm", "emb_ln"),
            ("encoder.layer.", "encoder.layers."),
            ("attention.output.dense", "mixer.out_proj"),
            ("attention.output.LayerNorm", "norm1"),
            ("intermediate.dense", "mlp.fc1"),
            ("output.dense", "mlp.fc2"),
            ("output.LayerNorm", "norm2"),
        )
        for name in list(state):
            renamed = name
            for ours, theirs in new:
                renamed = renamed.replace(ours, theirs)
            state[renamed] = state.pop(name)

    change(tmp_path, rename)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["model_type"]  # the published config.json names its classes only
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = load(str(tmp_path), EXACT).score(GROUPS, [Setting()], TextOptions(max_length=96)).scores
    np.testing.assert_array_equal(found, expected)


def test_counts_of_tokens(both):
    _, reranker = both
    scored = reranker.score([Group("the river", ["a stone", "a heap"])], [Setting()], TextOptions())
    assert scored.query_tokens[0] == scored.query_tokens[1] > 3
    assert scored.executed.real_tokens == int(scored.query_tokens.sum() + scored.passage_tokens.sum())
    assert not scored.truncated.any()
    assert scored.executed.padded_tokens == 0
    assert dataclasses.replace(scored.executed, seconds={}).flops > 0
    assert set(scored.executed.seconds) == {"tokenise", "forward"}
