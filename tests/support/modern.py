"""Small ModernBERT checkpoints of transformers' own classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from checkpoints import bert_tokenizer

SIZES: dict[str, Any] = {
    "vocab_size": 90,
    "hidden_size": 24,
    "num_hidden_layers": 4,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "cls_token_id": 2,
    "eos_token_id": 3,
    "sep_token_id": 3,
}


def make_modern(folder: Path, *, head: bool = True, seed: int = 0, **config: Any) -> Any:
    """Write a checkpoint with lively random weights; returns that model, with eager attention."""
    import transformers as t

    torch.manual_seed(seed)
    settings = t.ModernBertConfig(**{**SIZES, "num_labels": 1, **config})
    settings._attn_implementation = "eager"
    model = (t.ModernBertForSequenceClassification if head else t.ModernBertModel)(settings).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm.weight" in name else 0.0, 0.3)
    model.save_pretrained(folder)
    bert_tokenizer(folder)
    written = folder / "tokenizer_config.json"
    no_types = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}
    written.write_text(json.dumps(json.loads(written.read_text()) | no_types))
    return model
