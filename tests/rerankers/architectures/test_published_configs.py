"""No key of a registered model's own config.json is refused, and what it says is what the specification says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import transformers
import yaml
from checkpoints import PARITY
from rerankbench.rerankers import InputError, list_models, load_spec
from rerankbench.rerankers.checkpoint.config_checks import check_config
from rerankbench.rerankers.checkpoint.hub import Resolved
from rerankbench.rerankers.models.config import model_type
from rerankbench.rerankers.registry import family_of, guess_family
from transformers import CONFIG_MAPPING

FACTS: dict[str, dict[str, Any]] = {
    fact["model"]: fact for fact in yaml.safe_load(Path(__file__).with_name("published_configs.yaml").read_text())
}
GUESSED = ("cross-encoder", "modern-encoder", "lightweight", "bi-encoder")  # families that no specification needs
FIRST_NEW = 5  # the release of transformers that standardises old names


@pytest.mark.parametrize("name", FACTS)
def test_every_key_is_read_and_says_what_the_specification_says(name):
    spec, raw = load_spec(name), FACTS[name]["config"]
    check_config(raw, "config.json")
    published, stated = family_of(spec).config(raw), family_of(spec).config(spec.config or raw)
    # what a specification may leave out changes no FLOP
    assert replace(stated, **{key: getattr(published, key) for key in ("max_positions", "vocab")}) == published
    if spec.family in GUESSED:
        assert guess_family(raw, Path(name)).name == spec.family
    assert FACTS[name]["source"].startswith("https://github.com/")


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.skipif(int(transformers.__version__.split(".")[0]) < FIRST_NEW, reason="standardises no old names")
def test_the_librarys_own_object_says_the_same(name):
    raw = {key: value for key, value in FACTS[name]["config"].items() if key != "auto_map"}
    kind = {"cost_wise_gemma": "gemma2"}.get(str(model_type(raw)), str(model_type(raw)))
    theirs = json.loads(CONFIG_MAPPING[kind].from_dict(raw).to_json_string(use_diff=False))
    family = family_of(load_spec(name))
    again = {**theirs, "architectures": raw["architectures"], "model_type": model_type(raw)}
    assert family.config(again) == family.config(raw)


def test_every_native_model_of_the_list_has_a_reader_that_takes_what_its_specification_states():
    for name in list_models():
        spec = load_spec(name)
        if spec.config and spec.family not in ("custom", "served"):
            family_of(spec).config(spec.config, name)


@pytest.mark.parametrize(
    "folder",
    [path.name for path in sorted(PARITY.iterdir()) if (path / "config.json").is_file() and path.name != "t5-s1"],
)
def test_files_that_the_published_code_wrote_are_read(folder):
    raw = json.loads((PARITY / folder / "config.json").read_text())
    families = {
        "nemotron-s1": "mean-pooled",
        "t5-s1": "encoder-decoder",
        "gemma-s1": "llm",
        "mxbai-s1": "token-logit",
        "qwen3-s1": "token-logit",
    }
    try:
        name = families.get(folder) or guess_family(raw, PARITY / folder).name
    except InputError as err:
        pytest.fail(str(err))
    assert family_of(replace(load_spec(list_models()[0]), family=name)).config(raw)


def test_code_that_was_compared_at_its_commit_is_no_matter(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert", "auto_map": {"AutoModel": "x.Y"}}))
    assert "auto_map" in Resolved("owner/name", tmp_path, "0" * 40).config
    assert "auto_map" not in Resolved("owner/name", tmp_path, "0" * 40, compared=True).config
