"""What a decoder family says about itself, refuses and warns of; and the way from a folder's name to a score."""

from __future__ import annotations

import json
import shutil
from typing import get_args

import numpy as np
import pytest
import torch
from decoder_goldens import MODELS, PARITY, groups, model, pairs
from rerankbench.rerankers.errors import InputError, ScoreError
from rerankbench.rerankers.options import LoadOptions, Task, TextOptions
from rerankbench.rerankers.prompting.prompts import prompts, resolve_prompt
from rerankbench.rerankers.registry import load, load_spec, shape_of
from rerankbench.rerankers.settings import Setting
from safetensors.torch import load_file, save_file

CPU = LoadOptions(device="cpu", dtype="float32")


@pytest.fixture
def folder(tmp_path):
    """A copy of a tiny checkpoint, to be changed."""

    def copy(name: str):
        return shutil.copytree(PARITY / name, tmp_path / name)

    return copy


def edit_config(folder, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_sharded_folder_gives_the_same_scores(folder):
    for name in MODELS:
        where = folder(name)
        tensors = load_file(where / "model.safetensors")
        (where / "model.safetensors").unlink()
        names, index = sorted(tensors), {}
        for i in range(3):
            part = f"model-{i + 1:05}-of-00003.safetensors"
            save_file({key: tensors[key] for key in names[i::3]}, where / part)
            index |= dict.fromkeys(names[i::3], part)
        (where / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
        found = load(str(where), CPU).score(groups(pairs()[:4]), [Setting()], TextOptions()).scores
        expected = model(name).score(groups(pairs()[:4]), [Setting()], TextOptions()).scores
        np.testing.assert_array_equal(found, expected)


def test_checkpoint_that_does_not_fit(folder):
    where = folder("gemma2-lightweight-s1")
    edit_config(where, num_hidden_layers=9)
    with pytest.raises(InputError, match=r"missing: lm_head.7.linear_head.weight, model.layers.8"):
        load(str(where), CPU)
    edit_config(where, num_hidden_layers=8, layer_wise=False)
    with pytest.raises(InputError, match="needs one output head per layer"):
        load(str(where), CPU)
    where = folder("minicpm-layerwise-s1")
    edit_config(where, head_type="complex")
    with pytest.raises(InputError, match="key 'head_type': 'complex' is not implemented"):
        load(str(where), CPU)


def test_tied_vocabulary_head_may_be_stored_twice(folder):
    where = folder("gemma-s1")
    tensors = load_file(where / "model.safetensors")
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, where / "model.safetensors")
    found = load(str(where), CPU).score(groups(pairs()[:3]), [Setting()], TextOptions()).scores
    expected = model("gemma-s1").score(groups(pairs()[:3]), [Setting()], TextOptions()).scores
    np.testing.assert_array_equal(found, expected)


def test_nan_names_pair_and_layer(folder):
    where = folder("gemma2-lightweight-s1")
    tensors = load_file(where / "model.safetensors")
    tensors["model.layers.5.mlp.down_proj.weight"][0, 0] = torch.nan
    save_file(tensors, where / "model.safetensors")
    reranker = load(str(where), CPU)
    reranker.score(groups(pairs()[:3]), [Setting(5)], TextOptions())
    with pytest.raises(ScoreError, match=r"nan at layer 6 for pair 0 \(query '.*weights are damaged"):
        reranker.score(groups(pairs()[:3]), [Setting(5), Setting(6)], TextOptions())


def test_settings_that_cannot_run_and_those_without_effect():
    light, layerwise, llm = (model(name) for name in ("gemma2-lightweight-s1", "minicpm-layerwise-s1", "gemma-s1"))
    for reranker, setting, told in [
        (
            light,
            Setting(1),
            "gemma2-lightweight-s1': setting 'L1': cutoff layer 1 has no output head; valid: 2 to 8",
        ),
        (light, Setting(9), "valid: 2 to 8"),
        (layerwise, Setting(7), "valid: 2 to 6"),
        (llm, Setting(2), "valid: 3 only"),
        (layerwise, Setting(4, 2, (3,)), "cannot compress tokens"),
    ]:
        with pytest.raises(InputError, match=told):
            reranker.check(setting)
        with pytest.raises(InputError, match=told):
            reranker.score(groups(pairs()[:1]), [setting], TextOptions())
    assert light.check(Setting(5, 2, (2, 4))) == []
    assert "layer 0 has no effect" in light.check(Setting(5, 2, (0,)))[0]
    assert "[5, 6] are never reached (cutoff 5)" in light.check(Setting(5, 2, (4, 5, 6)))[0]
    assert "[8] are never reached" in light.check(Setting(None, 4, (8,)))[0]


def test_layers_in_steps(folder):
    where = folder("gemma2-lightweight-s1")
    edit_config(where, layer_sep=2)
    tensors = load_file(where / "model.safetensors")
    save_file(
        {k: v for k, v in tensors.items() if k not in [f"lm_head.{i}.linear_head.weight" for i in (4, 5, 6)]},
        where / "model.safetensors",
    )
    reranker = load(str(where), device="cpu", dtype="float32", head_policy="by_layer")
    assert reranker.check(Setting(4)) == []
    with pytest.raises(InputError, match="valid: 2 to 8 in steps of 2"):
        reranker.check(Setting(5))
    # layer 4 has the second head now
    found = reranker.score(groups(pairs()[:3]), [Setting(4)], TextOptions()).scores
    other = model("gemma2-lightweight-s1", head_policy="by_layer").score(
        groups(pairs()[:3]), [Setting(4)], TextOptions()
    )
    assert np.abs(found - other.scores).max() > 0.1


def test_identity_holds_what_can_change_a_score():
    text = TextOptions()
    base = model("gemma2-lightweight-s1").identity(text)
    assert base["prompt"] == prompts()["answer"]
    assert (base["max_length"], base["query_max_length"], base["truncation"]) == (512, 384, "class")
    assert base["weights"].startswith("sha256:")
    assert json.loads(json.dumps(base)) == base
    others = [
        model("gemma2-lightweight-s1").identity(TextOptions(prompt="same_meaning")),
        model("gemma2-lightweight-s1").identity(TextOptions(max_length=256)),
        model("gemma2-lightweight-s1").identity(TextOptions(query_max_length=8)),
        model("gemma2-lightweight-s1").identity(TextOptions(truncation="snippet")),
        model("gemma2-lightweight-s1", head_policy="by_layer").identity(text),
        model("gemma2-lightweight-s1", attention_softcap="config").identity(text),
        model("gemma2-lightweight-s1", dtype="bfloat16").identity(text),
    ]
    assert len({json.dumps(identity) for identity in [base, *others]}) == 1 + len(others)
    written_out = TextOptions(prompt=prompts()["answer"], max_length=512, query_max_length=384)
    assert model("gemma2-lightweight-s1").identity(written_out) == base


def test_prompts():
    assert resolve_prompt("contradiction") == prompts()["contradiction"]
    assert resolve_prompt("Is B about A?") == "Is B about A?"
    with pytest.raises(InputError, match="did you mean 'same_meaning'"):
        resolve_prompt("same_meanings")


def test_token_counts_add_up():
    reranker = model("gemma2-lightweight-s1")
    scored = reranker.score(groups(pairs()), [Setting(2), Setting(3, 2, (1,))], TextOptions(max_length=64))
    total = int((scored.query_tokens + scored.passage_tokens + scored.prompt_tokens).sum())
    assert scored.executed.real_tokens == 2 * total  # two compressions, two passes
    assert scored.executed.padded_tokens == 0
    assert 0 < scored.truncated.sum() < len(pairs())


def test_shipped_decoder_specifications():
    for name, layers in [
        ("bge-reranker-v2-gemma", range(18, 19)),
        ("bge-reranker-v2-minicpm-layerwise", range(8, 41)),
        ("bge-reranker-v2.5-gemma2-lightweight", range(8, 43)),
    ]:
        spec = load_spec(name)
        shape = shape_of(spec)
        assert spec.source == f"BAAI/{name}"
        assert shape is not None
        assert shape.cutoffs == layers
        assert set(spec.options["wording"]) == set(get_args(Task))
        assert set(spec.options["wording"].values()) <= set(prompts())
