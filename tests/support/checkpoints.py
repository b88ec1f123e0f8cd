"""Small random-weight checkpoints in the hub's layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
from packaging.version import Version
from safetensors.torch import load_file, save_file

PARITY = Path(__file__).resolve().parents[1] / "rerankers" / "parity"
WORDS = ["the", "of", "river", "stone", "runs", "over", "quiet", "lamp", "green", "paper", "window", "moon"]


def bert_tokenizer(folder: Path) -> None:
    """A lower-casing WordPiece tokenizer over some words and the letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = "abcdefghijklmnopqrstuvwxyz"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = [*special, *letters, *(f"##{c}" for c in letters), *WORDS, ".", ",", "?"]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(vocab)}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(special)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_truncation(12)  # some published tokenizers carry a limit; it must not take part
    tokenizer.enable_padding(length=12)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512}
    config |= {f"{n}_token": f"[{n.upper()}]" for n in ("pad", "unk", "cls", "sep", "mask")}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def xlmr_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(PARITY / "xlmr-s1" / name, folder / name)


def make(folder: Path, kind: str, *, head: bool = True, seed: int = 0, **shape: Any) -> Any:
    """Write a checkpoint of transformers' own class with lively random weights; returns that model."""
    import transformers as t

    bert = kind == "bert"
    sizes: dict[str, Any] = {
        "hidden_size": 24,
        "num_hidden_layers": 3,
        "num_attention_heads": 3,
        "intermediate_size": 40,
    }
    sizes |= {"num_labels": 1, **shape}
    config: Any
    if bert:
        config = t.BertConfig(vocab_size=90, pad_token_id=0, **{"max_position_embeddings": 128, **sizes})
        cls = t.BertForSequenceClassification if head else t.BertModel
    else:
        sizes = {"max_position_embeddings": 130, "type_vocab_size": 1, "layer_norm_eps": 1e-5, **sizes}
        config = t.XLMRobertaConfig(vocab_size=1000, pad_token_id=1, **sizes)
        cls = t.XLMRobertaForSequenceClassification if head else t.XLMRobertaModel
    torch.manual_seed(seed)
    model = cls(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.3)
    model.save_pretrained(folder)
    (bert_tokenizer if bert else xlmr_tokenizer)(folder)
    return model


def change(folder: Path, edit: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Edit the tensors of a checkpoint in place."""
    path = folder / "model.safetensors"
    state = load_file(path)
    edit(state)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path, {"format": "pt"})


def shard(folder: Path, parts: int = 3) -> None:
    """Split `model.safetensors` as the hub does."""
    state = load_file(folder / "model.safetensors")
    names, where = sorted(state), {}
    for part in range(parts):
        file = f"model-{part + 1:05d}-of-{parts:05d}.safetensors"
        mine = {name: state[name] for name in names[part::parts]}
        save_file(mine, folder / file, {"format": "pt"})
        where |= dict.fromkeys(mine, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    (folder / "model.safetensors").unlink()


def to_bin(folder: Path) -> None:
    """Replace safetensors by a pickled state."""
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


needs_merges_in_pairs = pytest.mark.skipif(
    Version(tokenizers.__version__) < Version("0.20"),
    reason="this tokenizer.json lists its merges in pairs, which tokenizers reads since 0.20",
)
