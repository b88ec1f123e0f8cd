"""Tiny checkpoints with random weights, in the hub's layout, for every model and retriever of the published tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import yaml
from checkpoints import PARITY, make
from rerankbench.configs import CONFIGS
from rerankbench.rerankers.random_weights import write_random_weights
from safetensors.torch import load_file, save_file

SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
# the depths that the experiments name are the real ones
Decoders = dict[str, tuple[str, dict[str, Any]]]
DECODERS: Decoders = {
    "bge-reranker-v2-gemma": ("gemma-s1", {"num_hidden_layers": 2}),
    "bge-reranker-v2.5-gemma2-lightweight": (
        "gemma2-lightweight-s1",
        {
            "num_hidden_layers": 42,
            "start_layer": 8,
            "num_key_value_heads": 1,
            "head_dim": 8,
            "query_pre_attn_scalar": 8,
        },
    ),
}
ENCODERS = ("bge-reranker-v2-m3", "jina-reranker-v2-base-multilingual")
MORE_DECODERS: Decoders = {
    "bge-reranker-v2-minicpm-layerwise": (
        "minicpm-layerwise-s1",
        {"num_hidden_layers": 40, "start_layer": 8, "num_key_value_heads": 2},
    )
}
MORE = {
    "bge-reranker-base": ("xlmr", 1026),
    "bge-reranker-large": ("xlmr", 1026),
    "ms-marco-tinybert-l2-v2": ("bert", 512),
    "ms-marco-minilm-l2-v2": ("bert", 512),
    "ms-marco-minilm-l4-v2": ("bert", 512),
    "ms-marco-minilm-l6-v2": ("bert", 512),
    "ms-marco-minilm-l12-v2": ("bert", 512),
    "gte-multilingual-reranker-base": ("xlmr", 8194),
    **dict.fromkeys(("mxbai-rerank-xsmall-v1", "mxbai-rerank-base-v1", "mxbai-rerank-large-v1"), ("bert", 514)),
}
COPIES = {
    "mxbai-rerank-base-v2": "mxbai-s1",
    "llama-nemotron-rerank-1b-v2": "nemotron-s1",
    "qwen3-reranker-0.6b": "qwen3-s1",
    "gte-reranker-modernbert-base": "modernbert-s1",
    "granite-embedding-reranker-english-r2": "modernbert-s1",
    "ruri-v3-reranker-310m": "modernbert-s1",
    **{f"ettin-reranker-{size}": "modernbert-s1" for size in ("17m", "32m", "68m", "150m", "400m", "1b")},
    "mxbai-rerank-large-v2": "mxbai-s1",
    "zerank-1-small": "qwen3-s1",
    "zerank-2": "qwen3-s1",
}
RETRIEVERS = {"bge-large-en-v1.5": "bert", "bge-m3": "xlmr"}
E5 = "e5-mistral-7b-instruct"


def write_hub(folder: Path) -> dict[str, Path]:
    """Specification files by the names of the real ones, which differ in source and depth alone."""
    specs = {name: _specification(folder, "models", name) for name in (*DECODERS, *ENCODERS)}
    few = {"query_max_length": 64, "passage_max_length": 64}  # of models with few positions
    specs |= {name: _specification(folder, "retrievers", name, few) for name in RETRIEVERS}
    specs[E5] = _specification(folder, "retrievers", E5)
    _write_decoders(folder, DECODERS)
    for seed, name in enumerate(ENCODERS):
        make(folder / name, "xlmr", seed=10 + seed, max_position_embeddings=1026, num_hidden_layers=2)
    _as_jina(folder / "jina-reranker-v2-base-multilingual")
    for seed, (name, kind) in enumerate(RETRIEVERS.items()):
        make(folder / name, kind, head=False, seed=20 + seed, num_hidden_layers=2)
    as_e5(folder / E5)
    return specs


def write_hub_tree(root: Path) -> None:
    """The same and more where `hub_folders` serves them, by the names that the specifications give as their source."""
    made = root / "made"
    made.mkdir(parents=True)
    write_hub(made)
    _write_decoders(made, MORE_DECODERS)
    for seed, (name, (kind, positions)) in enumerate(MORE.items()):
        make(made / name, kind, seed=30 + seed, max_position_embeddings=positions, num_hidden_layers=2)
    for name, checkpoint in COPIES.items():
        shutil.copytree(PARITY / checkpoint, made / name, ignore=shutil.ignore_patterns("goldens.json", "tokens.json"))
    for folder in [path for path in made.iterdir() if path.is_dir()]:
        kind = "models" if (CONFIGS / "models" / f"{folder.name}.yaml").is_file() else "retrievers"
        raw = yaml.safe_load((CONFIGS / kind / f"{folder.name}.yaml").read_text(encoding="utf-8"))
        place = root / "models" / raw["source"]
        place.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(place)


def _write_decoders(folder: Path, decoders: Decoders) -> None:
    for seed, (name, (base, changes)) in enumerate(decoders.items()):
        target = folder / name
        target.mkdir()
        for file in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
            shutil.copy(PARITY / base / file, target / file)
        config = json.loads((PARITY / base / "config.json").read_text()) | SMALL | changes
        (target / "config.json").write_text(json.dumps(config))
        write_random_weights(target, seed=seed, spread=0.4)


def as_e5(folder: Path) -> Path:
    """A tiny Mistral in the layout of e5-mistral: the config has both special tokens, tokenizer.json adds <s> alone."""
    import transformers as t
    from tokenizers import Tokenizer, models, normalizers, processors

    words = ["<unk>", "<s>", "</s>", "\u2581", *"abcdefghijklmnopqrstuvwxyz"]
    bpe = models.BPE({word: i for i, word in enumerate(words)}, [], unk_token="<unk>", fuse_unk=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    torch.manual_seed(0)
    model = t.MistralModel(t.MistralConfig(vocab_size=40, num_key_value_heads=1, **sizes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(1.0 if parameter.ndim == 1 else 0.0, 0.3)  # as `make` has them
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>", "legacy": True}
    config = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True, **named}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def _specification(folder: Path, kind: str, name: str, changes: Mapping[str, Any] = MappingProxyType({})) -> Path:
    raw = yaml.safe_load((CONFIGS / kind / f"{name}.yaml").read_text(encoding="utf-8"))
    raw.pop("revision", None)
    raw.pop("config", None)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**raw, **changes, "source": str(folder / name)}))
    return path


def _as_jina(folder: Path) -> None:
    """The names and fused projections of the published checkpoint, and its config.json without a model_type."""
    path = folder / "model.safetensors"
    state = load_file(path)
    renamed: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        if ".attention.self." in name:
            if ".query." in name:
                parts = [state[name.replace(".query.", f".{part}.")] for part in ("query", "key", "value")]
                renamed[name.replace(".attention.self.query.", ".mixer.Wqkv.")] = torch.cat(parts)
            continue
        renamed[name] = tensor
    names = {
        ".attention.output.dense.": ".mixer.out_proj.",
        ".attention.output.LayerNorm.": ".norm1.",
        ".intermediate.dense.": ".mlp.fc1.",
        ".output.dense.": ".mlp.fc2.",
        ".output.LayerNorm.": ".norm2.",
        ".encoder.layer.": ".encoder.layers.",
        ".embeddings.LayerNorm.": ".emb_ln.",
    }
    for old, new in names.items():
        renamed = {name.replace(old, new): tensor.contiguous() for name, tensor in renamed.items()}
    save_file(renamed, path, {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    del config["model_type"]
    (folder / "config.json").write_text(json.dumps(config))
