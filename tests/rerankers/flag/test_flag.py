"""The reference's four classes: shapes, defaults, dropped layers, refused keywords."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from decoder_goldens import PARITY, pairs, read
from rerankbench.rerankers import load_spec
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.flag import (
    FlagLLMReranker,
    FlagReranker,
    LayerWiseFlagLLMReranker,
    LightWeightFlagLLMReranker,
)

PANDA = [
    ["what is panda?", "hi"],
    ["what is panda?", "The giant panda (Ailuropoda melanoleuca), sometimes called a panda bear or simply panda."],
]


@pytest.fixture(scope="module")
def lightweight() -> LightWeightFlagLLMReranker:
    return LightWeightFlagLLMReranker(str(PARITY / "gemma2-lightweight-s1"), use_fp16=True, devices="cpu")


@pytest.fixture(scope="module")
def layerwise() -> LayerWiseFlagLLMReranker:
    return LayerWiseFlagLLMReranker(str(PARITY / "minicpm-layerwise-s1"), use_fp16=True, devices=["cpu"])


CROSS = [case for case in read("xlmr-s1/goldens.json")["cases"] if case["api"] == "FlagReranker"]


@pytest.mark.parametrize("case", CROSS, ids=lambda case: case["id"])
def test_cross_encoder_golden(case):
    reranker = FlagReranker(str(PARITY / "xlmr-s1"), devices="cpu", **case["init"])
    found = reranker.compute_score([list(pair) for pair in pairs(case["pairs"])], **case["call"])
    np.testing.assert_allclose(found, case["scores"], rtol=0, atol=3e-4)


def test_card_usage_of_one_score_per_pair():
    for kind, name in [(FlagReranker, "xlmr-s1"), (FlagLLMReranker, "gemma-s1")]:
        reranker = kind(str(PARITY / name), use_fp16=True, devices="cpu")
        assert reranker.reranker.dtype == "float32"  # on a CPU, as in the reference
        single, both = reranker.compute_score(PANDA[0]), reranker.compute_score(PANDA)
        assert isinstance(single, list)
        assert isinstance(both[0], float)
        assert both[0] == pytest.approx(single[0], abs=1e-4)
        squashed = reranker.compute_score(tuple(PANDA[1]), normalize=True, batch_size=2)
        assert squashed == pytest.approx([1 / (1 + np.exp(-both[1]))])


def test_card_usage_of_cutoffs_and_compression(layerwise, lightweight):
    assert np.shape(layerwise.compute_score(PANDA[0], cutoff_layers=[5])) == (1,)
    assert np.shape(layerwise.compute_score(PANDA, cutoff_layers=[2, 5])) == (2, 2)
    kept = {"cutoff_layers": [7], "compress_ratio": 2}
    older = lightweight.compute_score(PANDA, compress_layer=[3, 5], **kept)
    assert np.shape(older) == (2,)
    assert older == lightweight.compute_score(PANDA, compress_layers=[3, 5], **kept)
    assert older != lightweight.compute_score(PANDA, compress_layers=[3], **kept)


def test_bfloat16():
    reranker = FlagLLMReranker(str(PARITY / "gemma-s1"), use_bf16=True, devices="cpu")
    assert reranker.reranker.dtype == "bfloat16"


def test_every_layer_has_its_own_head_by_layer(lightweight, layerwise):
    layers = list(range(2, 9))
    # over all layers, position and layer are the same thing
    released = lightweight.compute_score(PANDA, cutoff_layers=layers)
    by_layer = LightWeightFlagLLMReranker(str(PARITY / "gemma2-lightweight-s1"), devices="cpu", head_policy="by_layer")
    for layer, expected in zip(layers, released):
        assert by_layer.compute_score(PANDA, cutoff_layers=layer) == pytest.approx(expected, abs=1e-4)
    assert lightweight.compute_score(PANDA, cutoff_layers=[5]) != pytest.approx(released[3], abs=0.1)

    swapped = layerwise.compute_score(PANDA, cutoff_layers=[6, 3])
    own = LayerWiseFlagLLMReranker(str(PARITY / "minicpm-layerwise-s1"), devices="cpu", heads_by_place=False)
    right = own.compute_score(PANDA, cutoff_layers=[6, 3])
    assert right[0] == pytest.approx(layerwise.compute_score(PANDA, cutoff_layers=[3]), abs=1e-4)
    assert right[1] == pytest.approx(layerwise.compute_score(PANDA, cutoff_layers=[6]), abs=1e-4)
    assert np.abs(np.subtract(swapped, right)).max() > 0.1


def test_layers_without_a_head(layerwise, lightweight, caplog):
    with caplog.at_level(logging.WARNING, "rerankbench"):
        assert np.shape(layerwise.compute_score(PANDA, cutoff_layers=[1, 5, 9])) == (2,)
    assert "[1, 9]" in caplog.text
    assert "2 to 6" in caplog.text
    with pytest.raises(InputError, match="none has an output head; valid: 2 to 8"):
        lightweight.compute_score(PANDA, cutoff_layers=[1])
    caplog.clear()
    with caplog.at_level(logging.WARNING, "rerankbench"):
        lightweight.compute_score(PANDA, cutoff_layers=[4], compress_ratio=2, compress_layers=[0, 2, 4])
    assert "compress layer 0 has no effect" in caplog.text
    assert "[4] are never reached" in caplog.text


def test_refused_keywords(lightweight):
    with pytest.raises(InputError, match="unknown keyword 'cutoff_layer'; did you mean 'cutoff_layers'"):
        lightweight.compute_score(PANDA, cutoff_layer=[5])
    with pytest.raises(InputError, match="unknown keyword 'compres_ratio'; did you mean 'compress_ratio'"):
        LightWeightFlagLLMReranker(str(PARITY / "gemma2-lightweight-s1"), devices="cpu", compres_ratio=2)
    with pytest.raises(InputError, match="peft_path"):
        FlagLLMReranker(str(PARITY / "gemma-s1"), peft_path="adapter")
    with pytest.raises(InputError, match=r"pair 1: expected \[query, passage\]"):
        lightweight.compute_score([["a", "b"], ["c"]])


def test_no_pairs(lightweight):
    assert lightweight.compute_score([]) == []


def test_registered_names_are_known(monkeypatch):
    asked = []

    def resolve(source, revision=None, cache_dir=None, *, code=False):
        asked.append((source, revision, cache_dir))
        raise InputError("no hub in tests")

    monkeypatch.setattr("rerankbench.rerankers.checkpoint.hub.resolve", resolve)
    for name in ("bge-reranker-v2-m3", "BAAI/bge-reranker-v2-m3"):
        with pytest.raises(InputError, match="no hub in tests"):
            FlagReranker(name, cache_dir="here")
    revision = load_spec("bge-reranker-v2-m3").revision
    assert asked == [("BAAI/bge-reranker-v2-m3", revision, "here"), ("BAAI/bge-reranker-v2-m3", None, "here")]
    with pytest.raises(InputError, match="FlagReranker: 'bge-reranker-v2-gemma' is of the family llm, not cross-enc"):
        FlagReranker("bge-reranker-v2-gemma")
