"""Tiny encoder-decoders and models with a vector for each token, made by the libraries that publish such models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from checkpoints import WORDS, bert_tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ANSWERS = ("true", "false", "yes", "no")


def _fill(model: Any, seed: int) -> Any:
    """Lively weights: random ones of a fresh model are all alike."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.3)
    return model.eval()


def t5_tokenizer(folder: Path) -> None:
    """Pieces with the mark of a blank, as SentencePiece has them, and the end token after every text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = [f"▁{word}" for word in (*ANSWERS, *WORDS, "Query", "Document", "Relevant", "Doc", "Is")]
    pieces = ["<pad>", "</s>", "<unk>", "▁", *words, *LETTERS, *LETTERS.upper(), *"0123456789.,:?!'-"]
    model = models.Unigram([(piece, -float(i) / 10) for i, piece in enumerate(pieces)], unk_id=2)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>",
                                                             special_tokens=[("</s>", 1)])  # fmt: skip
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 96, **named}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def make_t5(folder: Path, *, seed: int = 0, **changes: Any) -> Any:
    """A T5 of two layers; returns that model."""
    import transformers as t

    sizes = {"d_model": 24, "d_kv": 8, "d_ff": 40, "num_layers": 2, "num_heads": 3, "vocab_size": 112}
    config = t.T5Config(**{**sizes, "decoder_start_token_id": 0, **changes})
    folder.mkdir(parents=True, exist_ok=True)
    model = _fill(t.T5ForConditionalGeneration(config), seed)
    model.save_pretrained(folder)
    t5_tokenizer(folder)
    return model


def make_body(folder: Path, kind: str = "bert", *, seed: int = 0) -> None:
    """A text encoder of two layers with a tokenizer that has a mask token and two markers."""
    import transformers as t

    sizes: dict[str, Any] = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3}
    sizes |= {"intermediate_size": 40, "vocab_size": 96, "max_position_embeddings": 128, "pad_token_id": 0}
    if kind == "bert":
        model: Any = t.BertModel(t.BertConfig(**sizes))
    else:
        special: dict[str, Any] = {"bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
        windows: dict[str, Any] = {"local_attention": 8, "global_attn_every_n_layers": 2}
        model = t.ModernBertModel(t.ModernBertConfig(**sizes, **special, **windows))
    folder.mkdir(parents=True, exist_ok=True)
    _fill(model, seed).save_pretrained(folder)
    bert_tokenizer(folder)


def make_late(folder: Path, kind: str = "bert", *, seed: int = 0, **knobs: Any) -> Any:
    """A MultiVectorEncoder as sentence-transformers saves it; returns the loaded model.

    `knobs` are those of its Transformer, `skiplist_words` of its mask, and `prompts` and `similarity_fn_name` of it.
    """
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    make_body(folder / "body", kind, seed=seed)
    whole = {name: knobs.pop(name) for name in ("prompts", "similarity_fn_name") if name in knobs}
    mask = MultiVectorMask(skiplist_words=knobs.pop("skiplist_words", None))
    torch.manual_seed(seed)
    dense = Dense(24, 16, bias=False, activation_function=torch.nn.Identity(), module_input_name="token_embeddings")
    modules = [Transformer(str(folder / "body"), **knobs), dense, mask, Normalize(module_input_name="token_embeddings")]
    model = MultiVectorEncoder(modules=modules, device="cpu", **whole)
    model.save_pretrained(str(folder / "saved"))
    return model


def make_pylate(folder: Path, kind: str = "bert", *, seed: int = 0, **settings: Any) -> Path:
    """The same in the files of PyLate, which names its own class and states everything beside the modules."""
    from safetensors.torch import save_file

    make_body(folder, kind, seed=seed)
    dense = folder / "1_Dense"
    dense.mkdir()
    torch.manual_seed(seed)
    save_file({"linear.weight": torch.randn(16, 24) / 5}, dense / "model.safetensors")
    identity = "torch.nn.modules.linear.Identity"
    config = {"in_features": 24, "out_features": 16, "bias": False, "activation_function": identity}
    (dense / "config.json").write_text(json.dumps(config))
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Dense", "type": "pylate.models.Dense.Dense"},
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    stated = {"model_type": "ColBERT", "similarity_fn_name": "MaxSim", "prompts": {}, "default_prompt_name": None}
    (folder / "config_sentence_transformers.json").write_text(json.dumps({**stated, **settings}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 100, "do_lower_case": False}))
    return folder
