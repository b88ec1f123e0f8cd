"""Each body and each rotary scaling that token-logit rerankers run: equal to transformers' own model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from config_cases import CPU, TEMPLATE
from decoder_goldens import PARITY
from rerankbench.rerankers import Group, InputError, ModelSpec, Setting, TextOptions, load
from rerankbench.rerankers.registry import family_named
from transformers import LlamaConfig, LlamaModel
from wild import edit, lively, word_tokenizer

LONG = "the quiet lamp of the river and the green paper of china . "
GROUPS = [
    Group("what is a panda ?", ["the panda is a bear of china .", LONG * 3, "", "bread"]),
    Group("train to basel " + LONG, [LONG * 2, "trains to basel leave every hour ."]),
]
SIZES = {
    "num_key_value_heads": 4,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 905,
}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {"num_key_value_heads": 2}),
    "llama with biases": ("Llama", {"attention_bias": True, "mlp_bias": True, "head_dim": 12}),
    "llama, linear": ("Llama", {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 5000.0}}),
    "llama, llama3": (
        "Llama",
        {"rope_parameters": {**LLAMA3, "rope_theta": 500.0, "original_max_position_embeddings": 16}, "head_dim": 16},
    ),
    "mistral with a window": ("Mistral", {"num_key_value_heads": 2, "sliding_window": 7}),
    "mistral without one": ("Mistral", {"sliding_window": None, "head_dim": 10}),
    "qwen2": ("Qwen2", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen2, yarn": (
        "Qwen2",
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "factor": 4.0,
                "rope_theta": 100.0,
                "original_max_position_embeddings": 16,
            }
        },
    ),
    "qwen2 with windows": ("Qwen2", {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}),
    "qwen3": ("Qwen3", {"num_key_value_heads": 2, "head_dim": 12, "tie_word_embeddings": True}),
    "qwen3 with biases": ("Qwen3", {"attention_bias": True, "head_dim": 8}),
    "qwen3, yarn of its own": (
        "Qwen3",
        {
            "rope_parameters": {
                "rope_type": "yarn",
                "factor": 3.0,
                "rope_theta": 50.0,
                "original_max_position_embeddings": 20,
                "beta_fast": 4,
                "beta_slow": 0.5,
                "mscale": 0.7,
                "mscale_all_dim": 1.3,
                "truncate": False,
            },
            "head_dim": 16,
        },
    ),
    "gemma": ("Gemma", {"num_key_value_heads": 1, "head_dim": 8, "hidden_activation": "gelu_pytorch_tanh"}),
    "gemma3": (
        "Gemma3",
        {
            "num_key_value_heads": 2,
            "head_dim": 8,
            "query_pre_attn_scalar": 5,
            "sliding_window": 6,
            "num_hidden_layers": 7,
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 900.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 70.0},
            },
        },
    ),
    "gemma2 with layers of its own": (
        "Gemma2",
        {
            "num_key_value_heads": 2,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
            "sliding_window": 6,
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
        },
    ),
}


def spec_of(folder: Path, **changes: Any) -> ModelSpec:
    options = {"template": TEMPLATE, "tokens": [12, 30], "formula": "difference"}
    return ModelSpec("tiny", "token-logit", str(folder), **{"max_length": 64, "options": options, **changes})


def write(folder: Path, kind: str, **changes: Any) -> Any:
    """A random `KindForCausalLM` with a small tokenizer; returns the library's model."""
    config = getattr(transformers, f"{kind}TextConfig" if kind == "Gemma3" else f"{kind}Config")(
        **{**SIZES, "pad_token_id": 0, **changes}
    )
    config._attn_implementation = "eager"
    model = lively(getattr(transformers, f"{kind}ForCausalLM")(config))
    model.save_pretrained(folder)
    word_tokenizer(folder)
    if kind == "Qwen2":  # of which transformers 5 makes a tokenizer of its own
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(PARITY / "mxbai-s1" / name, folder / name)
    return model


