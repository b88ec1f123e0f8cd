"""Checkpoints as public bug reports describe them: the score is that of the model's own library for the pair alone."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from checkpoints import PARITY
from rerankbench.rerankers import InputError, LoadOptions, load
from wild import PAIRS, SPECIAL, WORDS, alone, classifier, edit, ours, word_tokenizer

LONG = [
    (
        "where do trains to Basel stop and when",
        "Bread and butter first, then a long walk along the river; at the very end the train to Basel waits.",
    )
]


def close(found, right, most: float = 1e-4) -> None:
    assert np.ptp(right) > 0.05 or len(right) == 1  # else a wrong answer could pass
    np.testing.assert_allclose(found, right, rtol=0, atol=most)


def xlmr_tokenizer(folder) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(PARITY / "xlmr-s1" / name, folder / name)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("kind", ["Bert", "Electra"])
def test_token_types_come_from_the_tokenizer_and_it_may_yield_none(tmp_path, kind, rows):
    classifier(tmp_path, kind, vocab_size=1000, pad_token_id=1, type_vocab_size=rows)
    xlmr_tokenizer(tmp_path)
    close(ours(tmp_path), alone(tmp_path))


@pytest.mark.parametrize("kind", ["Bert", "Electra"])
@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"tokenizer_class": "PreTrainedTokenizerFast"},
        {"tokenizer_class": "TokenizersBackend"},
        {"model_input_names": ["input_ids", "attention_mask"]},
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "token_type_ids"]},
        {"tokenizer_class": ...},
        {"tokenizer_class": "ElectraTokenizer"},
    ],
    ids=str,
)
def test_whether_there_are_types_is_the_tokenizers_business(tmp_path, kind, declared):
    classifier(tmp_path, kind)
    word_tokenizer(tmp_path)
    edit(tmp_path / "tokenizer_config.json", **declared)
    close(ours(tmp_path), alone(tmp_path))


def test_types_beyond_the_models_table_are_refused(tmp_path):
    classifier(tmp_path, "Bert", type_vocab_size=1)
    word_tokenizer(tmp_path)
    with pytest.raises(InputError, match=r"yields token type 1, but type_vocab_size in config\.json is 1"):
        ours(tmp_path)


def test_special_tokens_have_types_of_their_own(tmp_path):
    from tokenizers import Tokenizer, processors

    classifier(tmp_path, "XLNet", d_model=32, n_layer=2, n_head=4, d_inner=48)
    word_tokenizer(
        tmp_path, tokenizer_class="PreTrainedTokenizerFast", model_input_names=["input_ids", "token_type_ids"]
    )
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A:0 [SEP]:0 [CLS]:2",
        pair="$A:0 [SEP]:0 $B:1 [SEP]:1 [CLS]:2",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    edit(tmp_path / "tokenizer_config.json", padding_side="left")
    close(ours(tmp_path), alone(tmp_path))


@pytest.mark.parametrize("kind", ["Llama", "Qwen2", "Gemma2", "GPT2"])
@pytest.mark.parametrize("pad", [0, 1, 7, None])
def test_a_decoder_pads_with_its_own_id_or_none(tmp_path, kind, pad):
    gpt = {"n_embd": 32, "n_layer": 2, "n_head": 4} if kind == "GPT2" else {"num_key_value_heads": 2, "head_dim": 8}
    classifier(tmp_path, kind, pad_token_id=pad, bos_token_id=2, eos_token_id=3, **gpt)
    word_tokenizer(tmp_path, tokenizer_class="PreTrainedTokenizerFast")
    edit(tmp_path / "config.json", pad_token_id=pad)
    close(ours(tmp_path), alone(tmp_path))


@pytest.mark.parametrize("truncation", ["class", "snippet"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_truncation_side(tmp_path, side, truncation):
    folder = tmp_path / "model"
    shutil.copytree(PARITY / "xlmr-s1", folder)
    edit(folder / "tokenizer_config.json", truncation_side=side)
    cut = "only_second" if truncation == "class" else True
    right = alone(folder, LONG, truncation=cut, max_length=32)
    close(ours(folder, LONG, max_length=32, truncation=truncation), right)


def test_truncation_side_of_a_decoder(tmp_path):
    """Query and passage each at their limit, then the passage again, by transformers' own `prepare_for_model`."""
    from rerankbench.rerankers.api import Group
    from rerankbench.rerankers.options import TextOptions
    from transformers import PreTrainedTokenizerFast

    folder = tmp_path / "model"
    shutil.copytree(PARITY / "gemma-s1", folder)
    edit(folder / "tokenizer_config.json", truncation_side="left")
    reranker = load(str(folder), LoadOptions("cpu", "float32"))
    found = reranker.prepare(
        [Group(q, [f"{p} {p}"]) for q, p in LONG], TextOptions(prompt="Yes", max_length=24)
    ).tokens[0]
    theirs = PreTrainedTokenizerFast.from_pretrained(folder)
    assert theirs.truncation_side == "left"

    def cut(text: str, most: int) -> list[int]:
        return theirs(text, truncation=True, max_length=most, add_special_tokens=False)["input_ids"]

    separator = theirs("\n", add_special_tokens=False)["input_ids"]
    query, passage = cut(f"A: {LONG[0][0]}", 18), cut(f"B: {LONG[0][1]} {LONG[0][1]}", 24)
    tail = found.ids[len(found.ids) - found.prompt :]
    both = [theirs.bos_token_id, *query], [*separator, *passage]
    surplus = sum(map(len, both)) - 24 - len(tail)
    assert surplus > 0
    assert found.ids == [*both[0], *both[1][surplus:], *tail]
    assert found.query == len(both[0]) + max(0, len(separator) - surplus)


