"""Rerankers whose template and tokens a specification tells: goldens, identity, and what is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from checkpoints import needs_merges_in_pairs
from decoder_goldens import NEWER, model, pairs, read
from rerankbench.rerankers import Group, InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.prompting.template_yaml import read_template
from rerankbench.rerankers.registry import family_of, load_spec, shape_of
from rerankbench.rerankers.spec import list_models
from rerankbench.rerankers.token_ids import card_ids

CASES = [(name, case) for name in NEWER for case in read(f"{name}/goldens.json")["cases"]]
CPU = LoadOptions(device="cpu", dtype="float32")


def options(case: dict[str, Any]) -> TextOptions:
    return TextOptions(prompt=case["call"].get("instruction"), max_length=case["call"].get("max_length"))


@needs_merges_in_pairs
@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_goldens(name, case):
    reranker, text = model(name), options(case)
    chosen = [Group(*_single(pairs("newer")[i])) for i in case["pairs"]]
    prepared = reranker.prepare(chosen, text)
    assert [pair.ids for pair in prepared.tokens] == case["ids"]
    found = reranker.score(chosen, [Setting()], text, prepared).scores[0]
    np.testing.assert_allclose(found, case["scores"], rtol=0, atol=3e-4)


def _single(pair: tuple[str, str]) -> tuple[str, list[str]]:
    return pair[0], [pair[1]]


@needs_merges_in_pairs
@pytest.mark.parametrize("name", NEWER)
def test_the_ids_that_verify_expects_are_those_of_the_published_code(name):
    uncut = [case for of, case in CASES if of == name and case["call"].get("max_length", 8192) == 8192]
    plain = [case for case in uncut if "instruction" not in case["call"]]
    assert plain
    for case in plain:
        assert card_ids(model(name).spec, [pairs("newer")[i] for i in case["pairs"]]) == case["ids"]


@pytest.mark.parametrize("name", NEWER)
def test_candidates_of_a_query_share_what_is_the_same(name):
    # passages whose first character joins the template's last token, or is none
    query, passages = "what is tea?", ["\n\nwhite tea", " tea", "", "... tea", "\ttea", "Tea is a drink", "тea"]
    reranker = model(name)
    shared = reranker.score([Group(query, passages)], [Setting()], TextOptions())
    single = reranker.score([Group(query, [p]) for p in passages], [Setting()], TextOptions())
    np.testing.assert_allclose(shared.scores, single.scores, rtol=0, atol=1e-5)
    whole = [pair.ids for pair in reranker.prepare([Group(query, [p]) for p in passages], TextOptions()).tokens]
    assert [p.ids for p in reranker.prepare([Group(query, passages)], TextOptions()).tokens] == whole
    tokens = shared.query_tokens + shared.passage_tokens + shared.prompt_tokens
    assert tokens.tolist() == [len(ids) for ids in whole]
    causal = reranker.shape.causal
    assert (shared.executed.shared_tokens > 0) == causal
    assert shared.executed.shared_tokens + shared.executed.real_tokens == tokens.sum()


@pytest.mark.parametrize("name", NEWER)
def test_all_that_the_specification_tells_is_in_the_identity(name):
    reranker = model(name)
    identity = reranker.identity(TextOptions())
    assert json.loads(json.dumps(identity)) == identity
    assert identity["template"]["query"] == reranker.plan.text.template.query
    if tokens := reranker.spec.options.get("tokens"):
        assert identity["tokens"] == tokens
        other = reranker.with_options(tokens=tokens[::-1])
        assert other.identity(TextOptions()) != identity
        chosen = [Group("tea", ["green tea", "stone"])]
        ours, theirs = (r.score(chosen, [Setting()], TextOptions()).scores for r in (reranker, other))
        np.testing.assert_allclose(ours, -theirs, rtol=0, atol=1e-6)


def test_formulas_and_scale():
    spec = model("qwen3-s1").spec
    chosen, rows = [Group("tea", ["green tea", "stone"])], {}
    for token in spec.options["tokens"]:
        rows[token] = load(spec, CPU, tokens=[token], formula="row").score(chosen, [Setting()], TextOptions())
    yes, no = (rows[token].scores for token in spec.options["tokens"])
    share = load(spec, CPU, formula="log_softmax", scale=-2.0).score(chosen, [Setting()], TextOptions())
    np.testing.assert_allclose(share.scores, -2.0 * (yes - np.logaddexp(yes, no)), rtol=0, atol=1e-5)
    by_id = spec.with_options(tokens=list(model("qwen3-s1").plan.rows[3].rows))
    by_text = model("qwen3-s1").score(chosen, [Setting()], TextOptions()).scores
    np.testing.assert_array_equal(load(by_id, CPU).score(chosen, [Setting()], TextOptions()).scores, by_text)


@pytest.mark.parametrize(
    ("name", "changes", "text", "told"),
    [
        ("qwen3-s1", {"template": None}, {}, "key 'template' is missing; the family token-logit needs it"),
        ("qwen3-s1", {"template": "qwen3-rerank"}, {}, "did you mean 'qwen3-reranker'"),
        ("qwen3-s1", {"tokens": []}, {}, "key 'tokens' is missing"),
        ("qwen3-s1", {"tokens": ["yes", "no, it is not"]}, {}, "'no, it is not' is not one token"),
        ("qwen3-s1", {"tokens": ["yes", 915]}, {}, "key 'tokens': 915 is not one token"),
        ("qwen3-s1", {}, {"truncation": "snippet"}, "its template decides how a pair is cut"),
        ("qwen3-s1", {}, {"query_max_length": 20}, "cut as one text; leave out query_max_length 20"),
        ("qwen3-s1", {}, {"max_length": 60}, "max_length 60: the template alone takes"),
        ("qwen3-s1", {"wording": {}}, {}, "has no wording for the task 'answer'"),
        ("nemotron-s1", {}, {"prompt": "find it"}, "no place for a prompt; leave out 'find it'"),
        ("nemotron-s1", {"wording": {"answer": "x"}}, {}, "no place for a prompt"),
        ("nemotron-s1", {"tokens": ["yes"]}, {}, "tokens: unknown key"),
        ("gemma-s1", {"template": "zerank-2"}, {}, "template: unknown key"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_refused(name, changes, text, told):
    spec = model(name).spec.with_options(**changes)
    with pytest.raises(InputError, match=told) as caught:
        load(spec, CPU).score([Group("q", ["p"])], [Setting()], TextOptions(**text))
    assert "\n" not in str(caught.value)


def test_an_instruction_is_optional_where_the_template_says_so():
    reranker = model("mxbai-s1")
    plain = reranker.prepare([Group("q", ["p"])], TextOptions(task="contradiction")).tokens[0].ids
    asked = reranker.prepare([Group("q", ["p"])], TextOptions(prompt="Prefer {query}")).tokens[0].ids
    decode = reranker.tokenizer.backend.decode
    assert "user\nquery: q\ndocument: p\nYou are" in decode(plain)
    assert "user\ninstruction: Prefer {query}\nquery: q\ndocument: p" in decode(asked)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("formula: sum", "formula: must be 'row', 'difference' or 'log_softmax', found \"sum\""),
        ("tokens: [yes]", "tokens.0: must be a text"),
        ('tokens: ["a", "b"]', "formula row reads 1, found 2"),
        ("scale: 0", "scale: expected a number other than 0"),
        ("template: {query: q, passage: '{passage}', limit: pair}", "key 'query': must contain {query} once"),
        ("template: {query: '{query}', passage: '{passage}'}", "key 'limit' is missing"),
        ("template: {query: '{query}', passage: '{passage}', limit: all}", "expected pair or sequence, found 'all'"),
        ("template: {before: 3}", "key 'query' is missing"),
        ("template: {befor: 3}", "unknown key 'befor'; did you mean 'before'"),
        ("template: {query: '{query}', passage: '{passage}', limit: pair, joined_tail: true}", "needs `joined: true`"),
        ("template: [a]", "template: must be a text"),
        ("template: {query: '{query}', passage: '{passage}', limit: pair, joined: 1}", "'joined': expected true or"),
        ("template: {query: '{query}', passage: '{passage}', limit: pair, after: [1]}", "'after': expected a text or"),
    ],
)
def test_a_specification_is_checked(tmp_path, lines, told):
    path = tmp_path / "mine.yaml"
    path.write_text(f"family: token-logit\nsource: a/b\n{lines}\n")
    with pytest.raises(InputError) as caught:
        load_spec(str(path))
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", [name for name in list_models() if load_spec(name).options.get("template")])
def test_shapes_are_known_without_a_download(name):
    spec = load_spec(name)
    shape, family = shape_of(spec), family_of(spec)
    assert shape is not None
    assert shape.head_needed == 2 * spec.config["hidden_size"] * (len(spec.options.get("tokens", ())) or 1)
    # the published count of parameters is that of the tensors
    counted = sum(math.prod(shape) for shape in family.tensors(spec.config).shapes.values())
    assert spec.parameters == counted
    assert family.text_rules(spec).count_own_tokens(TextOptions()) >= 3


def test_characters_and_white_space_count_where_the_template_says_so():
    template = read_template("zerank-1", "here")
    spec = replace(
        model("qwen3-s1").spec.with_options(template="zerank-1", tokens=["yes"], formula="row", wording={}),
        max_length=512,
    )
    reranker = load(spec, CPU)
    query, passage = " \n" + "why " * 600, "tea\n\n"
    (pair,) = reranker.prepare([Group(query, [passage])], TextOptions(max_length=8192)).tokens
    text = reranker.tokenizer.backend.decode(pair.ids, skip_special_tokens=False)
    asked = query[:2000].strip()
    assert text == f"<|im_start|>system\n{asked}<|im_end|>\n<|im_start|>user\ntea<|im_end|>\n<|im_start|>assistant\n"
    assert pair.truncated
    assert template.shortens("q", "p" * 10001)
    assert not template.shortens("q", "p" * 10000)


def test_the_passage_may_come_first():
    """The ids are those of the whole prompt; of one that is too long, what every prompt ends with is kept."""
    import transformers

    spec = model("qwen3-s1").spec.with_options(template="ctxl-rerank-v2", tokens=[0], formula="row", wording={})
    reranker = load(spec, CPU)
    tokenizer = transformers.AutoTokenizer.from_pretrained(spec.source)
    query, passages = "what is {passage}?", ["tea {query}", "", "a drink " * 40]
    frame = (
        "Check whether a given document contains information helpful to answer the query.\n<Document> {}\n<Query> {} ??"
    )
    texts = [frame.replace("{}", passage, 1).replace("{}", query, 1) for passage in passages]
    whole = [tokenizer(text)["input_ids"] for text in texts]
    for length in (8192, len(whole[2]) - 9):
        found = reranker.prepare([Group(query, passages)], TextOptions(max_length=length)).tokens
        end = tokenizer(" ??")["input_ids"]
        expected = [ids if len(ids) <= length else ids[: length - len(end)] + end for ids in whole]
        assert [pair.ids for pair in found] == expected
    shared = reranker.score([Group(query, passages)], [Setting()], TextOptions())
    single = reranker.score([Group(query, [p]) for p in passages], [Setting()], TextOptions())
    np.testing.assert_allclose(shared.scores, single.scores, rtol=0, atol=1e-5)
    with pytest.raises(InputError, match="key 'passage_first': needs `joined: true`"):
        read_template({"query": "{query}", "passage": "{passage}", "limit": "pair", "passage_first": True}, "here")
