"""Checkpoints as strangers save them: the library's own score for each pair alone, or one line that says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from rerankbench.rerankers import InputError, LoadOptions, ModelSpec, load
from rerankbench.rerankers.models.heads import activation
from safetensors.torch import load_file, save_file
from wild import PAIRS, WORDS, alone, classifier, edit, lively, ours, word_tokenizer

EXACT = LoadOptions("cpu", "float32")


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin", "Sigmoid", "Tanh", "RReLU"])
def test_an_activation_never_sees_the_neighbours(name):
    function = activation(f"torch.nn.modules.activation.{name}", "here")
    logits = torch.tensor([0.3, -2.0, 1.5, 1.5])
    together = function(logits)
    assert together.shape == logits.shape
    torch.testing.assert_close(together, torch.cat([function(logits[i : i + 1]) for i in range(4)]))


@pytest.mark.parametrize("name", ["GLU", "MultiheadAttention", "Threshold", "Softmax2d"])
def test_an_activation_that_gives_no_score_is_one_line(tmp_path, name):
    classifier(tmp_path, "Bert")
    word_tokenizer(tmp_path)
    edit(tmp_path / "config.json", sentence_transformers={"activation_fn": f"torch.nn.modules.activation.{name}"})
    with pytest.raises(InputError, match=f"activation 'torch.nn.modules.activation.{name}'") as caught:
        load(str(tmp_path), EXACT)
    assert "\n" not in str(caught.value)


def bart(folder: Path) -> None:
    """A classifier that reads the state of the last `</s>`, and a tokenizer to which a text may write one."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<s>", "<pad>", "</s>", "<unk>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(words[:4])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    folder.mkdir(exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))
    sizes = {
        f"{part}_{key}": n for part in ("encoder", "decoder") for key, n in (("layers", 1), ("attention_heads", 4))
    }
    config = transformers.BartConfig(
        **sizes, encoder_ffn_dim=48, decoder_ffn_dim=48, vocab_size=len(words), d_model=32, num_labels=1,
        pad_token_id=1, eos_token_id=2, decoder_start_token_id=2,
    )  # fmt: skip
    lively(transformers.BartForSequenceClassification(config)).save_pretrained(folder)


def test_a_batch_that_the_library_refuses_is_scored_one_by_one(tmp_path):
    bart(tmp_path)
    pairs = [
        *PAIRS,
        ("train to basel", "bread </s> and butter"),
        ("train to basel", "bread and butter </s> </s> river"),
    ]
    right = alone(tmp_path, pairs)
    assert np.ptp(right) > 0.1
    np.testing.assert_allclose(ours(tmp_path, pairs), right, rtol=0, atol=1e-4)


def test_a_pair_without_a_token_is_one_line(tmp_path):
    sizes = {"num_key_value_heads": 2, "pad_token_id": 0}
    classifier(tmp_path, "Qwen2", **sizes)
    word_tokenizer(tmp_path, tokenizer_class="PreTrainedTokenizerFast")
    edit(tmp_path / "tokenizer.json", post_processor=None)
    with pytest.raises(InputError, match="pair 1 has no token") as caught:
        ours(tmp_path, [PAIRS[0], ("", "")])
    assert "\n" not in str(caught.value)


def test_token_types_of_a_tokenizer_mean_nothing_to_a_model_without_them(tmp_path):
    ids = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    classifier(tmp_path, "ModernBert", **ids)
    names = ["input_ids", "token_type_ids", "attention_mask"]
    word_tokenizer(tmp_path, tokenizer_class="PreTrainedTokenizerFast", model_input_names=names)
    np.testing.assert_allclose(ours(tmp_path), alone(tmp_path), rtol=0, atol=1e-4)