@pytest.mark.parametrize("body", BODIES)
def test_equal_to_transformers(tmp_path, body):
    kind, changes = BODIES[body]
    model = write(tmp_path, kind, **changes)
    reranker = load(spec_of(tmp_path), CPU)
    prepared = reranker.prepare(GROUPS, TextOptions())
    found = reranker.score(GROUPS, [Setting()], TextOptions(), prepared)
    one, other = reranker.plan.rows[reranker.config.layers].rows
    with torch.no_grad():
        logits = [model(torch.tensor([pair.ids])).logits[0, -1] for pair in prepared.tokens]
    expected = [float(x[one] - x[other]) for x in logits]
    np.testing.assert_allclose(found.scores[0], expected, rtol=0, atol=1e-4)
    assert np.ptp(expected) > 0.1
    assert max(len(pair.ids) for pair in prepared.tokens) > 40
    assert found.executed.shared_tokens > 0


@pytest.mark.parametrize("kind", ["Qwen3", "Gemma"])
@pytest.mark.parametrize("equal", [False, True])
def test_a_head_beside_tied_embeddings_is_used_where_it_differs(tmp_path, kind, equal):
    model = write(tmp_path, kind, tie_word_embeddings=False, **({"head_dim": 8} if kind == "Gemma" else {}))
    if equal:
        model.lm_head.weight.data.copy_(model.model.embed_tokens.weight)
        model.save_pretrained(tmp_path)
    edit(tmp_path / "config.json", tie_word_embeddings=True)
    reranker = load(spec_of(tmp_path), CPU)
    assert reranker.model.config.tied is equal
    prepared = reranker.prepare(GROUPS, TextOptions())
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        logits = [theirs(torch.tensor([pair.ids])).logits[0, -1] for pair in prepared.tokens]
    found = reranker.score(GROUPS, [Setting()], TextOptions(), prepared).scores[0]
    np.testing.assert_allclose(found, [float(x[12] - x[30]) for x in logits], rtol=0, atol=1e-4)


def test_the_old_spelling_of_a_scaling_is_the_same(tmp_path):
    rope = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
    write(tmp_path, "Qwen2", rope_parameters={**rope, "rope_theta": 100.0})
    newer = load(spec_of(tmp_path), CPU).score(GROUPS, [Setting()], TextOptions()).scores
    old = {"type": rope["rope_type"], **{k: v for k, v in rope.items() if k != "rope_type"}}
    edit(tmp_path / "config.json", rope_parameters=..., rope_scaling=old, rope_theta=100.0)
    np.testing.assert_array_equal(load(spec_of(tmp_path), CPU).score(GROUPS, [Setting()], TextOptions()).scores, newer)


@pytest.mark.parametrize(
    "rope",
    [{"rope_type": "default", "rope_theta": 10000.0}, {**LLAMA3, "rope_theta": 500.0}],
    ids=["default", "llama3"],
)
def test_without_a_causal_mask_and_pooled(tmp_path, rope):
    changes = {"rope_parameters": rope, "max_position_embeddings": 128}
    body = lively(LlamaModel(LlamaConfig(**SIZES, **changes, attn_implementation="eager")))
    row = torch.randn(1, SIZES["hidden_size"])
    tensors = {**{f"model.{k}": v for k, v in body.state_dict().items()}, "score.weight": row}
    body.save_pretrained(tmp_path)
    from safetensors.torch import save_file

    save_file({k: v.contiguous() for k, v in tensors.items()}, tmp_path / "model.safetensors", {"format": "pt"})
    edit(tmp_path / "config.json", model_type="llama_bidirec", pooling="avg")
    word_tokenizer(tmp_path)
    spec = ModelSpec("tiny", "mean-pooled", str(tmp_path), options={"template": TEMPLATE}, max_length=64)
    reranker = load(spec, CPU)
    prepared = reranker.prepare(GROUPS, TextOptions())
    found = reranker.score(GROUPS, [Setting()], TextOptions(), prepared).scores[0]
    expected = []
    for pair in prepared.tokens:
        seen = torch.zeros(1, 1, len(pair.ids), len(pair.ids))  # every token sees every other
        with torch.no_grad():
            states = body(torch.tensor([pair.ids]), attention_mask=seen).last_hidden_state[0]
        expected.append(float(states.mean(0) @ row[0]))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.ptp(expected) > 0.1


