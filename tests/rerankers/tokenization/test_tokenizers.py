"""Token ids and types beside `AutoTokenizer` of the installed release, on one folder per tokenizer class."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import transformers
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.options import TextOptions
from rerankbench.rerankers.tokenization.encoder_pairs import build_pairs
from rerankbench.rerankers.tokenization.tokenizer import Tokenizer
from wild import SPECIAL, TEXT, edit

NEW = int(transformers.__version__.split(".")[0]) >= 5
pytestmark = pytest.mark.skipif(not NEW, reason="builds its tokenizers with transformers 5")

TEXTS = (
    "what is a Panda?", "the river  of\tstone\nand  bread ", " leading and trailing  ",
    "caf\u00e9 CAF\u00c9 cafe\u0301",
    "\u4f60\u597d panda \U0001f600", "[MASK] <mask> <s> </s> [SEP] <pad> <bos> <eos>", "don't 3.14 1,000 it's", "",
    "\u200bzero\u00a0width\u0007", "I\u0307stanbul \ufb01n \u00bd", "trainstrains xyz",
)  # fmt: skip
SENTENCES = [TEXT, *TEXTS] * 4


@cache
def trained(kind: str) -> Any:
    """A small `tokenizers` model trained on the sentences: `wordpiece`, `bytes` (byte-level BPE), `bpe`, `unigram`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    special = [*SPECIAL, "<pad>", "<s>", "</s>", "<unk>", "<mask>", "<bos>", "<eos>", "<|endoftext|>"]
    if kind == "wordpiece":
        made, trainer = Tokenizer(models.WordPiece(unk_token="[UNK]")), trainers.WordPieceTrainer
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    elif kind == "unigram":
        made = Tokenizer(models.Unigram())
        made.pre_tokenizer = pre_tokenizers.Metaspace()
        made.train_from_iterator(
            SENTENCES, trainers.UnigramTrainer(vocab_size=180, special_tokens=special, unk_token="<unk>")
        )
        return made
    else:
        made, trainer = Tokenizer(models.BPE(unk_token=None if kind == "bytes" else "<unk>")), trainers.BpeTrainer
        made.pre_tokenizer = pre_tokenizers.ByteLevel() if kind == "bytes" else pre_tokenizers.Metaspace()
        made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet() if kind == "bytes" else []
    made.train_from_iterator(
        SENTENCES, trainer(vocab_size=420, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    return made


def parts(kind: str) -> dict[str, Any]:
    """Vocabulary and merges as the classes of transformers take them."""
    model = json.loads(trained(kind).to_str())["model"]
    if kind == "unigram":
        return {"vocab": [(token, score) for token, score in model["vocab"]]}
    merges = {"merges": [tuple(pair) for pair in model["merges"]]} if "merges" in model else {}
    return {"vocab": model["vocab"], **merges}


CLASSES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "BERT": ("BertTokenizer", "wordpiece", {}),
    "BERT cased": ("BertTokenizer", "wordpiece", {"do_lower_case": False}),
    "BERT accents": ("BertTokenizer", "wordpiece", {"strip_accents": False}),
    "DistilBERT": ("DistilBertTokenizer", "wordpiece", {"do_lower_case": False}),
    "ELECTRA": ("ElectraTokenizer", "wordpiece", {}),
    "MobileBERT": ("MobileBertTokenizer", "wordpiece", {}),
    "RoBERTa": ("RobertaTokenizer", "bytes", {}),
    "RoBERTa prefix": ("RobertaTokenizer", "bytes", {"add_prefix_space": True}),
    "DeBERTa": ("DebertaTokenizer", "bytes", {}),
    "GPT-2": ("GPT2Tokenizer", "bytes", {}),
    "Qwen2": ("Qwen2Tokenizer", "bytes", {}),
    "XLM-R": ("XLMRobertaTokenizer", "unigram", {}),
    "DeBERTa-v2": ("DebertaV2Tokenizer", "unigram", {}),
    "T5": ("T5Tokenizer", "unigram", {}),
    "Llama": ("LlamaTokenizer", "bpe", {}),
    "Gemma": ("GemmaTokenizer", "bpe", {}),
}


def save(name: str, folder: Path) -> None:
    kind, model, options = CLASSES[name]
    getattr(transformers, kind)(**parts(model), **options).save_pretrained(folder)


def modern_bert(folder: Path) -> None:
    """ModernBERT has no class of its own: the tokenizer.json and `PreTrainedTokenizerFast`."""
    from tokenizers import processors

    made = trained("bytes")
    ids = [(name, made.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", ids)
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "pad", "mask", "unk")}
    inputs = ["input_ids", "attention_mask"]
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_input_names=inputs, **named).save_pretrained(
        folder
    )


def check(folder: Path) -> None:
    """Ids of every text, and ids and types of pairs, whole and cut on the folder's side."""
    theirs, found = transformers.AutoTokenizer.from_pretrained(folder), Tokenizer(folder)
    whole = theirs(list(TEXTS), add_special_tokens=False)["input_ids"]
    assert found.ids(list(TEXTS)) == whole
    assert len({tuple(ids) for ids in whole}) > 6  # the vocabulary tells the texts apart
    pairs = [(q, p) for q in TEXTS[:5] for p in TEXTS]
    groups = [Group(q, [p]) for q, p in pairs]
    for length in (500, 14):
        text = TextOptions(max_length=length, query_max_length=length, truncation="snippet")
        expected = theirs([list(pair) for pair in pairs], truncation=True, max_length=length, padding=False)
        built = build_pairs(found, groups, text)
        assert built.ids == expected["input_ids"]
        assert found.has_types == ("token_type_ids" in expected)
        if found.has_types:
            assert [built.types(i) for i in range(len(pairs))] == expected["token_type_ids"]
    single = found.single_template()
    assert [single.join(ids) for ids in whole] == theirs(list(TEXTS))["input_ids"]


@pytest.mark.parametrize("name", CLASSES)
def test_ids_and_types(tmp_path, name):
    save(name, tmp_path)
    check(tmp_path)


def test_modern_bert(tmp_path):
    modern_bert(tmp_path)
    check(tmp_path)


@pytest.mark.parametrize("name", ["BERT", "RoBERTa", "XLM-R", "Llama", "Qwen2"])
@pytest.mark.parametrize(
    "changes",
    [
        {"truncation_side": "left"},
        {"tokenizer_class": "PreTrainedTokenizerFast"},
        {"tokenizer_class": ...},
        {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]},
        {"split_special_tokens": True},
        {"do_lower_case": False},
        {"add_prefix_space": True},
        {"add_bos_token": True, "add_eos_token": True},
    ],
    ids=lambda changes: "+".join(changes),
)
def test_what_tokenizer_config_says(tmp_path, name, changes):
    save(name, tmp_path)
    edit(tmp_path / "tokenizer_config.json", **changes)
    check(tmp_path)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta", "electra", "llama", "gemma2", "made_up"])
def test_a_class_that_config_json_tells(tmp_path, kind):
    """Without `tokenizer_class` the model type decides which class transformers takes."""
    save("Llama" if kind in ("llama", "gemma2") else "XLM-R" if kind == "xlm-roberta" else "BERT", tmp_path)
    edit(tmp_path / "tokenizer_config.json", tokenizer_class=...)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    check(tmp_path)
