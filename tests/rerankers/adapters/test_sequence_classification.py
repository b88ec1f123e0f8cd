"""The generic adapter: equal to the native encoder where both can run a checkpoint."""

from __future__ import annotations

import json

import numpy as np
import pytest
from checkpoints import change, make
from rerankbench.rerankers import InputError, LoadOptions, ModelSpec, Setting, TextOptions, load
from rerankbench.rerankers.api import Group

GROUPS = [Group("the river", ["quiet lamp", "", "green paper, " * 20]), Group("", ["stone over moon"])]


def generic(folder, **more) -> ModelSpec:
    return ModelSpec("generic", "sequence-classification", str(folder), **more)


@pytest.mark.parametrize("kind", ["bert", "xlm-roberta"])
@pytest.mark.parametrize("budget", [1, 10_000])
def test_equal_to_the_native_family(tmp_path, kind, budget):
    make(tmp_path, kind)
    text = TextOptions(max_length=60)
    native = load(str(tmp_path), LoadOptions("cpu", "float32")).score(GROUPS, [Setting()], text)
    other = load(generic(tmp_path), LoadOptions("cpu", "float32", token_budget=budget)).score(GROUPS, [Setting()], text)
    np.testing.assert_allclose(other.scores, native.scores, rtol=1e-5, atol=1e-5)
    assert list(other.passage_tokens) == list(native.passage_tokens)
    assert other.executed.real_tokens == native.executed.real_tokens
    assert (other.executed.padded_tokens > 0) == (budget > 1)


def test_foreign_code_runs_only_when_allowed(tmp_path):
    make(tmp_path, "bert")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "home_made", "auto_map": {"AutoModelForSequenceClassification": "modeling.Made"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="`trust_remote_code: true`"):
        load(generic(tmp_path))


def test_checkpoint_without_a_head_is_refused(tmp_path):
    make(tmp_path, "bert")
    change(tmp_path, lambda state: state.pop("classifier.weight"))
    with pytest.raises(InputError, match=r"lacks classifier\.weight"):
        load(generic(tmp_path))


def test_full_depth_only(tmp_path):
    make(tmp_path, "bert")
    with pytest.raises(InputError, match="full depth only"):
        load(generic(tmp_path)).check(Setting(2))
