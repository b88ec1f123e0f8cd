"""Model YAML is checked like experiments are, and an option that a model cannot use is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from checkpoints import PARITY, make
from rerankbench.rerankers import InputError, LoadOptions, ModelSpec, Setting, TextOptions, list_models, load, load_spec
from rerankbench.rerankers.api import Group
from rerankbench.rerankers.registry import family_of, find_spec

GROUPS = [Group("the river", ["quiet lamp"])]


def written(folder: Path, **changes: Any) -> str:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"family": "cross-encoder", "source": "owner/name", **changes}))
    return str(path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"trust_remote_code": "false"}, "key 'trust_remote_code': expected true or false, found 'false'"),
        ({"trust_remote_code": 1}, "key 'trust_remote_code': expected true or false"),
        ({"trust_remote_code": None}, "key 'trust_remote_code': expected true or false"),
        ({"max_length": "512"}, "key 'max_length': expected a number of at least 8"),
        ({"max_length": 0}, "key 'max_length'"),
        ({"max_length": True}, "key 'max_length'"),
        ({"max_length": 512.0}, "key 'max_length'"),
        ({"name": "a model"}, "key 'name': expected a plain word"),
        ({"name": "../up"}, "key 'name': expected a plain word"),
        ({"name": "\u001b[31mred"}, "key 'name': expected a plain word"),
        ({"name": 7}, "key 'name': expected text"),
        ({"name": ""}, "key 'name': expected text"),
        ({"family": ["cross-encoder"]}, "key 'family': expected text"),
        ({"source": None}, "key 'source': expected text"),
        ({"revision": 1234567}, "key 'revision': expected text, found 1234567; put it in quotes"),
        ({"config": []}, "key 'config': expected keys and values"),
        ({"config": {"num_hidden_layers": 10**12}}, "key 'config': key 'num_hidden_layers': expected 1 to"),
        ({"family": "llm", "wording": "answer"}, 'wording: Input should be a valid dictionary, found "answer"'),
        ({"family": "llm", "wording": {"answr": "x"}}, r"wording.answr.\[key\]: must be 'answer', 'contradiction'"),
        ({"family": "llm", "wording": {"answer": 7}}, "wording.answer: must be a text, found 7"),
        ({"wording": {"answer": "x"}}, "the family cross-encoder does not read `wording`; leave it out"),
        ({"parameters": -5}, "key 'parameters'"),
        ({"truncation": "longest"}, "truncation: must be 'class' or 'snippet', found \"longest\""),
        ({"license": 2.0}, "key 'license': expected text"),
        ({"trained_on": "MSMARCO"}, "key 'trained_on': expected a list of names of datasets or 'not disclosed'"),
        ({"trained_on": []}, "key 'trained_on': an empty list states nothing"),
        ({"trained_on": ["NQ", 7]}, "key 'trained_on': expected a list"),
        ({"trained_on": ["NQ", "FEVER", "NQ"]}, "key 'trained_on': 'NQ' is listed twice"),
        ({"sources": "https://x"}, "key 'sources': expected a list of addresses"),
        ({"sources": [""]}, "key 'sources': expected a list"),
        ({"sources": None}, "key 'sources': expected a list"),
        ({"unheard": 1}, "unknown key 'unheard'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_every_key_is_checked(tmp_path, changes, told):
    with pytest.raises(InputError, match=told) as caught:
        load_spec(written(tmp_path, **changes))
    assert "\n" not in str(caught.value)
    assert "\u001b" not in str(caught.value)


def test_what_is_right_passes(tmp_path):
    spec = load_spec(written(tmp_path, max_length=64, trust_remote_code=True, revision=None, note="x"))
    assert (spec.name, spec.max_length, spec.trust_remote_code) == ("mine", 64, True)
    assert [load_spec(name).name for name in list_models()] == list_models()


def test_what_describes_a_model_is_no_part_of_its_identity(tmp_path):
    make(tmp_path / "m", "bert")
    about = {"license": "mit", "trained_on": ["NQ"], "sources": ["a paper"], "parameters": 5, "note": "x"}
    plain, described = (
        load(load_spec(written(tmp_path, source=str(tmp_path / "m"), **more)), LoadOptions("cpu", "float32"))
        for more in ({}, about)
    )
    assert described.spec.trained_on == ["NQ"]
    assert described.identity(TextOptions()) == plain.identity(TextOptions())


def test_a_pair_is_cut_as_the_publisher_does_unless_told_otherwise(tmp_path):
    make(tmp_path / "m", "bert")
    source, long = str(tmp_path / "m"), [Group("the river " * 40, ["quiet lamp " * 9])]
    plain, snippet = (
        load(load_spec(written(tmp_path, source=source, max_length=64, **more)), LoadOptions("cpu", "float32"))
        for more in ({}, {"truncation": "snippet"})
    )

    def score(reranker, **text):
        return reranker.score(long, [Setting()], TextOptions(**text)).scores[0, 0]

    assert score(plain) == score(snippet, truncation="class") != score(snippet) == score(plain, truncation="snippet")
    assert plain.identity(TextOptions()) != snippet.identity(TextOptions())
    assert snippet.identity(TextOptions())["truncation"] == "snippet"


def test_truncation_where_a_family_cuts_itself_is_refused(tmp_path):
    spec = load_spec("qwen3-reranker-0.6b")
    with pytest.raises(InputError, match="leave out truncation 'snippet'"):
        family_of(spec).text_rules(spec).resolve(TextOptions(truncation="snippet"))


@pytest.mark.parametrize("name", list_models())
def test_a_registered_model_says_where_its_facts_stand(name):
    spec = load_spec(name)
    assert spec.license
    assert spec.note
    assert spec.parameters
    assert spec.config or spec.family == "sequence-classification"  # which transformers runs: no shape
    assert any("huggingface.co/" in source for source in spec.sources)


def test_a_folder_with_a_sibling_of_its_name_is_the_folder(tmp_path):
    folder = tmp_path / "m"
    make(folder, "bert")
    (tmp_path / "m.yaml").write_text(yaml.safe_dump({"family": "llm", "source": "owner/name"}))
    assert find_spec(str(folder)).source == str(folder)
    assert find_spec(str(tmp_path / "m.yaml")).source == "owner/name"


@pytest.mark.parametrize("family", ["cross-encoder", "sequence-classification"])
def test_a_prompt_without_a_place_for_it_is_an_error(tmp_path, family):
    make(tmp_path, "bert")
    reranker = load(ModelSpec("m", family, str(tmp_path)), LoadOptions("cpu", "float32"))
    for ask in (reranker.identity, lambda text: reranker.score(GROUPS, [Setting()], text)):
        with pytest.raises(InputError, match="model 'm': has no prompt; leave out prompt 'query: '"):
            ask(TextOptions(prompt="query: "))


def test_a_prompt_of_a_text_encoder_is_an_error(tmp_path):
    make(tmp_path, "bert", head=False)
    reranker = load(str(tmp_path), LoadOptions("cpu", "float32"))
    for ask in (reranker.identity, lambda text: reranker.score(GROUPS, [Setting()], text)):
        with pytest.raises(InputError, match="has no prompt; leave out prompt"):
            ask(TextOptions(prompt="query: "))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"head_policy": "by_layer"}, "the family cross-encoder has no head_policy; leave out 'by_layer'"),
        ({"attention_softcap": "config"}, "the family cross-encoder has no attention_softcap"),
        ({"head_policy": "by_layers"}, "the family cross-encoder has no head_policy; leave out 'by_layers'"),
    ],
)
def test_a_policy_that_a_model_does_not_have_is_an_error(options, told):
    with pytest.raises(InputError, match=told):
        load(str(PARITY / "xlmr-s1"), LoadOptions("cpu", "float32"), **options)


def test_wording_without_a_place_for_it_is_an_error(tmp_path):
    make(tmp_path, "bert")
    with pytest.raises(InputError, match="wording: unknown key"):
        load(ModelSpec("m", "cross-encoder", str(tmp_path), options={"wording": {"answer": "x"}}), LoadOptions("cpu"))
