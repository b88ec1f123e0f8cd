"""Adapters as peft saves them: the score is that of peft's own model, unmerged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from rerankbench.rerankers import InputError
from rerankbench.rerankers.checkpoint.hub import resolve
from wild import PAIRS, classifier, edit, lively, ours, word_tokenizer

peft = pytest.importorskip("peft")


@pytest.fixture(params=["Bert", "Llama"])
def adapter(request, tmp_path, monkeypatch) -> tuple[Path, list[float]]:
    """An adapter's folder, and what peft gives for each pair alone."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    base, folder = tmp_path / "base", tmp_path / "adapter"
    more = {"num_key_value_heads": 2, "pad_token_id": 0} if request.param == "Llama" else {}
    classifier(base, request.param, **more)
    word_tokenizer(base, tokenizer_class="PreTrainedTokenizerFast" if more else "BertTokenizer")
    model = AutoModelForSequenceClassification.from_pretrained(base)
    names = ["q_proj", "v_proj"] if more else ["query", "value"]
    wrapped = peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=names))
    lively(wrapped, seed=3)
    wrapped.save_pretrained(folder)
    whole = AutoModelForSequenceClassification.from_pretrained(base)
    theirs = peft.PeftModel.from_pretrained(whole, folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    with torch.no_grad():
        right = [theirs(**tokenizer([q], [p], return_tensors="pt")).logits.item() for q, p in PAIRS]
    return folder, right


def test_scores_are_pefts(adapter):
    folder, right = adapter
    assert np.ptp(right) > 0.1
    np.testing.assert_allclose(ours(folder), right, rtol=0, atol=1e-4)
    np.testing.assert_allclose(ours(folder), right, rtol=0, atol=1e-4)  # from what was kept


def test_adapter_and_base_make_the_identity(adapter):
    folder, _ = adapter
    base = Path(json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"])
    before = resolve(str(folder)).identity
    assert str(base) not in str(before)
    edit(base / "config.json", layer_norm_eps=1e-3)
    changed = resolve(str(folder)).identity
    edit(folder / "adapter_config.json", lora_alpha=3)
    assert len({str(before), str(changed), str(resolve(str(folder)).identity)}) == 3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"base_model_name_or_path": "./nowhere"}, "no such folder"),
        ({"base_model_name_or_path": None}, "expected the name of the base model"),
        ({"peft_type": "UNHEARD"}, "cannot be merged"),
    ],
)
def test_what_cannot_be_merged_is_one_line(adapter, change, told):
    folder, _ = adapter
    edit(folder / "adapter_config.json", **change)
    with pytest.raises(InputError, match=told) as caught:
        ours(folder)
    assert "\n" not in str(caught.value)


def test_without_peft_there_is_one_line(adapter, monkeypatch):
    import importlib.util

    folder, _ = adapter
    whole = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *more: None if name == "peft" else whole(name, *more))
    with pytest.raises(InputError, match=r"needs peft: pip install 'rerankbench\[peft\]'"):
        ours(folder)


def test_a_damaged_adapter_is_one_line(adapter):
    folder, _ = adapter
    path = folder / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="cannot be merged") as caught:
        ours(folder)
    assert "\n" not in str(caught.value)
    shutil.rmtree(folder)
