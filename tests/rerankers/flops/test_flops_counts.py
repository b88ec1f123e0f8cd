"""What the counts mean: known models, known shares, and the properties that hold for any shape."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.flops import Shape, reference, saved, saved_naive, stretches, total, useful
from rerankbench.rerankers.registry import family_named, load_spec, shape_of
from rerankbench.rerankers.settings import Setting
from rerankbench.rerankers.spec import list_models
from transformers import Gemma2Config, GemmaConfig, XLMRobertaConfig

CLASSIFIER = {"architectures": ["XLMRobertaForSequenceClassification"], "num_labels": 1}
# gemma-2b, gemma-2-9b and XLM-RoBERTa with what they change in the defaults of their transformers classes
GEMMA_2B = GemmaConfig(
    num_hidden_layers=18,
    hidden_size=2048,
    num_attention_heads=8,
    num_key_value_heads=1,
    intermediate_size=16384,
)
GEMMA_2_9B = Gemma2Config(
    num_hidden_layers=42,
    hidden_size=3584,
    num_attention_heads=16,
    num_key_value_heads=8,
    intermediate_size=14336,
    query_pre_attn_scalar=256,
)
XLM_R_LARGE = XLMRobertaConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
MINICPM = {
    "model_type": "minicpm",
    "head_multi": True,
    "num_hidden_layers": 40,
    "hidden_size": 2304,
    "num_attention_heads": 36,
    "num_key_value_heads": 36,
    "intermediate_size": 5760,
    "vocab_size": 122753,
    "start_layer": 8,
    "max_position_embeddings": 2048,
}
LIGHTWEIGHT = GEMMA_2_9B.to_dict() | {"model_type": "cost_wise_gemma", "layer_wise": True, "start_layer": 8}
LIGHTWEIGHT.pop("layer_types", None)  # one a layer, and tests change their number; absent, the usual ones
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bge-reranker-base": ("cross-encoder", XLMRobertaConfig().to_dict() | CLASSIFIER),
    "bge-reranker-v2-m3": ("cross-encoder", XLM_R_LARGE.to_dict() | CLASSIFIER),
    "bge-reranker-v2-gemma": ("llm", GEMMA_2B.to_dict()),
    "bge-reranker-v2-minicpm-layerwise": ("layerwise", MINICPM),
    "bge-reranker-v2.5-gemma2-lightweight": ("lightweight", LIGHTWEIGHT),
}


def shape(family: str, raw: dict[str, Any]) -> Shape:
    return family_named(family).shape(raw)  # pyright: ignore[reportReturnType]


HEAVY = shape("lightweight", LIGHTWEIGHT)


@pytest.mark.parametrize(
    ("model", "extra", "matrices", "short", "long"),
    [
        ("bge-reranker-base", 4, 0.085, 0.031, 0.097),
        ("bge-reranker-v2-m3", 4, 0.302, 0.108, 0.338),
        ("bge-reranker-v2-gemma", 15, 1.98, 0.932, 2.68),
        ("bge-reranker-v2-minicpm-layerwise", 15, 2.44, 0.916, 2.68),
        ("bge-reranker-v2.5-gemma2-lightweight", 15, 8.32, 3.10, 8.96),
    ],
)
def test_shapes_and_tflop_per_pair(model: str, extra: int, matrices: float, short: float, long: float) -> None:
    """Independently derived figures; `extra` tokens: four specials in XLM-R, BOS and a prompt of 14 in decoders."""
    known = shape(*MODELS[model])
    billions = known.layer.per_token * known.layers / 2 / 1e9
    assert billions == pytest.approx(matrices, rel=0.006)
    pair = reference(known, Setting(), [20, 20], [150, 492], [extra, extra]) / 1e12
    assert [float(f"{x:.3g}") for x in pair] == pytest.approx([short, long], abs=0.0006)


@pytest.mark.parametrize(
    ("setting", "shares", "naive"),
    [
        ("L25-r2@8", (54.6, 57.0, 58.4, 59.6, 60.3, 50.5), 60.71),
        ("L25", (40.5,) * 6, 40.48),
        ("r2@8", (28.3, 33.1, 35.9, 38.3, 39.6, 20.0), 40.48),
        ("L28-r2@24+40", (36.7, 37.2, 37.6, 37.8, 38.0, 35.7), 38.10),
        ("L28", (33.3,) * 6, 33.33),
        ("full", (0.0,) * 6, 0.0),
    ],
)
def test_saved_share_by_length(setting: str, shares: tuple[float, ...], naive: float) -> None:
    lengths = ((12, 60), (20, 150), (20, 250), (20, 492), (30, 1000), (250, 250))
    parsed = Setting.parse(setting)
    exact = [100 * saved(HEAVY, parsed, [q], [p], [14]) for q, p in lengths]
    assert exact == pytest.approx(shares, abs=0.06)
    assert 100 * saved_naive(HEAVY, parsed) == pytest.approx(naive, abs=0.005)


def test_counts_by_hand() -> None:
    """Two layers of width 4, 2 heads of 3 over 1 key head, MLP of 5, scalar heads; 1 + 4 + 1 tokens, halved at 1."""
    config = shape(
        "lightweight",
        LIGHTWEIGHT
        | {"num_hidden_layers": 2, "hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1}
        | {"head_dim": 3, "intermediate_size": 5, "start_layer": 1},
    )
    setting = Setting(None, 2, (1,))
    keys, rest, attention = 2 * 2 * 4 * 3, 2 * 2 * 4 * 6 + 2 * 3 * 4 * 5, 4 * 6
    first = 6 * (keys + rest) + 36 * attention
    second = 4 * (keys + rest) + 16 * attention
    assert reference(config, setting, 1, 4, 1) == first + second + 2 * 4 * 4
    first, second = 6 * (keys + rest) + 21 * attention, 4 * keys + rest + 4 * attention
    assert useful(config, setting, 1, 4, 1) == first + second + 2 * 4


def test_unreachable_compression_and_layer_0_change_nothing() -> None:
    plain = reference(HEAVY, Setting(25), [20], [150], [14])
    for layers in ((0,), (25,), (0, 25, 41), (60,)):
        setting = Setting(25, 4, layers)
        assert reference(HEAVY, setting, [20], [150], [14]) == plain
        assert saved_naive(HEAVY, setting) == saved_naive(HEAVY, Setting(25))


def test_several_compress_layers_compound() -> None:
    tokens = [int(s) for _, s in stretches(HEAVY, Setting(None, 3, (8, 16, 24)), 20, 29, 14)]
    assert tokens == [34 + 29, 34 + 10, 34 + 4, 34 + 2]


def test_bi_encoder_reads_each_text_alone() -> None:
    config = shape("bi-encoder", XLMRobertaConfig().to_dict() | {"architectures": ["XLMRobertaModel"]})
    alone = [reference(config, Setting(), n, 0, 0) - config.head_per_pair for n in (20, 150)]
    assert reference(config, Setting(), 20, 150, 0) == sum(alone) + config.head_per_pair
    cross = reference(shape(*MODELS["bge-reranker-base"]), Setting(), 20, 150, 0)
    assert sum(alone) < cross


def test_total_does_not_overflow() -> None:
    flops = np.full(10_000_000, 2**43 + 1, dtype=np.int64)
    assert total(flops) == 10_000_000 * (2**43 + 1) > 2**63
    assert total(reference(HEAVY, Setting(), [20] * 3, [150] * 3, [14] * 3)) == 3 * 3086382014464


def test_int32_counts_do_not_overflow() -> None:
    counts = (np.array([n], dtype=np.int32) for n in (3000, 5000, 14))
    assert reference(HEAVY, Setting(), *counts) == reference(HEAVY, Setting(), 3000, 5000, 14)


@pytest.mark.parametrize(
    ("family", "setting", "message"),
    [
        ("lightweight", "L7", "valid: 8 to 42"),
        ("lightweight", "L43", "valid: 8 to 42"),
        ("llm", "L3", "valid: 18 only"),
        ("cross-encoder", "r2@4", "cannot compress tokens"),
        ("cross-encoder", "L13", "valid: 12 only"),
        ("bi-encoder", "L13", "valid: 1 to 12"),
    ],
)
def test_settings_that_cannot_run_are_refused(family: str, setting: str, message: str) -> None:
    raw = {"lightweight": LIGHTWEIGHT, "llm": GEMMA_2B.to_dict()}.get(family, MODELS["bge-reranker-base"][1])
    with pytest.raises(InputError, match=message):
        reference(shape(family, raw), Setting.parse(setting), 20, 150, 14)


def test_a_cross_encoder_without_head_is_refused() -> None:
    with pytest.raises(InputError, match="no classification head"):
        shape("cross-encoder", XLMRobertaConfig().to_dict())


decoders = st.builds(
    lambda layers, d, kv, groups, h, f, start: shape(
        "lightweight",
        LIGHTWEIGHT
        | {"num_hidden_layers": layers, "hidden_size": d, "num_attention_heads": kv * groups}
        | {"num_key_value_heads": kv, "head_dim": h, "intermediate_size": f, "start_layer": min(start, layers)},
    ),
    *(st.integers(1, 9) for _ in range(7)),
)
lengths = st.tuples(st.integers(1, 40), st.integers(0, 300), st.integers(0, 20))


@given(decoders, st.lists(lengths, min_size=1, max_size=4), st.integers(1, 9), st.sets(st.integers(0, 9)), st.data())
def test_properties(config: Shape, pairs: list[tuple[int, int, int]], ratio: int, layers: set[int], data: Any) -> None:
    cutoff = data.draw(st.sampled_from([None, *config.cutoffs]))
    setting = Setting(cutoff, ratio, tuple(layers))
    counts = np.array(pairs).T
    dense = reference(config, setting, *counts)
    causal = reference(config, setting, *counts, causal=True)
    full = reference(config, Setting(), *counts)
    needed = useful(config, setting, *counts)
    assert dense.tolist() == [int(reference(config, setting, *pair)) for pair in pairs]
    assert (needed <= causal).all()
    assert (causal <= dense).all()
    assert (dense <= full).all()
    assert (needed > 0).all()
    assert 0 <= saved(config, setting, *counts) < 1


def test_a_shape_survives_json() -> None:
    for name in list_models():
        shape = shape_of(load_spec(name))
        assert shape is None or Shape.of_json(json.loads(json.dumps(shape.as_json()))) == shape
