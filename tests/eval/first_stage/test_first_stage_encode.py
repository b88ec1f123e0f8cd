"""The encoder pools, truncates and normalises as its specification says: against plain transformers."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rerankbench.eval.first_stage.encode import LastEncoder, SentenceEncoder
from rerankbench.eval.first_stage.retriever import RetrieverSpec, Specials, load_retriever
from rerankbench.rerankers.errors import InputError
from tiny_hub import PARITY, as_e5, make

pytestmark = pytest.mark.slow  # sentence-transformers takes its time to import
TEXTS = ["the river runs over the quiet stone", "lamp", "green paper moon window " * 20, "moon"]


def mistral(folder: Path, *, ends: bool) -> Path:
    """A tiny Mistral whose tokenizer adds the end-of-text token, or does not."""
    import transformers as t
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = sorted({word for text in TEXTS for word in text.split()})
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(["<unk>", "</s>", *words])}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if ends:
        tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = t.MistralModel(t.MistralConfig(vocab_size=40, num_key_value_heads=1, **sizes))
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    special: dict[str, object] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "</s>",
        "pad_token": "</s>",
    }
    special |= {"unk_token": "<unk>", "model_input_names": ["input_ids", "attention_mask"]}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    return folder


def reference(folder: Path, texts: list[str], pooling: str, limit: int) -> np.ndarray:
    """One text at a time, so nothing is padded."""
    import transformers as t

    tokenizer, model = t.AutoTokenizer.from_pretrained(folder), t.AutoModel.from_pretrained(folder).eval()
    rows = []
    for text in texts:
        batch = tokenizer(text, truncation=True, max_length=limit, padding=False, return_tensors="pt")
        with torch.inference_mode():
            states = model(**batch).last_hidden_state[0].float()
        rows.append({"cls": states[0], "last": states[-1], "mean": states.mean(0)}[pooling])
    return torch.nn.functional.normalize(torch.stack(rows), dim=1).numpy()


def spec(folder: Path, pooling: str, **keys: object) -> RetrieverSpec:
    lengths = {"query_max_length": 8, "passage_max_length": 32}
    return RetrieverSpec.model_validate({"name": "x", "source": str(folder), "pooling": pooling, **lengths, **keys})


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize("kind", ["bert", "xlmr"])
def test_pooling_of_encoders(tmp_path: Path, kind: str, pooling: str):
    make(tmp_path, kind, head=False)
    encoder = SentenceEncoder(spec(tmp_path, pooling), "cpu")
    assert encoder.dimensions == 24
    for queries, limit in ((False, 32), (True, 8)):
        found = encoder.encode(TEXTS, queries=queries)
        assert found.dtype == np.float32
        assert np.allclose(found, reference(tmp_path, TEXTS, pooling, limit), atol=1e-5)


def test_last_token_of_a_decoder(tmp_path: Path):
    folder = mistral(tmp_path, ends=True)
    found = SentenceEncoder(spec(folder, "last"), "cpu").encode(TEXTS, queries=False)
    assert np.allclose(found, reference(folder, TEXTS, "last", 32), atol=1e-5)


def test_e5_has_both_special_tokens_under_every_release(tmp_path: Path):
    """Expected are ids put together by hand: <s>, a letter each, </s>, cut before the last."""
    import transformers as t

    folder = as_e5(tmp_path)
    published = load_retriever("e5-mistral-7b-instruct")
    assert (published.pooling, published.tokenizer) == ("last", Specials(add_bos_token=True, add_eos_token=True))
    encoder = SentenceEncoder(spec(folder, "last", tokenizer=published.tokenizer), "cpu")
    model = t.AutoModel.from_pretrained(folder).eval()
    for queries, limit in ((False, 32), (True, 8)):
        rows = []
        for text in TEXTS:
            letters = [3 if c == " " else 4 + ord(c) - 97 for c in f" {text}".rstrip()]
            with torch.inference_mode():
                states = model(input_ids=torch.tensor([[1, *letters[: limit - 2], 2]])).last_hidden_state[0]
            rows.append(states[-1])
        expected = torch.nn.functional.normalize(torch.stack(rows), dim=1).numpy()
        assert np.allclose(encoder.encode(TEXTS, queries=queries), expected, atol=1e-5)


def test_special_tokens_that_cannot_be_had_are_refused(tmp_path: Path):
    both = Specials(add_bos_token=True, add_eos_token=True)
    with pytest.raises(InputError, match=r"needs other special tokens .*\(add_bos_token: false, "):
        SentenceEncoder(spec(mistral(tmp_path, ends=False), "last", tokenizer=both), "cpu")


def test_last_token_needs_the_end_of_text(tmp_path: Path):
    with pytest.raises(InputError, match="reads the end-of-text token, which this tokenizer does not add"):
        SentenceEncoder(spec(mistral(tmp_path, ends=False), "last"), "cpu")


def test_without_normalisation(tmp_path: Path):
    make(tmp_path, "bert", head=False)
    lengths = np.linalg.norm(
        SentenceEncoder(spec(tmp_path, "cls", normalise=False), "cpu").encode(TEXTS, queries=False), axis=1
    )
    assert not np.allclose(lengths, 1)


def test_one_model_for_many_datasets(tmp_path: Path):
    make(tmp_path, "bert", head=False)
    kept = LastEncoder()
    first = kept(spec(tmp_path, "cls"), "cpu")
    assert kept(spec(tmp_path, "cls"), "cpu") is first
    assert kept(spec(tmp_path, "mean"), "cpu") is not first


def test_extra_is_named_when_it_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(InputError, match=r'pip install "rerankbench\[dense\]"'):
        SentenceEncoder(spec(tmp_path, "cls"), "cpu")


def test_folder_that_is_no_encoder(tmp_path: Path):
    shutil.copytree(PARITY / "xlmr-s1", tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text('{"model_type": "nothing"}')
    with pytest.raises(InputError, match="cannot be loaded as a text encoder") as caught:
        SentenceEncoder(spec(tmp_path / "m", "cls"), "cpu")
    assert "\n" not in str(caught.value)
