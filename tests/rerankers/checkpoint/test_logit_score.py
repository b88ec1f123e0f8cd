"""Cross-encoders that sentence-transformers makes of causal language models are run as their folder says."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decoder_goldens import PARITY
from rerankbench.rerankers import Group, InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.registry import load_spec
from wild import edit

st = pytest.importorskip("sentence_transformers", minversion="6")

CHAT = """{%- for m in messages %}{%- if m.role == "system" %}<|im_start|>system
{{ m.content }}<|im_end|>
{% elif m.role == "query" %}<|im_start|>user
Query: {{ m.content }}
{% elif m.role == "document" %}Document: {{ m.content }}
Is it relevant?{% endif %}{% endfor %} Answer:
"""
TURNS = """{%- for m in messages %}{% if m.role == "query" %}<|im_start|>system
{{ m.content | trim }}{% elif m.role == "document" %}<|im_end|>
<|im_start|>user
{{ m.content | trim }}{% endif %}{% endfor %}<|im_end|>
<|im_start|>assistant
"""
PARTS = TURNS.replace("m.content | trim", "m.content[0].text").replace("system", "question")
LAST = """{%- set ns = namespace(q="", d="", s="") %}{%- for m in messages %}
{%- if m.role == "query" %}{%- set ns.q = m.content %}
{%- elif m.role == "document" %}{%- set ns.d = m.content %}{%- else %}{%- set ns.s = " " + m.content %}{%- endif %}
{%- endfor %}Does the document help to answer the query?
<Document> {{ ns.d }}
<Query> {{ ns.q }}{{ ns.s }} ??"""
PAIRS = [
    ("what is tea?", "Tea is a drink."),
    ("what is tea?", "tea leaves.\n\n"),
    ("what is tea?", ""),
    (" two words ", "A suspension bridge carries the road on cables between two towers. " * 9),
    ("long " * 90, "short"),
]
CPU = LoadOptions(device="cpu", dtype="float32")


def saved(tmp_path: Path, template: str, kind: str = "qwen3-s1", length: int = 128, **options: Any) -> Any:
    """A cross-encoder as sentence-transformers saves it, and the object."""
    base = tmp_path / "base"
    shutil.copytree(PARITY / kind, base)
    (base / "chat_template.jinja").write_text(template)
    model = st.CrossEncoder(str(base), device="cpu", max_length=length, **options)
    model.save_pretrained(str(tmp_path / "st"))
    return model


def ours(folder: Path, **text: Any) -> np.ndarray:
    reranker = load(str(folder), CPU)
    groups = [Group("what is tea?", [p for q, p in PAIRS[:3]]), *(Group(q, [p]) for q, p in PAIRS[3:])]
    return reranker.score(groups, [Setting()], TextOptions(**text)).scores[0]


@pytest.mark.parametrize(
    ("template", "kind"),
    [(CHAT, "qwen3-s1"), (CHAT, "mxbai-s1"), (TURNS, "qwen3-s1"), (PARTS, "qwen3-s1"), (LAST, "qwen3-s1")],
    ids=["chat", "chat-qwen2", "turns", "parts", "query-last"],
)
def test_equal_to_sentence_transformers(tmp_path, template, kind):
    theirs = saved(tmp_path, template, kind)
    reranker = load(str(tmp_path / "st"), CPU)
    assert reranker.spec.family == "token-logit"
    assert reranker.spec.max_length == 128
    expected = theirs.predict(PAIRS)
    np.testing.assert_allclose(ours(tmp_path / "st"), expected, rtol=0, atol=1e-5)
    assert np.ptp(expected) > 0.01
    groups = [Group(query, [passage]) for query, passage in PAIRS]
    found = [pair.ids for pair in reranker.prepare(groups, TextOptions()).tokens]
    assert found == [theirs.preprocess([pair])["input_ids"][0].tolist() for pair in PAIRS]
    assert max(map(len, found)) == 128
    identity = reranker.identity(TextOptions())
    assert identity["activation"].endswith("Sigmoid")
    assert identity["tokens"] == list(reranker.plan.rows[3].rows)


@pytest.mark.parametrize("template", [CHAT, LAST], ids=["chat", "query-last"])
def test_a_prompt_is_the_systems_message(tmp_path, template):
    theirs = saved(tmp_path, template, prompts={"ask": "Find it."}, default_prompt_name="ask")
    np.testing.assert_allclose(ours(tmp_path / "st"), theirs.predict(PAIRS), rtol=0, atol=1e-5)
    other = theirs.predict(PAIRS, prompt="Say {query}.")
    np.testing.assert_allclose(ours(tmp_path / "st", prompt="Say {query}."), other, rtol=0, atol=1e-5)
    assert np.abs(other - theirs.predict(PAIRS)).max() > 0.001


def test_one_token_without_an_activation(tmp_path):
    saved(tmp_path, TURNS)
    edit(tmp_path / "st" / "1_LogitScore" / "config.json", false_token_id=None)
    edit(tmp_path / "st" / "config_sentence_transformers.json", activation_fn="torch.nn.modules.linear.Identity")
    expected = st.CrossEncoder(str(tmp_path / "st"), device="cpu").predict(PAIRS)
    np.testing.assert_allclose(ours(tmp_path / "st"), expected, rtol=0, atol=1e-5)
    assert np.ptp(expected) > 0.1


def test_a_specification_may_tell_otherwise(tmp_path):
    saved(tmp_path, TURNS)
    spec = replace(load_spec("qwen3-reranker-0.6b"), source=str(tmp_path / "st"), revision=None)
    plain = replace(spec, source=str(PARITY / "qwen3-s1"))
    group = [Group("what is tea?", [passage for _, passage in PAIRS[:3]])]
    found, expected = (load(one, CPU).score(group, [Setting()], TextOptions()).scores for one in (spec, plain))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        (CHAT.replace("m.content }}\nIs", "m.content | upper }}\nIs"), "does not put query and document in once each"),
        (CHAT.replace("m.content }}\nIs", "m.content[:200] }}\nIs"), "does more than put texts into places"),
        (CHAT.replace("m.content }}\nIs", "m.content[:5000] }}\nIs"), "does more than put texts into places"),
        (CHAT.replace("Is it", "{% raw %}{query}{% endraw %} it"), "contains {query} or {passage} as a text"),
        (CHAT.replace("Document: {{ m.content }}", "{{ m.content }} {{ m.content }}"), "in once each"),
        ("{{ messages[5].content }}", "its chat template cannot be rendered"),
    ],
    ids=["upper", "cut", "cut late", "place", "twice", "fault"],
)
def test_a_template_that_does_more_is_refused(tmp_path, template, told):
    saved(tmp_path, CHAT)
    (tmp_path / "st" / "chat_template.jinja").write_text(template)
    with pytest.raises(InputError) as caught:
        load(str(tmp_path / "st"), CPU)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("1_LogitScore/config.json", {"true_token_id": 10**6}, "expected ids below 915"),
        ("1_LogitScore/config.json", {"module_input_name": "x"}, "only 'causal_logits' is supported"),
        ("1_LogitScore/config.json", {"bias": 1}, "key 'bias' is not understood"),
        ("sentence_bert_config.json", {"do_lower_case": True}, "lower_case True beside a chat template"),
        ("sentence_bert_config.json", {"query_length": 9}, "query_length 9 beside a chat template"),
        (
            "config.json",
            {"model_type": "phi3"},
            "in a chat template ('message') are not supported for model_type 'phi3'",
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_has_no_place_is_refused_by_name(tmp_path, file, changes, told):
    saved(tmp_path, CHAT)
    edit(tmp_path / "st" / file, **changes)
    with pytest.raises(InputError) as caught:
        load(str(tmp_path / "st"), CPU)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
