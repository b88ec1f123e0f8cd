"""A score depends on its pair and its setting, on nothing else; and what ran is what is counted."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from counting import flop_counter
from decoder_goldens import MODELS, NEWER, groups, model, pairs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rerankbench.rerankers.adapters.decoder import Pass, plan_batches
from rerankbench.rerankers.api import Group, Prepared
from rerankbench.rerankers.models import flex
from rerankbench.rerankers.models.compression import compress
from rerankbench.rerankers.models.decoder import Readout
from rerankbench.rerankers.models.layout import Layout
from rerankbench.rerankers.options import TextOptions
from rerankbench.rerankers.prompting.template import PromptTemplate
from rerankbench.rerankers.settings import Setting

ALL = (*MODELS, *NEWER)
LENGTHS = {"qwen3-s1": 192}  # the template alone takes 117 tokens of this tokenizer
SETTINGS = {
    **{name: [Setting()] for name in NEWER},
    "gemma-s1": [Setting()],
    "minicpm-layerwise-s1": [Setting(2), Setting(4), Setting()],
    "gemma2-lightweight-s1": [
        Setting(5),
        Setting(),
        Setting(8, 2, (2, 5)),
        Setting(5, 2, (2, 5)),
        Setting(3, 3, (1,)),
        Setting(8, 8, (4,)),
    ],
}
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def alone(name: str, **options: str) -> np.ndarray:
    """Every golden pair in a forward pass of its own, nothing shared: shape (settings, pairs)."""
    reranker = model(name, **options)
    text = TextOptions(max_length=LENGTHS.get(name, 128))
    rows = [reranker.score(groups([pair]), SETTINGS[name], text).scores for pair in pairs()]
    return np.concatenate(rows, axis=1)


def assert_same(found: np.ndarray, expected: np.ndarray, size: float | None = None) -> None:
    """Equal to 1e-5 of the scores' size: that of the model's scores, where one of few may be near 0 by chance."""
    size = float(np.abs(expected).max()) if size is None else size
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * size)


@pytest.fixture(scope="module")
def references() -> dict[str, np.ndarray]:
    return {name: alone(name) for name in ALL}


@few
@given(data=st.data())
@pytest.mark.parametrize("name", ALL)
def test_score_depends_on_pair_and_setting_only(name, references, data):
    chosen = data.draw(st.lists(st.integers(0, len(pairs()) - 1), min_size=1, max_size=12), label="pairs")
    asked = data.draw(st.lists(st.sampled_from(range(len(SETTINGS[name]))), min_size=1, unique=True), label="settings")
    reranker = model(name)
    before = reranker.token_budget, reranker.share_prefix
    try:
        reranker.token_budget = data.draw(st.sampled_from([1, 200, 700, 5000]), label="token budget")
        reranker.share_prefix = data.draw(st.booleans(), label="share prefix")
        kept = [SETTINGS[name][i] for i in asked]
        text = TextOptions(max_length=LENGTHS.get(name, 128))
        scored = reranker.score(groups([pairs()[i] for i in chosen]), kept, text)
    finally:
        reranker.token_budget, reranker.share_prefix = before
    size = float(np.abs(references[name]).max())
    assert_same(scored.scores, references[name][np.ix_(asked, chosen)], size)


@few
@given(data=st.data())
@pytest.mark.parametrize("name", [name for name in ALL if name != "nemotron-s1"])
def test_shared_prefix_changes_nothing_but_the_work(name, references, data):
    query = data.draw(st.sampled_from(pairs()), label="query")[0]
    passages = data.draw(st.lists(st.sampled_from([p for _, p in pairs()]), min_size=2, max_size=8), label="passages")
    lengths = [16, 64, 256] if name not in LENGTHS else [130, 192, 256]
    length = data.draw(st.sampled_from(lengths), label="max_length")
    reranker, text = model(name), TextOptions(max_length=length)
    shared = reranker.score([Group(query, passages)], SETTINGS[name], text)
    single = reranker.score([Group(query, [passage]) for passage in passages], SETTINGS[name], text)
    assert_same(shared.scores, single.scores, float(np.abs(references[name]).max()))
    tokens = single.executed.real_tokens
    assert shared.executed.real_tokens + shared.executed.shared_tokens == tokens
    assert shared.executed.shared_tokens > 0
    assert shared.executed.flops < single.executed.flops


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("kind", ["blocks", pytest.param("flex", marks=pytest.mark.slow)])
@pytest.mark.parametrize("softcap", ["released", "config"])
def test_fused_attention_equals_the_formula(softcap, kind):
    reranker = model("gemma2-lightweight-s1", attention_softcap=softcap)
    queries = [Group(pairs()[6][0], [p for _, p in pairs()[:5]]), Group(pairs()[1][0], [p for _, p in pairs()[7:9]])]
    text, asked = TextOptions(max_length=96), SETTINGS["gemma2-lightweight-s1"]
    try:
        reranker.model.attention = kind
        found = reranker.score(queries, asked, text).scores
        reranker.model.attention = "plain"
        plain = reranker.score(queries, asked, text).scores
    finally:
        reranker.model.attention = "auto"
    assert_same(found, plain)


@pytest.mark.parametrize("name", ALL)
def test_counted_flops_are_those_that_torch_counts(name):
    reranker = model(name)
    reranker.model.attention = "plain"
    try:
        with flop_counter() as counter:
            group = Group(pairs()[6][0], [passage for _, passage in pairs()[:6]])
            scored = reranker.score([group], SETTINGS[name], TextOptions(max_length=LENGTHS.get(name, 96)))
    finally:
        reranker.model.attention = "auto"
    assert scored.executed.flops == counter.get_total_flops()
    fused = reranker.score([group], SETTINGS[name], TextOptions(max_length=LENGTHS.get(name, 96)))
    assert fused.executed.flops == scored.executed.flops


def test_a_cpu_runs_blocks_in_every_dtype():
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert not flex.serves(torch.zeros(1, 8, 64, dtype=dtype))


def test_sweep_costs_little_more_than_its_deepest_layer():
    reranker = model("gemma2-lightweight-s1")
    chosen = groups(pairs())
    deepest = reranker.score(chosen, [Setting()], TextOptions()).executed.flops
    sweep = reranker.score(chosen, [Setting(n) for n in range(2, 9)], TextOptions()).executed.flops
    assert deepest < sweep < 1.01 * deepest


@pytest.mark.parametrize("ratio", [2, 3, 4, 8, 50])
def test_compress_is_the_mean_of_neighbours(ratio):
    passages, prefix, prompt = [0, 1, 5, 12, 24], 3, 2
    layout = Layout([prefix, 0], [0, 0, 0, 1, 1], [n + prompt for n in passages], [(0, n) for n in passages])
    x = torch.randn(layout.rows, 4)
    out, after = compress(x, layout, ratio)
    torch.testing.assert_close(out[:prefix], x[:prefix])
    for i, length in enumerate(passages):
        old, new = int(layout.suffix_starts[i]), int(after.suffix_starts[i])
        means = [part.mean(0) for part in x[old : old + length].split(ratio)] if length else []
        expected = torch.stack([*means, *x[old + length : old + length + prompt]])
        torch.testing.assert_close(out[new : new + int(after.lengths[i])], expected)
    # a second compression works on what the first left
    again, last = compress(out, after, ratio)
    assert last.rows == len(again)
    assert after.positions[after.last].tolist() == [p + n - 1 for p, n in zip([3, 3, 3, 0, 0], after.lengths)]


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(5, 40)), max_size=30),
    st.integers(1, 120),
)
def test_plan_keeps_to_the_budget_and_loses_nothing(items, budget):
    group_of, lengths = np.array([g for g, _ in items], dtype=int), [n for _, n in items]
    prefixes = np.full(5, 4)
    batches = plan_batches(range(len(items)), lengths, group_of, prefixes, budget)
    assert sorted(i for batch in batches for i in batch) == list(range(len(items)))
    for batch in batches:
        tokens = sum(lengths[i] - 4 for i in batch) + 4 * len({group_of[i] for i in batch})
        assert tokens <= budget or len(batch) == 1
        blocks = [group_of[i] for i in batch]
        assert len(set(blocks)) == 1 + sum(a != b for a, b in itertools.pairwise(blocks))


def test_half_precision_stays_close():
    for name, dtype, bound in [("gemma-s1", "bfloat16", 0.3), ("minicpm-layerwise-s1", "float16", 0.1)]:
        exact = model(name).score(groups(pairs()), [Setting()], TextOptions()).scores
        half = model(name, dtype=dtype).score(groups(pairs()), [Setting()], TextOptions()).scores
        assert half.dtype == np.float32
        assert 0 < np.abs(half - exact).max() < bound


def test_no_pairs_at_all():
    reranker = model("gemma-s1")
    assert reranker.score([], [Setting()], TextOptions()).scores.shape == (1, 0)
    assert reranker.score([Group("q", [])], [Setting()], TextOptions()).scores.shape == (1, 0)


def test_a_template_is_a_value():
    reranker = model("gemma-s1")
    depth = reranker.config.layers
    one = Pass(1, (), (Readout(depth, reranker.plan.rows[depth]),))
    written = [Group("A: q", ["B: p"])]
    bare = PromptTemplate(query="{query}", passage="{passage}")
    prepared = Prepared(reranker.prepare_distinct(written, TextOptions(), bare), 0.0)
    plain = reranker.run(written, [one], prepared)
    assert_same(plain.scores, reranker.score([Group("q", ["p"])], [Setting()], TextOptions()).scores)
