"""What the counts mean: known models, known shares, and the properties that hold for any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.flops import layer_cost, reference, saved, saved_naive, stretches, total, useful
from rerankbench.rerankers.models.config import DecoderConfig, EncoderConfig, read_config
from rerankbench.rerankers.settings import Setting
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
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "bge-reranker-base": ("cross-encoder", XLMRobertaConfig().to_dict() | CLASSIFIER),
    "bge-reranker-v2-m3": ("cross-encoder", XLM_R_LARGE.to_dict() | CLASSIFIER),
    "bge-reranker-v2-gemma": ("llm", GEMMA_2B.to_dict()),
    "bge-reranker-v2-minicpm-layerwise": ("layerwise", MINICPM),
    "bge-reranker-v2.5-gemma2-lightweight": ("lightweight", LIGHTWEIGHT),
}
HEAVY = read_config(LIGHTWEIGHT)


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
    family, raw = MODELS[model]
    config = read_config(raw)
    billions = layer_cost(config).per_token * config.layers / 2 / 1e9
    assert billions == pytest.approx(matrices, rel=0.006)
    pair = reference(config, family, Setting(), [20, 20], [150, 492], [extra, extra]) / 1e12
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
    exact = [100 * saved(HEAVY, "lightweight", parsed, [q], [p], [14]) for q, p in lengths]
    assert exact == pytest.approx(shares, abs=0.06)
    assert 100 * saved_naive(HEAVY, parsed) == pytest.approx(naive, abs=0.005)


def test_counts_by_hand() -> None:
    """Two layers of width 4, 2 heads of 3 over 1 key head, MLP of 5, scalar heads; 1 + 4 + 1 tokens, halved at 1."""
    config = read_config(
        LIGHTWEIGHT
        | {"num_hidden_layers": 2, "hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1}
        | {"head_dim": 3, "intermediate_size": 5, "start_layer": 1}
    )
    setting = Setting(None, 2, (1,))
    keys, rest, attention = 2 * 2 * 4 * 3, 2 * 2 * 4 * 6 + 2 * 3 * 4 * 5, 4 * 6
    first = 6 * (keys + rest) + 36 * attention
    second = 4 * (keys + rest) + 16 * attention
    assert reference(config, "lightweight", setting, 1, 4, 1) == first + second + 2 * 4 * 4
    first, second = 6 * (keys + rest) + 21 * attention, 4 * keys + rest + 4 * attention
    assert useful(config, "lightweight", setting, 1, 4, 1) == first + second + 2 * 4


def test_unreachable_compression_and_layer_0_change_nothing() -> None:
    plain = reference(HEAVY, "lightweight", Setting(25), [20], [150], [14])
    for layers in ((0,), (25,), (0, 25, 41), (60,)):
        setting = Setting(25, 4, layers)
        assert reference(HEAVY, "lightweight", setting, [20], [150], [14]) == plain
        assert saved_naive(HEAVY, setting) == saved_naive(HEAVY, Setting(25))


def test_several_compress_layers_compound() -> None:
    tokens = [int(s) for _, s in stretches(HEAVY, "lightweight", Setting(None, 3, (8, 16, 24)), 20, 29, 14)]
    assert tokens == [34 + 29, 34 + 10, 34 + 4, 34 + 2]


def test_bi_encoder_reads_each_text_alone() -> None:
    config = read_config(XLMRobertaConfig().to_dict() | {"architectures": ["XLMRobertaModel"]})
    alone = [reference(config, "bi-encoder", Setting(), n, 0, 0) - 2 * config.hidden for n in (20, 150)]
    assert reference(config, "bi-encoder", Setting(), 20, 150, 0) == sum(alone) + 2 * config.hidden
    cross = reference(read_config(MODELS["bge-reranker-base"][1]), "cross-encoder", Setting(), 20, 150, 0)
    assert sum(alone) < cross


def test_total_does_not_overflow() -> None:
    flops = np.full(10_000_000, 2**43 + 1, dtype=np.int64)
    assert total(flops) == 10_000_000 * (2**43 + 1) > 2**63
    assert total(reference(HEAVY, "lightweight", Setting(), [20] * 3, [150] * 3, [14] * 3)) == 3 * 3086382014464


def test_int32_counts_do_not_overflow() -> None:
    counts = (np.array([n], dtype=np.int32) for n in (3000, 5000, 14))
    assert reference(HEAVY, "lightweight", Setting(), *counts) == reference(
        HEAVY, "lightweight", Setting(), 3000, 5000, 14
    )


@pytest.mark.parametrize(
    ("family", "setting", "message"),
    [
        ("lightweight", "L7", "can be 8 to 42"),
        ("lightweight", "L43", "can be 8 to 42"),
        ("llm", "full", "needs DecoderConfig"),
        ("cross-encoder", "r2@4", "only the lightweight family compresses"),
        ("cross-encoder", "L13", "can be 1 to 12"),
        ("mystery", "full", "family 'mystery'"),
    ],
)
def test_settings_that_cannot_run_are_refused(family: str, setting: str, message: str) -> None:
    config = HEAVY if family == "lightweight" else read_config(MODELS["bge-reranker-base"][1])
    with pytest.raises(InputError, match=message):
        reference(config, family, Setting.parse(setting), 20, 150, 14)


def test_a_cross_encoder_without_head_is_refused() -> None:
    with pytest.raises(InputError, match="no classification head"):
        reference(read_config(XLMRobertaConfig().to_dict()), "cross-encoder", Setting(), 20, 150, 0)


decoders = st.builds(
    lambda layers, d, kv, groups, h, f, start: read_config(
        LIGHTWEIGHT
        | {"num_hidden_layers": layers, "hidden_size": d, "num_attention_heads": kv * groups}
        | {"num_key_value_heads": kv, "head_dim": h, "intermediate_size": f, "start_layer": min(start, layers)}
    ),
    *(st.integers(1, 9) for _ in range(7)),
)
lengths = st.tuples(st.integers(1, 40), st.integers(0, 300), st.integers(0, 20))


@given(decoders, st.lists(lengths, min_size=1, max_size=4), st.integers(1, 9), st.sets(st.integers(0, 9)), st.data())
def test_properties(
    config: DecoderConfig | EncoderConfig, pairs: list[tuple[int, int, int]], ratio: int, layers: set[int], data: Any
) -> None:
    assert isinstance(config, DecoderConfig)
    cutoff = data.draw(st.sampled_from([None, *config.head_layers]))
    setting = Setting(cutoff, ratio, tuple(layers))
    counts = np.array(pairs).T
    dense = reference(config, "lightweight", setting, *counts)
    causal = reference(config, "lightweight", setting, *counts, causal=True)
    full = reference(config, "lightweight", Setting(), *counts)
    needed = useful(config, "lightweight", setting, *counts)
    assert dense.tolist() == [int(reference(config, "lightweight", setting, *pair)) for pair in pairs]
    assert (needed <= causal).all()
    assert (causal <= dense).all()
    assert (dense <= full).all()
    assert (needed > 0).all()
    assert 0 <= saved(config, "lightweight", setting, *counts) < 1