@pytest.mark.parametrize(
    ("kind", "changes", "told"),
    [
        ("qwen3", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "rotary scaling 'dynamic' is not impl"),
        ("qwen3", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0, "mrope_section": [1]}}, "'mrope_section'"),
        ("qwen3", {"rope_scaling": {"type": "linear"}}, "key 'factor' of the rotary embedding is missing"),
        ("qwen3", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "key 'partial_rotary_factor': 0.5"),
        ("qwen3", {"partial_rotary_factor": 0.5}, "key 'partial_rotary_factor': 0.5"),
        ("llama", {"rope_scaling": {**LLAMA3, "high_freq_factor": 1}}, "low_freq_factor 1.0 must be less than"),
        ("llama", {"rope_scaling": {**LLAMA3, "factor": -1}}, "key 'factor': expected a positive number"),
        ("llama", {"layer_types": ["sliding_attention"] * 3}, "only 'full_attention' for llama"),
        ("qwen2", {"layer_types": ["sliding_attention"] * 3}, "only beside use_sliding_window"),
        ("qwen2", {"layer_types": ["full_attention"]}, "expected a list of 3 types"),
        ("qwen2", {"layer_types": ["linear_attention"] * 3}, "'linear_attention' is not implemented"),
        ("qwen2", {"quantization_config": {"bits": 4}}, "key 'quantization_config'"),
        ("qwen2", {"hidden_act": "xielu"}, "activation 'xielu' is not implemented"),
        ("gemma3_text", {"use_bidirectional_attention": True}, "'use_bidirectional_attention': true is not"),
        ("gemma3_text", {"sliding_window_pattern": 0}, "'sliding_window_pattern': expected a positive number"),
        ("gemma3_text", {"rope_parameters": {"rope_type": "linear"}}, "'rope_type' is not understood"),
        ("phi3", {}, "model_type 'phi3' does not fit the family token-logit"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_config_says_is_obeyed_or_refused(kind, changes, told):
    raw = {**SIZES, "model_type": kind, "max_position_embeddings": 64, **changes}
    with pytest.raises(InputError) as caught:
        family_named("token-logit").config(raw, "config.json")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("pooling", "cls"), ("temperature", 0.5), ("num_labels", 2)])
def test_what_nvidias_class_might_do_otherwise_is_refused(key, value):
    raw = {**SIZES, "model_type": "llama_bidirec", "max_position_embeddings": 64, key: value}
    with pytest.raises(InputError, match=f"key '{key}': {json.dumps(value)} is not implemented"):
        family_named("mean-pooled").config(raw)


@pytest.mark.parametrize("kind", ["Llama", "Mistral", "Qwen2", "Qwen3", "Gemma"])
def test_a_key_that_is_left_out_is_the_librarys_default(kind):
    own = getattr(transformers, f"{kind}Config")()
    config = family_named("token-logit").config({"model_type": kind.lower()})
    assert (config.layers, config.hidden, config.vocab) == (own.num_hidden_layers, own.hidden_size, own.vocab_size)
    assert (config.kv_heads, config.tied) == (own.num_key_value_heads, own.tie_word_embeddings)
    assert config.head_dim == (getattr(own, "head_dim", None) or own.hidden_size // own.num_attention_heads)
    assert config.sliding_window == getattr(own, "sliding_window", None)
    assert config.rope.theta == own.rope_parameters["rope_theta"]
    assert json.loads(json.dumps(config.norm_eps)) == own.rms_norm_eps


def test_the_old_spelling_of_gemma3_is_the_same(tmp_path):
    rope = {"rope_type": "linear", "factor": 8.0}
    ropes = {
        "full_attention": {**rope, "rope_theta": 900.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 70.0},
    }
    sizes = {"head_dim": 8, "sliding_window": 6, "num_hidden_layers": 4}
    write(tmp_path, "Gemma3", rope_parameters=ropes, layer_types=["sliding_attention", "full_attention"] * 2, **sizes)
    newer = load(spec_of(tmp_path), CPU).score(GROUPS, [Setting()], TextOptions()).scores
    old = {"rope_scaling": rope, "rope_theta": 900.0, "rope_local_base_freq": 70.0, "sliding_window_pattern": 2}
    edit(tmp_path / "config.json", rope_parameters=..., layer_types=..., **old)
    np.testing.assert_array_equal(load(spec_of(tmp_path), CPU).score(GROUPS, [Setting()], TextOptions()).scores, newer)
