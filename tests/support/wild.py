"""Builders of checkpoints as they are found in the wild, and what the models' own libraries give for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rerankbench.rerankers import LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.api import Group

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXT = (  # every word of the vocabulary of `word_tokenizer`
    "what where is a the of to and panda bear china river stone train trains leave every hour basel platform bread "
    "butter . ? , Panda Basel China caf\u00e9 cafe quiet lamp green paper"
)
WORDS = TEXT.split()
PAIRS = [
    ("what is a panda ?", "the panda is a bear of china ."),
    ("train to basel", "trains to basel leave every hour . bread and butter , and the quiet lamp of the river"),
    ("train to basel", "bread and butter"),
    ("where is the river of stone and the green paper of china ?", "the river"),
]
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


def lively(model: Any, seed: int = 1) -> Any:
    """Weights with which every score differs clearly from every other."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.25)
            elif not name.endswith("weight"):  # those of norms stay
                parameter.normal_(0.0, 0.1)
    return model.eval()


def word_tokenizer(folder: Path, *, template: str = "bert", lowercase: bool = True, **config: Any) -> list[str]:
    """A tokenizer over WORDS, in BERT's manner or (`template="plain"`) joining texts without types; its vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = [*SPECIAL, *WORDS]
    ids = {word: i for i, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    kinds = {"bert": "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", "plain": "[CLS]:0 $A:0 [SEP]:0 $B:0 [SEP]:0"}
    special = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair=kinds[template], special_tokens=special
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    declared = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "pad", "unk", "mask")}
    text = json.dumps({**declared, "model_max_length": 512, "tokenizer_class": "BertTokenizer", **config})
    (folder / "tokenizer_config.json").write_text(text)
    return vocabulary


def classifier(folder: Path, kind: str, **shape: Any) -> None:
    """A random `KindForSequenceClassification` with one output over the vocabulary of `word_tokenizer`."""
    import transformers

    sizes = {"vocab_size": len(SPECIAL) + len(WORDS), "num_labels": 1, **TINY, **shape}
    config = getattr(transformers, f"{kind}Config")(**sizes)
    lively(getattr(transformers, f"{kind}ForSequenceClassification")(config)).save_pretrained(folder)


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file; `...` takes a key away."""
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not ...}))


def alone(folder: Path, pairs: Sequence[tuple[str, str]] = PAIRS, **call: Any) -> list[float]:
    """What transformers gives for each pair by itself: the tokenizer's own inputs, nothing padded."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return [model(**tokenizer([q], [p], return_tensors="pt", **call)).logits.item() for q, p in pairs]


def ours(folder: Path | str, pairs: Sequence[tuple[str, str]] = PAIRS, **text: Any) -> list[float]:
    """Scores that this project gives, all pairs in one call."""
    reranker = load(str(folder), LoadOptions(device="cpu", dtype="float32"))
    groups = [Group(query, [passage]) for query, passage in pairs]
    return reranker.score(groups, [Setting()], TextOptions(**text)).scores[0].tolist()
