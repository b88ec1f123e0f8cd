"""The analytic reference equals, to the last FLOP, what PyTorch's counter sees in the same forward pass."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from eager import counted
from rerankbench.rerankers.flops import reference
from rerankbench.rerankers.registry import family_named
from rerankbench.rerankers.settings import Setting
from torch.utils.flop_counter import FlopCounterMode

GEMMA = {
    "model_type": "gemma2",
    "num_hidden_layers": 6,
    "hidden_size": 16,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 6,  # not hidden / heads, as in Gemma
    "intermediate_size": 20,
    "vocab_size": 37,
    "query_pre_attn_scalar": 6,
    "max_position_embeddings": 128,
}
BERT = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "num_labels": 1,
    "num_hidden_layers": 4,
    "hidden_size": 12,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "vocab_size": 37,
    "max_position_embeddings": 128,
}
SCALAR_HEADS = GEMMA | {"model_type": "cost_wise_gemma", "layer_wise": True, "start_layer": 2}
MINICPM = {k: v for k, v in GEMMA.items() if not k.startswith("query")} | {
    "model_type": "minicpm",
    "head_multi": True,
    "start_layer": 2,
}

LLAMA = {k: v for k, v in GEMMA.items() if not k.startswith("query")} | {"model_type": "llama"}
QWEN3 = LLAMA | {"model_type": "qwen3"}

LENGTHS = [(1, 0, 0), (3, 1, 2), (2, 0, 3), (5, 8, 1), (9, 13, 4), (3, 29, 5)]
CUTOFFS = (None, 2, 3, 6)
COMPRESSED = [
    Setting(cutoff, ratio, layers)
    for cutoff, ratio, layers in itertools.product(
        (None, 3, 6), (1, 2, 3, 4, 8), ((1,), (3,), (0, 5), (2, 3, 4), (4, 9))
    )
]
GRID = {
    "cross-encoder": (BERT, [Setting()]),
    "sequence-classification": (BERT | {"model_type": "xlm-roberta", "num_labels": 3}, [Setting()]),
    "bi-encoder": (BERT | {"architectures": ["BertModel"]}, [Setting(), Setting(1), Setting(3)]),
    "llm": (GEMMA, [Setting()]),
    "token-logit": (QWEN3, [Setting()]),
    "mean-pooled": (LLAMA | {"model_type": "llama_bidirec"}, [Setting()]),
    "layerwise": (MINICPM, [Setting(cutoff) for cutoff in CUTOFFS]),
    "lightweight": (SCALAR_HEADS, sorted(set(COMPRESSED), key=lambda s: s.name)),
}


@pytest.mark.parametrize("name", GRID)
def test_reference_equals_the_counter_on_every_setting_and_length(name: str) -> None:
    raw, settings = GRID[name]
    family = family_named(name)
    shape, config = family.shape(raw), family.config(raw)
    assert shape is not None
    lengths = LENGTHS if family.prompted else [(q, p, 0) for q, p, _ in LENGTHS]
    query, passage, prompt = np.array(lengths, dtype=np.int32).T
    for setting in settings:
        analytic = reference(shape, setting, query, passage, prompt)
        assert analytic.tolist() == [counted(config, name, setting, *triple) for triple in lengths], setting.name


@pytest.mark.parametrize(
    ("name", "config", "family"),
    [
        ("Gemma", {k: v for k, v in GEMMA.items() if k != "query_pre_attn_scalar"} | {"model_type": "gemma"}, "llm"),
        ("Gemma2", GEMMA, "llm"),
        ("Llama", LLAMA, "token-logit"),
        ("Mistral", LLAMA | {"model_type": "mistral"}, "token-logit"),
        ("Qwen2", LLAMA | {"model_type": "qwen2", "head_dim": 4}, "token-logit"),
        ("Qwen3", QWEN3, "token-logit"),
        ("Bert", BERT, "cross-encoder"),
        ("XLMRoberta", BERT | {"model_type": "xlm-roberta"}, "cross-encoder"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_reference_equals_the_counter_on_transformers_own_models(
    name: str, config: dict[str, Any], family: str
) -> None:
    if not hasattr(transformers, f"{name}Config"):
        pytest.skip(f"transformers {transformers.__version__} has no {name}")
    kind = "SequenceClassification" if family == "cross-encoder" else "CausalLM"
    model = getattr(transformers, f"{name}For{kind}")(getattr(transformers, f"{name}Config")(**config))
    shape = family_named(family).shape(
        model.config.to_dict() | {"architectures": [type(model).__name__], "num_labels": model.config.num_labels}
    )
    model.set_attn_implementation("eager")
    model.eval()
    for q, p in ((3, 1), (5, 9), (8, 20)):
        ids = torch.arange(3, 3 + q + p)[None]
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
        assert shape is not None
        assert counter.get_total_flops() == reference(shape, Setting(), q, p, 0)
