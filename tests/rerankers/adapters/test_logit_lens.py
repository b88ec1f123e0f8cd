"""Cutoff layers of decoders with one head: the last layer's norm and head on earlier states."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from counting import flop_counter
from decoder_goldens import NEWER, PARITY, groups, model, pairs
from rerankbench.rerankers import Group, InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.flops import reference
from rerankbench.rerankers.registry import shape_of

CPU = LoadOptions(device="cpu", dtype="float32")
LENS = {"cutoffs": "logit_lens"}
EVERY = [Setting(1), Setting(2), Setting(3), Setting()]


def of_library(name: str, ids: list[int], layer: int) -> torch.Tensor:
    """Logits of the last token after a layer: transformers' own states, norm and head."""
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(PARITY / name, dtype=torch.float32).eval()
    with torch.no_grad():
        found = theirs(torch.tensor([ids]), output_hidden_states=True)
        if layer == theirs.config.num_hidden_layers:
            return found.logits[0, -1]
        return theirs.lm_head(theirs.model.norm(found.hidden_states[layer][0, -1]))


@pytest.mark.parametrize("name", ["qwen3-s1", "mxbai-s1", "gemma-s1"])
def test_equal_to_transformers_at_every_layer(name):
    reranker = load(model(name).spec, CPU, **LENS)
    chosen = groups(pairs()[:3])
    prepared = reranker.prepare(chosen, TextOptions())
    settings = [*(Setting(layer) for layer in range(1, reranker.config.layers)), Setting()]
    found = reranker.score(chosen, settings, TextOptions(), prepared).scores
    rows, formula = reranker.plan.rows[1].rows, reranker.plan.rows[1].formula
    for place, pair in enumerate(prepared.tokens):
        for row, setting in enumerate(settings):
            logits = of_library(name, pair.ids, setting.cutoff_layer or reranker.config.layers)[list(rows)]
            expected = logits[0] - logits[1] if formula == "difference" else logits[0]
            assert found[row, place] == pytest.approx(float(expected), abs=1e-4)
    np.testing.assert_array_equal(found[-1], model(name).score(chosen, [Setting()], TextOptions()).scores[0])
    assert np.abs(np.diff(found, axis=0)).max() > 0.01


@pytest.mark.parametrize("name", NEWER)
def test_one_pass_serves_all_cutoffs_and_each_is_what_it_is_alone(name):
    reranker = load(model(name).spec, CPU, **LENS)
    asked = [Group(pairs()[6][0], [passage for _, passage in pairs()[:6]])]
    together = reranker.score(asked, EVERY, TextOptions())
    for row, setting in enumerate(EVERY):
        alone = reranker.score(asked, [setting], TextOptions()).scores[0]
        np.testing.assert_allclose(together.scores[row], alone, rtol=1e-5, atol=1e-5)
    deepest = reranker.score(asked, [Setting()], TextOptions()).executed.flops
    assert deepest < together.executed.flops < 1.02 * deepest


@pytest.mark.parametrize("name", NEWER)
def test_flops_are_those_that_torch_counts(name):
    reranker = load(model(name).spec, CPU, **LENS)
    reranker.model.attention = "plain"
    asked = [Group("tea", ["green tea", "stone"])]
    with flop_counter() as counter:
        scored = reranker.score(asked, EVERY, TextOptions())
    assert scored.executed.flops == counter.get_total_flops()


def test_it_is_off_unless_asked_for_and_says_what_it_is():
    plain, lens = model("qwen3-s1"), load(model("qwen3-s1").spec, CPU, **LENS)
    with pytest.raises(InputError, match=r"cutoff layer 2 has no output head; valid: 3 only"):
        plain.check(Setting(2))
    assert lens.check(Setting(2)) == ["setting L2: untrained: the head of layer 3 on layer 2 (logit lens)"]
    assert lens.check(Setting()) == lens.check(Setting(3)) == []
    assert "cutoffs" not in plain.identity(TextOptions())
    assert lens.identity(TextOptions()) == {**plain.identity(TextOptions()), "cutoffs": "logit_lens"}
    with pytest.raises(InputError, match="cutoff layer 4 has no output head; valid: 1 to 3"):
        lens.check(Setting(4))


@pytest.mark.parametrize("name", ["minicpm-layerwise-s1", "gemma2-lightweight-s1"])
def test_a_model_with_heads_of_its_own_has_no_place_for_it(name):
    with pytest.raises(InputError, match="has no cutoffs; leave out 'logit_lens'"):
        load(str(PARITY / name), CPU, **LENS)


def test_plans_know_it():
    shape = shape_of(model("qwen3-s1").spec.with_options(**LENS))
    assert shape is not None
    half, full = (int(reference(shape, Setting(layer), 20, 100, 64)) for layer in (1, 3))
    layers = 3 * (half - shape.head_per_position * 184)
    assert layers == full - shape.head_per_position * 184
