"""The LLM family also runs plain Gemma-2, with both soft caps: equal to transformers' eager implementation."""

from __future__ import annotations

import shutil

import numpy as np
import torch
from decoder_goldens import PARITY, groups, pairs
from rerankbench.rerankers.options import LoadOptions, TextOptions
from rerankbench.rerankers.registry import load
from rerankbench.rerankers.settings import Setting
from rerankbench.rerankers.spec import ModelSpec
from rerankbench.rerankers.tokenization.decoder_pairs import pair_tokens
from transformers import Gemma2Config, Gemma2ForCausalLM


def test_equal_to_transformers(tmp_path):
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=800,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=12,
        query_pre_attn_scalar=16,
        sliding_window=24,
        attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0,
        pad_token_id=0,
        attn_implementation="eager",
    )
    reference = Gemma2ForCausalLM(config).eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.normal_(0, 0.3)
    reference.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copyfile(PARITY / "gemma-s1" / name, tmp_path / name)
    reranker = load(ModelSpec("tiny", "llm", str(tmp_path)), LoadOptions(device="cpu", dtype="float32"))
    chosen, text = groups(pairs()[:8]), TextOptions(max_length=64)
    found = reranker.score(chosen, [Setting()], text).scores[0]
    plan = reranker.plan
    filled = plan.text.resolve(text)
    begin = list(plan.begin[filled.truncation])
    tokens = pair_tokens(reranker.tokenizer, chosen, filled, plan.text.template, begin=begin)
    (yes,) = reranker.plan.rows[reranker.config.layers].rows
    with torch.no_grad():
        expected = [reference(torch.tensor([pair.ids])).logits[0, -1, yes].item() for pair in tokens]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.std(expected) > 0.01
