"""Some of the generated configurations (`config_cases.py` has all): the library's score, or one line with the key."""

from __future__ import annotations

import random
from typing import Any

import pytest
import transformers
from config_cases import SHAPES, Bench, attributes, base, cases, quiet, values
from rerankbench.rerankers import InputError
from rerankbench.rerankers.architectures.keys import COMMON, IDLE
from rerankbench.rerankers.registry import FAMILIES, family_named

NEW = int(transformers.__version__.split(".")[0]) >= 5
EACH = 18  # cases of a model type
# model types that are code of their repositories, by that of the library whose attributes they have
PUBLISHED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "minicpm": (
        "layerwise",
        "llama",
        {"start_layer": 2, "head_multi": True, "layer_sep": 1, "scale_emb": 12, "scale_depth": 1.4},
    ),
    "cost_wise_gemma": ("lightweight", "gemma2", {"start_layer": 2, "layer_wise": True, "layer_sep": 1}),
    "llama_bidirec": ("mean-pooled", "llama", {"pooling": "avg", "temperature": 1.0}),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    quiet()
    return Bench(tmp_path_factory.mktemp("cases"))


@pytest.mark.skipif(not NEW, reason="the classes of transformers 5")
@pytest.mark.parametrize("kind", SHAPES)
def test_a_key_is_obeyed_or_refused(bench, kind):
    chosen = random.Random(f"config {kind}").sample(list(cases((kind,))), EACH)
    outcomes = {str(case): bench.run(case) for case in chosen}
    assert {case: outcome for case, outcome in outcomes.items() if not outcome.right} == {}
    assert {outcome.way for outcome in outcomes.values()} >= {"equal"}
    usual = bench.usual(kind)
    assert max(usual) - min(usual) > 0.1  # so that a wrong model would be told from a right one


@pytest.mark.parametrize("kind", PUBLISHED)
def test_no_key_of_a_published_class_is_passed_over(kind):
    name, library, own = PUBLISHED[kind]
    reader = family_named(name).architectures[kind]
    raw = {**base(library), "model_type": kind, "architectures": None, "id2label": {"0": "LABEL_0"}, **own}
    if kind == "minicpm":  # whose class has no such key
        del raw["mlp_bias"]
    usual = reader(raw, "config.json")
    passed, refused = [], 0
    for key, default in {**attributes(library), **own}.items():
        if key in (reader.idle | IDLE | COMMON) - reader.keys:
            continue
        for value in values(library, key, default):
            if value == raw.get(key, default) or value in ("gelu_new", "gelu_pytorch_tanh"):  # two names of one
                continue
            if value in reader.only.get(key, ()) or (key in ("per_layer_config", "pruned_heads") and not value):
                continue
            try:
                if reader({**raw, key: value}, "config.json") == usual:
                    passed.append((key, value))
            except InputError:
                refused += 1
    # keys with a condition: these say nothing where a window or a scaling that they would belong to is not there
    conditional = {
        "rope_theta",
        "partial_rotary_factor",
        "original_max_position_embeddings",
        "layer_types",
        "rope_scaling",
    }
    conditional |= {"tie_word_embeddings", "pad_token_id", "rope_parameters", "head_dim", "max_position_embeddings"}
    assert {key for key, _ in passed} <= conditional
    assert refused > 30


def test_every_reader_says_which_keys_it_obeys():
    for name in FAMILIES:
        for kind, reader in family_named(name).architectures.items():
            assert len(reader.keys) >= 10, (name, kind)
            assert not reader.keys & reader.idle, (name, kind)
