"""Architectures of the installed transformers beside the library: every score within 1e-4 of the pair alone."""

from __future__ import annotations

import pytest
import transformers
from architecture_matrix import names, quiet, row

NEW = int(transformers.__version__.split(".")[0]) >= 5
# one for each way in which an architecture is special: types, positions, padding, last token, mixing, experts, decoders
FEW = (
    "Albert", "Bart", "Bert", "BigBird", "Canine", "ConvBert", "DebertaV2", "DistilBert", "Electra", "Esm", "FNet",
    "Funnel", "GPT2", "GPTNeo", "Gemma", "Gemma2", "Llama", "Longformer", "MPNet", "Mixtral", "MobileBert",
    "ModernBert", "Nystromformer", "OPT", "Phi3", "Qwen2", "Qwen3", "Reformer", "RoFormer", "Roberta", "SqueezeBert",
    "T5", "XLM", "XLMRoberta", "XLNet", "Yoso",
)  # fmt: skip


def check(name: str) -> None:
    quiet()
    found = row(name)
    assert found.difference is not None, found.way
    assert found.difference <= 1e-4
    assert found.spread > 100 * found.difference


@pytest.mark.skipif(not NEW, reason="tokenizers of transformers 5")
@pytest.mark.parametrize("name", FEW)
def test_scores_are_those_of_the_pair_alone(name):
    check(name)


@pytest.mark.slow
@pytest.mark.skipif(not NEW, reason="tokenizers of transformers 5")
@pytest.mark.parametrize("name", sorted(set(names()) - set(FEW)))
def test_every_other_architecture_that_can_be_built(name):
    quiet()
    found = row(name)
    if found.way.startswith("not built"):
        pytest.skip(found.way)
    assert found.difference is not None, found.way
    assert found.difference <= 1e-4
