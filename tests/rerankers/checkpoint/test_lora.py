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
from safetensors.torch import load_file, save_file
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


def wrapped(folder: Path, base: Path, task: str | None = "SEQ_CLS", kind: str = "SequenceClassification", **lora):
    """A LoRA of random weights over a base, saved; what peft gives for each pair alone."""
    import transformers

    model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(base, num_labels=1)
    lora = {"target_modules": ["query", "value"], "r": 4, "task_type": task, **lora}
    lively(peft.get_peft_model(model, peft.LoraConfig(**lora)), seed=5).save_pretrained(folder)
    fresh = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(base, num_labels=1)
    model = peft.PeftModel.from_pretrained(fresh, folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    with torch.no_grad():
        return [model(**tokenizer([q], [p], return_tensors="pt")).logits.item() for q, p in PAIRS]


@pytest.fixture
def base(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    classifier(tmp_path / "base", "Bert")
    word_tokenizer(tmp_path / "base")
    return tmp_path / "base"


def refused(folder: Path, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        ours(folder)
    assert "\n" not in str(caught.value)
    assert not list((folder.parent / "cache").rglob("config.json"))  # nothing is kept


def test_what_nobody_saved_is_refused_and_not_kept(base, tmp_path):
    weights = load_file(base / "model.safetensors")
    wrapped(tmp_path / "adapter", base)
    save_file({k: v for k, v in weights.items() if "pooler" not in k}, base / "model.safetensors", {"format": "pt"})
    refused(tmp_path / "adapter", r"bert.pooler.dense.bias, bert.pooler.dense.weight is neither in its base")


def test_names_that_match_nothing_are_refused(base, tmp_path):
    folder = tmp_path / "adapter"
    wrapped(folder, base)
    held = load_file(folder / "adapter_model.safetensors")
    moved = {name.replace("bert.encoder", "encoder"): tensor for name, tensor in held.items()}
    save_file(moved, folder / "adapter_model.safetensors", {"format": "pt"})
    refused(folder, "has no place in the base")


def test_an_adapter_that_lacks_a_tensor_is_refused(base, tmp_path):
    folder = tmp_path / "adapter"
    wrapped(folder, base)
    held = load_file(folder / "adapter_model.safetensors")
    name = next(name for name in held if "lora_B" in name)
    save_file({k: v for k, v in held.items() if k != name}, folder / "adapter_model.safetensors", {"format": "pt"})
    refused(folder, "its weights lack .*lora_B")


@pytest.mark.parametrize(
    "lora", [{}, {"bias": "all"}, {"use_dora": True}, {"use_rslora": True}, {"layers_to_transform": 0}]
)
@pytest.mark.parametrize("task", ["SEQ_CLS", None])
def test_every_kind_of_lora_is_merged(base, tmp_path, task, lora):
    folder = tmp_path / "adapter"
    more = {} if task else {"modules_to_save": ["classifier"]}
    right = wrapped(folder, base, task, **more, **lora)
    np.testing.assert_allclose(ours(folder), right, rtol=0, atol=1e-3)


def test_weights_of_older_releases(base, tmp_path, monkeypatch):
    folder = tmp_path / "adapter"
    right = wrapped(folder, base)
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    loads, load = [], torch.load

    def noticed(*arguments, **options):
        loads.append(options.get("weights_only"))
        return load(*arguments, **options)

    monkeypatch.setattr(torch, "load", noticed)
    np.testing.assert_allclose(ours(folder), right, rtol=0, atol=1e-4)
    assert loads == [True], "peft is given no pickle"


class Touch:
    """What runs code when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_pickle_runs_no_code(base, tmp_path):
    folder = tmp_path / "adapter"
    wrapped(folder, base)
    torch.save({"weight": Touch(tmp_path / "ran")}, folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(InputError, match="adapter"):
        ours(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"task_type": "TOKEN_CLS"}, "key 'task_type': 'TOKEN_CLS' scores no pairs"),
        (
            {"task_type": None, "auto_mapping": {"base_model_class": "BertForMaskedLM"}},
            "does not show what it was trained",
        ),
        (
            {"task_type": None, "auto_mapping": {"base_model_class": "OwnModel", "parent_library": "modeling_own"}},
            "key 'auto_mapping': modeling_own is code of its own",
        ),
        ({"a_key_of_tomorrow": 3}, "key 'a_key_of_tomorrow': 3 is not known to peft"),
        ({"revision": 3}, "key 'revision': expected a branch"),
        ({"r": 8}, "cannot be merged"),
    ],
    ids=str,
)
def test_what_an_adapter_says_is_obeyed_or_refused(base, tmp_path, change, told):
    wrapped(tmp_path / "adapter", base)
    edit(tmp_path / "adapter" / "adapter_config.json", **change)
    refused(tmp_path / "adapter", told)