@pytest.mark.parametrize("in_json", [True, False])
@pytest.mark.parametrize("in_config", [True, False])
@pytest.mark.parametrize("kind", ["DistilBert", "Bert", "MobileBert"])
def test_tokenizer_config_wins_over_the_normaliser_in_tokenizer_json(tmp_path, kind, in_json, in_config):
    shape = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48} if kind == "DistilBert" else {}
    shape |= {"true_hidden_size": 32, "embedding_size": 32, "intra_bottleneck_size": 32} if kind == "MobileBert" else {}
    classifier(tmp_path, kind, **shape)
    word_tokenizer(tmp_path, lowercase=in_json, tokenizer_class=f"{kind}Tokenizer", do_lower_case=in_config)
    if kind == "DistilBert":
        edit(tmp_path / "tokenizer_config.json", model_input_names=["input_ids", "attention_mask"])
    cased = [("what is a Panda ?", "the caf\u00e9 of China"), ("train to Basel", "bread and butter")]
    close(ours(tmp_path, cased), alone(tmp_path, cased))


@pytest.mark.parametrize("strip", [True, False, None])
def test_strip_accents(tmp_path, strip):
    classifier(tmp_path, "Bert")
    word_tokenizer(tmp_path, strip_accents=strip)
    accents = [("caf\u00e9", "the caf\u00e9"), ("cafe", "the panda")]
    close(ours(tmp_path, accents), alone(tmp_path, accents))


def test_added_tokens(tmp_path):
    from transformers import AutoTokenizer

    classifier(tmp_path, "Bert", vocab_size=len(SPECIAL) + len(WORDS) + 2)
    word_tokenizer(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    tokenizer.add_tokens(["rerank bench"])
    tokenizer.add_special_tokens({"additional_special_tokens": ["[QUERY]"]})
    tokenizer.save_pretrained(tmp_path)
    pairs = [("[QUERY] what is rerank bench ?", "rerank bench is a panda"), *PAIRS[:1]]
    assert len(tokenizer("rerank bench [QUERY]", add_special_tokens=False)["input_ids"]) == 2
    close(ours(tmp_path, pairs), alone(tmp_path, pairs))


def test_the_default_length_is_the_models_own(tmp_path):
    classifier(tmp_path / "short", "Bert", max_position_embeddings=40)
    word_tokenizer(tmp_path / "short")
    pairs = [("the panda", "the river of stone " * 30), *PAIRS]
    close(ours(tmp_path / "short", pairs), alone(tmp_path / "short", pairs, truncation="only_second", max_length=40))
    with pytest.raises(InputError, match="exceeds the model's 40 positions; use max_length 40 or less"):
        ours(tmp_path / "short", pairs, max_length=64)
    classifier(tmp_path / "stated", "Electra", embedding_size=32)
    word_tokenizer(tmp_path / "stated", model_max_length=24)
    close(ours(tmp_path / "stated", pairs), alone(tmp_path / "stated", pairs, truncation="only_second", max_length=24))


def test_padding_ids_within_a_text_count_as_alone(tmp_path):
    """Positions of RoBERTa are counted over ids other than padding; a text may hold that id."""
    classifier(tmp_path, "XLMRoberta", vocab_size=1000, pad_token_id=1, max_position_embeddings=64, type_vocab_size=1)
    xlmr_tokenizer(tmp_path)
    pairs = [("the <pad> river", "of <pad> <pad> stone"), *PAIRS]
    close(ours(tmp_path, pairs), alone(tmp_path, pairs))


def test_scores_that_are_random_are_refused(tmp_path, monkeypatch):
    from transformers import ElectraForSequenceClassification

    classifier(tmp_path, "Electra")
    word_tokenizer(tmp_path)
    whole = ElectraForSequenceClassification.forward

    def forward(self, *args, **named):
        output = whole(self, *args, **named)
        output.logits = output.logits + torch.rand(())
        return output

    forward.__signature__ = __import__("inspect").signature(whole)
    monkeypatch.setattr(ElectraForSequenceClassification, "forward", forward)
    with pytest.raises(InputError, match="scores the same pair differently each time"):
        load(str(tmp_path), LoadOptions("cpu", "float32"))


def test_padding_found_harmful_while_scoring(tmp_path, monkeypatch):
    """A model whose behaviour changes with length passes the first look; the next range of lengths is looked at too."""
    from transformers import ElectraForSequenceClassification

    classifier(tmp_path, "Electra")
    word_tokenizer(tmp_path)
    whole = ElectraForSequenceClassification.forward

    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None):
        length = input_ids.shape[1]
        mask = torch.ones_like(attention_mask) if length > 60 else attention_mask  # a block of 60 tokens is exact
        return whole(self, input_ids=input_ids, attention_mask=mask, token_type_ids=token_type_ids)

    monkeypatch.setattr(ElectraForSequenceClassification, "forward", forward)
    pairs = [("the panda", "the river of stone " * n) for n in (15, 20, 17, 3)]
    reranker = load(str(tmp_path), LoadOptions("cpu", "float32"))
    assert reranker.probe.mode == "padded"
    close(ours(tmp_path, pairs), [ours(tmp_path, [pair])[0] for pair in pairs])


def test_a_json_that_names_no_class_is_no_problem(tmp_path):
    """`architectures` absent: the head in the weights tells a classifier."""
    classifier(tmp_path, "Bert")
    word_tokenizer(tmp_path)
    right = alone(tmp_path)
    edit(tmp_path / "config.json", architectures=...)
    close(ours(tmp_path), right)
