"""What `config.json` says is checked when it is read; what it leaves out is the library's own default."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rerankbench.rerankers import InputError, LoadOptions, load
from rerankbench.rerankers.registry import family_named, find_spec
from wild import alone, classifier, edit, ours, word_tokenizer


@pytest.mark.parametrize(
    "key", ["hidden_act", "layer_norm_eps", "max_position_embeddings", "type_vocab_size", "pad_token_id"]
)
@pytest.mark.parametrize("kind", ["Bert", "XLMRoberta"])
def test_a_missing_key_is_the_librarys_default(tmp_path, kind, key):
    default = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "max_position_embeddings": 512, "type_vocab_size": 2}
    classifier(tmp_path, kind, pad_token_id=0 if kind == "Bert" else 1, **default)
    word_tokenizer(tmp_path)
    edit(tmp_path / "config.json", **{key: ...})
    np.testing.assert_allclose(ours(tmp_path), alone(tmp_path), rtol=0, atol=1e-4)


def test_gemma2_without_its_caps_has_the_librarys():
    from transformers import Gemma2Config

    own = Gemma2Config()
    raw = {"model_type": "gemma2", "architectures": ["Gemma2ForCausalLM"]}
    config = family_named("llm").config(raw)
    assert config.attention_cap == own.attn_logit_softcapping == 50.0
    assert (config.final_softcap, config.sliding_window) == (own.final_logit_softcapping, own.sliding_window)
    assert (config.kv_heads, config.head_dim) == (own.num_key_value_heads, own.head_dim)
    assert config.query_scale == own.query_pre_attn_scalar**-0.5


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_hidden_layers": 10**12}, "num_hidden_layers': expected 1 to 4096"),
        ({"num_hidden_layers": "3"}, "num_hidden_layers': expected a whole number, found '3'"),
        ({"num_hidden_layers": True}, "num_hidden_layers': expected a whole number"),
        ({"hidden_size": 30}, "hidden_size 30 is no multiple of num_attention_heads 4"),
        ({"num_attention_heads": 0}, "num_attention_heads': expected 1 to"),
        ({"layer_norm_eps": -1}, "layer_norm_eps': expected a positive number"),
        ({"layer_norm_eps": float("nan")}, "layer_norm_eps': expected a positive number"),
        ({"hidden_act": 7}, "hidden_act': expected text"),
        ({"hidden_act": "sinus"}, "activation 'sinus' is not implemented"),
        ({"architectures": "Bert"}, "architectures': expected a list of names"),
        ({"id2label": [1]}, "id2label': expected an object"),
        ({"quantization_config": {"bits": 4}}, "key 'quantization_config'"),
        ({"type_vocab_size": None}, "type_vocab_size"),
        ({"vocab_size": 2**40}, "vocab_size': expected 1 to"),
        ({"model_type": 3}, "model_type': expected text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_damage_is_named(tmp_path, changes, told):
    classifier(tmp_path, "Bert")
    word_tokenizer(tmp_path)
    edit(tmp_path / "config.json", **changes)
    with pytest.raises(InputError, match=told) as caught:
        load(str(tmp_path), LoadOptions("cpu", "float32"))
    assert "\n" not in str(caught.value)


def test_positions_need_a_padding_id(tmp_path):
    classifier(tmp_path, "XLMRoberta", pad_token_id=1)
    word_tokenizer(tmp_path)
    edit(tmp_path / "config.json", pad_token_id=None)
    with pytest.raises(InputError, match="'pad_token_id': positions are counted from it, so it cannot be None"):
        load(str(tmp_path), LoadOptions("cpu", "float32"))


def test_a_padding_id_of_null_is_no_matter_to_bert(tmp_path):
    classifier(tmp_path, "Bert")
    word_tokenizer(tmp_path)
    right = alone(tmp_path)
    edit(tmp_path / "config.json", pad_token_id=None)
    np.testing.assert_allclose(ours(tmp_path), right, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", ["Gemma", "Gemma2", "Llama", "Albert", "DistilBert", "Qwen2", "Electra", "T5"])
def test_a_family_is_found_for_every_classifier(tmp_path, kind):
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": kind.lower(), "architectures": [f"{kind}ForSequenceClassification"]})
    )
    assert find_spec(str(tmp_path)).family == "sequence-classification"
