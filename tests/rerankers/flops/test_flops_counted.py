"""FLOPs of classifiers that transformers runs, against PyTorch's counter over their real, random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.rerankers import flops
from rerankbench.rerankers.families.sequence_classification import SequenceClassification
from rerankbench.rerankers.flops.counted import counted_shape, fit_counts
from rerankbench.rerankers.settings import Setting
from torch.utils.flop_counter import FlopCounterMode

_BASE = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48}
_DEBERTA = {"relative_attention": True, "position_buckets": 32, "pos_att_type": ["c2p", "p2c"], "share_att_key": True}
_BODIES: dict[str, dict[str, Any]] = {
    "deberta-v2": {**_BASE, **_DEBERTA, "max_relative_positions": -1},
    "electra": {**_BASE, "embedding_size": 16},
    "qwen2": {**_BASE, "num_key_value_heads": 2},
    "gemma": {**_BASE, "num_key_value_heads": 2, "head_dim": 8},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
}


def config(kind: str) -> dict[str, Any]:
    label = {"id2label": {"0": "L"}, "label2id": {"L": 0}, "vocab_size": 60, "pad_token_id": 0}
    return {"model_type": kind, "architectures": ["ToyForSequenceClassification"], **label, **_BODIES[kind]}


@pytest.mark.parametrize("kind", sorted(_BODIES))
def test_counts_are_those_of_a_pass_over_real_tokens(kind: str) -> None:
    from transformers import AutoConfig, AutoModelForSequenceClassification

    raw = config(kind)
    shape = SequenceClassification().shape(raw)
    assert shape is not None
    values = {key: value for key, value in raw.items() if key != "model_type"}
    made = AutoConfig.for_model(kind, **values)
    model = AutoModelForSequenceClassification.from_config(made, attn_implementation="eager").eval()
    model.requires_grad_(False)
    for length in (9, 50, 77):
        ids = torch.randint(1, 60, (1, length))
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
        assert flops.reference(shape, Setting(), 4, length - 4, 0) == counter.get_total_flops()
        assert flops.useful(shape, Setting(), 4, length - 4, 0) == counter.get_total_flops()


@given(st.tuples(*[st.integers(0, 10**9)] * 3), st.integers(1, 40), st.integers(1, 5000))
def test_a_polynomial_is_found_and_kept(terms: tuple[int, int, int], layers: int, tokens: int) -> None:
    a, b, c = terms
    assert fit_counts(lambda n: a + b * n + c * n * n) == terms
    c -= c % 2  # two products of as many multiply-adds for each pair of tokens
    shape = counted_shape((a, b, c), layers)
    counted = flops.reference(shape, Setting(), np.array([tokens]), np.array([0]), np.array([0]))
    assert counted[0] == a + b * tokens + c * tokens**2


def test_what_is_no_polynomial_is_not_counted() -> None:
    assert fit_counts(lambda n: 1000 * -(-n // 64)) is None  # padded to blocks
    assert fit_counts(lambda n: 10 * min(n, 700) * n + n * n) is None  # another way beyond some length
    assert fit_counts(lambda n: n, longest=20) is None  # too short to see


@pytest.mark.parametrize(
    "more", [{"auto_map": {"AutoModel": "code.Model"}}, {"model_type": "nobody"}, {"architectures": ["ToyModel"]}]
)
def test_what_is_not_known_is_not_counted(more: dict[str, Any]) -> None:
    assert SequenceClassification().shape({**config("gemma"), **more}) is None