def test_sentence_transformers_own_cut(tmp_path):
    library = pytest.importorskip("sentence_transformers")
    if int(library.__version__.split(".")[0]) < 6:
        pytest.skip("folders of sentence-transformers 6")
    classifier(tmp_path / "plain", "Bert")
    word_tokenizer(tmp_path / "plain")
    folder = tmp_path / "saved"
    library.CrossEncoder(str(tmp_path / "plain"), device="cpu", max_length=24).save_pretrained(str(folder))
    pairs = [("what is a panda ? " * 6, "the panda is a bear of china . " * 3), ("train to basel " * 9, "bread")]
    theirs = library.CrossEncoder(str(folder), device="cpu")
    right = [float(theirs.predict([pair], show_progress_bar=False)[0]) for pair in pairs]
    np.testing.assert_allclose(ours(folder, pairs), right, rtol=0, atol=1e-4)
    assert load(str(folder), EXACT).plan.text.truncation == "snippet"
    assert load(str(tmp_path / "plain"), EXACT).plan.text.truncation == "class"


@pytest.mark.parametrize("trusted", [False, True])
def test_code_over_a_known_model_type_is_never_passed_over(tmp_path, trusted):
    classifier(tmp_path, "Bert")
    word_tokenizer(tmp_path)
    plain = alone(tmp_path)
    (tmp_path / "modeling_double.py").write_text(
        "from transformers import BertForSequenceClassification\n"
        "class DoubleForSequenceClassification(BertForSequenceClassification):\n"
        "    def forward(self, **kw):\n"
        "        found = super().forward(**kw)\n"
        "        found.logits = found.logits * 2\n"
        "        return found\n"
    )
    mapped = {"AutoModelForSequenceClassification": "modeling_double.DoubleForSequenceClassification"}
    edit(tmp_path / "config.json", auto_map=mapped)
    spec = ModelSpec("double", "sequence-classification", str(tmp_path), trust_remote_code=trusted)
    if trusted:
        from rerankbench.rerankers import Group, Setting, TextOptions

        groups = [Group(query, [passage]) for query, passage in PAIRS]
        found = load(spec, EXACT).score(groups, [Setting()], TextOptions()).scores[0]
        np.testing.assert_allclose(found, 2 * np.array(plain), rtol=0, atol=1e-4)
        return
    for model in (spec, str(tmp_path)):
        with pytest.raises(InputError, match="key 'auto_map': the model is code of its repository") as caught:
            load(model, EXACT)
        assert "trust_remote_code: true" in str(caught.value)


@pytest.mark.parametrize("parent", ["", "models/"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"GGUF\3\0\0\0", "is a GGUF file"),
        (b"PK\3\4" + bytes(20), "is a file of weights"),
        (b"\x10" + bytes(7) + b'{"x": 1}', "is a file of weights"),
        (b"text", "is a file; give a model folder"),
    ],
)
def test_a_file_in_a_models_place_is_told_by_its_first_bytes(tmp_path, monkeypatch, parent, content, told):
    monkeypatch.chdir(tmp_path)
    path = Path(parent) / "some.gguf"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    for model in (str(path), str(path.resolve()), ModelSpec("file", "cross-encoder", str(path))):
        with pytest.raises(InputError, match=told) as caught:
            load(model, EXACT)
        assert "hub" not in str(caught.value).replace("hub id that it was made from", "")


@pytest.mark.parametrize("kind", ["Electra", "Llama"])
@pytest.mark.parametrize("name", ["weight_scale", "input_scale", "weight_zero_point"])
def test_scales_without_a_quantiser_are_refused(tmp_path, kind, name):
    classifier(tmp_path, kind, **({"num_key_value_heads": 2, "pad_token_id": 0} if kind == "Llama" else {}))
    word_tokenizer(tmp_path, tokenizer_class="PreTrainedTokenizerFast")
    weights = load_file(tmp_path / "model.safetensors")
    matrix = next(key for key in weights if ("layer" in key and "proj" in key) or "query" in key)
    stored = f"{matrix.rpartition('.')[0]}.{name}"
    save_file({**weights, stored: torch.ones(1)}, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match="would leave out; are its weights quantised") as caught:
        load(str(tmp_path), EXACT)
    assert stored in str(caught.value)


def test_another_head_in_the_file_is_no_matter(tmp_path):
    classifier(tmp_path, "Electra")
    word_tokenizer(tmp_path)
    right = alone(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    save_file({**weights, "qa_outputs.weight": torch.ones(2, 32)}, tmp_path / "model.safetensors", {"format": "pt"})
    np.testing.assert_allclose(ours(tmp_path), right, rtol=0, atol=1e-4)
