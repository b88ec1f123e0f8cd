"""ModernBERT on packed tokens: goldens, transformers' eager path, sentence-transformers' modules, and its FLOPs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import PARITY, needs_merges_in_pairs
from counting import flop_counter
from hypothesis import given, settings
from hypothesis import strategies as st
from modern import make_modern
from rerankbench.rerankers import InputError, LoadOptions, ModelSpec, Setting, TextOptions, load, load_spec
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.flops import reference, useful
from rerankbench.rerankers.models.ops import Ops
from rerankbench.rerankers.models.packed import Packed
from rerankbench.rerankers.registry import family_named, find_spec
from rerankbench.rerankers.tokenization.encoder_pairs import build_pairs
from torch.utils.flop_counter import FlopCounterMode

EXACT = LoadOptions("cpu", "float32")
WORDS = ["the", "of", "river", "stone", "runs", "over", "quiet", "lamp", "green", "paper", "window", "moon"]
GOLDEN = json.loads((PARITY / "modernbert-s1" / "goldens.json").read_text(encoding="utf-8"))


def words(count: int, seed: int) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, count))


@needs_merges_in_pairs
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: str(case["call"]))
def test_goldens(case):
    spec = replace(load_spec("gte-reranker-modernbert-base"), source=str(PARITY / "modernbert-s1"), revision=None)
    reranker = load(spec, EXACT)
    assert reranker.spec.family == "modern-encoder"
    groups = [Group(query, [passage]) for query, passage in GOLDEN["pairs"]]
    text = TextOptions(max_length=case["call"]["max_length"])
    assert build_pairs(reranker.tokenizer, groups, reranker.plan.text.resolve(text)).ids == case["ids"]
    found = reranker.score(groups, [Setting()], text).scores[0]
    np.testing.assert_allclose(found, case["scores"], rtol=0, atol=3e-4)


# a window of 64 tokens on each side: lengths around it, around four times it (where long sequences are cut), beyond
LENGTHS = [3, 60, 64, 65, 66, 67, 128, 129, 130, 250, 256, 257, 258, 300, 400]


@pytest.mark.parametrize(
    "config",
    [
        {"classifier_pooling": "cls"},
        {"classifier_pooling": "mean"},
        {"classifier_pooling": "cls", "global_attn_every_n_layers": 2},  # the last layer has a window
        {"classifier_pooling": "mean", "attention_bias": True, "mlp_bias": True, "norm_bias": True},
        {"classifier_pooling": "cls", "attention_bias": True, "classifier_bias": True, "classifier_activation": "relu"},
        {"local_attention": 32, "hidden_activation": "silu", "layer_types": ["sliding_attention"] * 4},
    ],
    ids=str,
)
def test_equal_to_transformers_around_and_beyond_the_window(tmp_path, config):
    model = make_modern(tmp_path, **config)
    encoder = load(str(tmp_path), EXACT).encoder
    generator = torch.Generator().manual_seed(1)
    sequences = [torch.randint(4, 90, (n,), generator=generator).tolist() for n in LENGTHS for _ in range(2)]
    with torch.no_grad():
        expected = [model(torch.tensor([ids])).logits.item() for ids in sequences]
        found = encoder.scores(Packed.of(sequences, None, torch.device("cpu")), Ops())[:, 0]
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_configurations_of_transformers_4_and_5_mean_the_same(tmp_path):
    bases = {"full_attention": 90_000.0, "sliding_attention": 700.0}
    rope = {kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in bases.items()}
    make_modern(tmp_path, rope_parameters=rope)
    family = family_named("modern-encoder")
    raw = json.loads((tmp_path / "config.json").read_text())
    newer = family.config(raw)
    assert (newer.global_theta, newer.local_theta, newer.local_layers) == (90_000.0, 700.0, (1, 2))
    for key in ("rope_parameters", "layer_types"):
        del raw[key]
    older = {"global_rope_theta": 90_000.0, "local_rope_theta": 700.0, "global_attn_every_n_layers": 3}
    assert family.config(raw | older) == newer
    assert family.config(raw).global_theta == 160_000.0  # the class's default


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classifier_pooling": "max"}, "key 'classifier_pooling': \"max\" is not implemented"),
        ({"layer_types": ["full_attention"]}, "key 'layer_types': expected 4 times"),
        ({"layer_types": None, "global_attn_every_n_layers": 0}, "global_attn_every_n_layers': expected 1 to"),
        ({"layer_types": None, "global_attn_every_n_layers": "3"}, "n_layers': expected a whole number"),
        ({"local_attention": 0}, "local_attention': expected 1 to"),
        ({"rope_parameters": {"rope_type": "default"}}, "key 'rope_parameters': 'rope_type' is not understood"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn", "factor": 2.0}}}, "only 'default'"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "key 'rope_scaling': .* is not implemented"),
        ({"rope_parameters": None, "local_rope_theta": -3}, "key 'local_rope_theta': expected a positive number"),
        ({"hidden_activation": "sinus"}, "key 'hidden_activation': activation 'sinus' is not implemented"),
        ({"norm_bias": "no"}, "key 'norm_bias': expected true or false"),
    ],
    ids=str,
)
def test_what_would_be_wrong_is_refused(tmp_path, changes, told):
    make_modern(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(InputError, match=told) as caught:
        load(ModelSpec("tiny", "modern-encoder", str(tmp_path)), EXACT)
    assert "\n" not in str(caught.value)


def test_two_outputs_are_no_score(tmp_path):
    make_modern(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_labels": 2, "id2label": None}))
    with pytest.raises(InputError, match="needs a classifier with one output"):
        load(str(tmp_path), EXACT)


def test_a_rotary_scaling_is_left_to_transformers(tmp_path):
    rope = {"full_attention": {"rope_type": "linear", "factor": 2.0}, "sliding_attention": {"rope_type": "default"}}
    model = make_modern(tmp_path, rope_parameters=rope)
    reranker = load(str(tmp_path), EXACT)
    assert reranker.spec.family == "sequence-classification"
    prepared = reranker.prepare(GROUPS, TextOptions())
    with torch.no_grad():
        expected = [model(torch.tensor([ids])).logits.item() for ids in prepared.tokens.ids]
    found = reranker.score(GROUPS, [Setting()], TextOptions(), prepared).scores[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modern")
    make_modern(folder, local_attention=16, classifier_pooling="cls")
    return load(str(folder), EXACT)


PAIRS = [("the river", words(n, n)) for n in (1, 9, 9, 30, 70)] + [("", ""), ("moon", ""), ("", "green lamp")]
GROUPS = [Group(query, [passage]) for query, passage in PAIRS]


@settings(max_examples=20, deadline=None)
@given(
    order=st.permutations(range(len(PAIRS))),
    size=st.integers(1, len(PAIRS)),
    budget=st.sampled_from([1, 40, 150, 100_000]),
)
def test_score_depends_on_its_pair_alone(small, order, size, budget):
    alone = [small.score([group], [Setting()], TextOptions()).scores[0, 0] for group in GROUPS]
    small.token_budget = budget
    chosen = order[:size]
    found = small.score([GROUPS[i] for i in chosen], [Setting()], TextOptions()).scores[0]
    np.testing.assert_allclose(found, [alone[i] for i in chosen], rtol=1e-5, atol=1e-6)


def test_full_depth_only(small):
    assert small.check(Setting(4)) == []
    with pytest.raises(InputError, match="has a head after layer 4 only"):
        small.check(Setting(2))


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("every", [2, 3])
def test_flops(tmp_path, pooling, every):
    """`reference` is what the counter sees in transformers; what runs here lies between it and `useful`."""
    model = make_modern(tmp_path, local_attention=16, classifier_pooling=pooling, global_attn_every_n_layers=every)
    reranker = load(str(tmp_path), EXACT)
    shape = reranker.shape
    for length in (1, 8, 9, 10, 17, 32, 33, 70):
        ids = torch.randint(4, 90, (1, length))
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
        assert counter.get_total_flops() == reference(shape, Setting(), length, 0, 0)
        ops, batch = Ops(), Packed.of(ids.tolist(), None, torch.device("cpu"))
        with torch.no_grad():
            reranker.encoder.scores(batch, ops)
        needed, whole = useful(shape, Setting(), length, 0, 0), reference(shape, Setting(), length, 0, 0)
        assert needed <= ops.flops <= whole
        if length <= 9:  # nothing is beyond the window
            assert ops.flops == needed


def test_useful_counts_the_pairs_inside_the_window(tmp_path):
    make_modern(tmp_path, local_attention=16, classifier_pooling="mean")
    shape = load(str(tmp_path), EXACT).shape
    for length in (5, 9, 40):
        far = sum(abs(i - j) > 8 for i in range(length) for j in range(length))
        whole = int(reference(shape, Setting(), length, 0, 0))
        assert whole - int(useful(shape, Setting(), length, 0, 0)) == 2 * far * shape.layer.attention


def test_executed_flops_are_what_the_counter_sees(small):
    batch = Packed.of([[5] * n for n in (9, 9, 40, 2)], None, torch.device("cpu"))
    small.encoder.attention = "plain"  # the counter sees no fused attention on CPU
    ops = Ops()
    with flop_counter() as counter, torch.no_grad():
        plain = small.encoder.scores(batch, ops)
    small.encoder.attention = "auto"
    assert ops.flops == counter.get_total_flops() > 0
    with torch.no_grad():
        torch.testing.assert_close(small.encoder.scores(batch, Ops()), plain, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision(small, dtype):
    full = small.score(GROUPS, [Setting()], TextOptions()).scores[0]
    half = load(str(small.files.root), LoadOptions("cpu", dtype)).score(GROUPS, [Setting()], TextOptions()).scores[0]
    assert 0 < np.abs(full - half).max() < 0.05 * np.ptp(full) + 0.05


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    make_modern(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 21}))
    with pytest.raises(InputError, match=r"wrong shape: model.layers.0.mlp.Wi.weight \[40, 24\] instead of \[42, 24\]"):
        load(str(tmp_path), EXACT)


def modular(folder: Path, pooling: Any, *after: Any) -> Any:
    """Save and return a modular cross-encoder of sentence-transformers."""
    sentence = pytest.importorskip("sentence_transformers", minversion="5.4")
    from sentence_transformers.base.modules import Transformer
    from sentence_transformers.sentence_transformer.modules import Pooling

    make_modern(folder / "body", head=False)
    parts = [Transformer(str(folder / "body")), Pooling(24, pooling_mode=pooling), *after]
    model = sentence.CrossEncoder(modules=parts, device="cpu", activation_fn=torch.nn.Identity())
    model.save(str(folder / "saved"))
    return model


def ettin_head() -> list[Any]:
    """Dense with GELU, LayerNorm, Dense of one output: the modules of the Ettin rerankers."""
    pytest.importorskip("sentence_transformers", minversion="5.4")
    from sentence_transformers.base.modules import Dense
    from sentence_transformers.sentence_transformer.modules import LayerNorm

    torch.manual_seed(3)
    gelu, last = torch.nn.GELU(), torch.nn.Identity()
    norm = LayerNorm(24)
    torch.nn.init.normal_(norm.norm.weight)
    return [
        Dense(24, 24, bias=False, activation_function=gelu),
        norm,
        Dense(24, 1, activation_function=last, module_output_name="scores"),
    ]


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_modular_head_of_sentence_transformers(tmp_path, pooling):
    model = modular(tmp_path, pooling, *ettin_head())
    reranker = load(str(tmp_path / "saved"), EXACT)
    assert reranker.spec.family == "modern-encoder"
    pairs = [("the river", words(n, n)) for n in (3, 62, 70, 150, 380)]
    found = reranker.score([Group(q, [p]) for q, p in pairs], [Setting()], TextOptions(truncation="snippet")).scores[0]
    expected = [float(model.predict([pair])[0]) for pair in pairs]
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    head = 2 * (24 * 24 + 24)
    assert (reranker.shape.head_per_pair, reranker.shape.pools) == (head, pooling == "mean")
    raw = json.loads((tmp_path / "saved" / "config.json").read_text())
    family = family_named("modern-encoder")
    assert family.shape(raw) is None  # what stands after the encoder is not in its config.json
    stated = family.shape(raw | {"modules_dense": [[24, 24], [24, 1]]})
    assert (stated == reranker.shape) == (pooling == "cls")
    with pytest.raises(InputError, match="key 'modules_dense': expected a list of"):
        family.shape(raw | {"modules_dense": [24, 1]})


def test_a_head_of_two_outputs_is_refused(tmp_path):
    pytest.importorskip("sentence_transformers", minversion="5.4")
    from sentence_transformers.base.modules import Dense

    modular(tmp_path, "cls", Dense(24, 2, module_output_name="scores"))
    with pytest.raises(InputError, match="2 scores per pair"):
        load(str(tmp_path / "saved"), EXACT)


def test_a_text_encoder_is_not_taken_for_a_reranker(tmp_path):
    make_modern(tmp_path, head=False)
    with pytest.raises(InputError, match="no family runs model_type 'modernbert'"):
        find_spec(str(tmp_path))
