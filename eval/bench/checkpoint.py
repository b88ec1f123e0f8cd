"""The tokenizer of a benchmark: one token per generated word, so that lengths are those of the workload."""

from __future__ import annotations

import json
from pathlib import Path

from .pairs import WORDS, word

ANSWERS = ("Yes", "\n")  # tokens of decoders that can score
FIRST_ANSWER = 4  # id of the first of them
BEGIN = "<bos>"  # begins a decoder's text


def write_tokenizer(folder: Path, *, encoder: bool, vocab: int) -> None:
    """Write a tokenizer that makes one token of each word of the bench's texts.

    Encoders get XLM-RoBERTa's special tokens and pair template, decoders `<bos>`, a newline token and `Yes`.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    words = [word(n) for n in range(min(WORDS, vocab - 100))]
    if encoder:
        specials = ["<s>", "<pad>", "</s>", "<unk>"]
        pieces = [(token, 0.0) for token in specials] + [(f"▁{text}", -1.0) for text in words]
        tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> </s> $B </s>",
            special_tokens=[("<s>", 0), ("</s>", 2)],
        )
        declared = {"tokenizer_class": "XLMRobertaTokenizer", "cls_token": "<s>", "sep_token": "</s>"}
        declared |= {"bos_token": "<s>", "eos_token": "</s>", "mask_token": "<unk>"}
    else:
        specials = ["<pad>", "<eos>", BEGIN, "<unk>", *ANSWERS]
        table = {token: number for number, token in enumerate([*specials, *words])}
        tokenizer = Tokenizer(models.WordLevel(table, unk_token="<unk>"))
        tokenizer.normalizer = normalizers.Replace("\n", " \n ")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(" +"), "removed")
        tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])  # of the chat templates
        declared = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": BEGIN, "eos_token": "<eos>"}
    declared |= {"unk_token": "<unk>", "pad_token": "<pad>", "model_max_length": 8192}
    declared["clean_up_tokenization_spaces"] = False
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(declared), encoding="utf-8")
