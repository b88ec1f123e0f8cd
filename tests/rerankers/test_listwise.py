"""The listwise family against the published code; what a score depends on, and what it does not."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import PARITY, change
from rerankbench.rerankers import Group, InputError, LoadOptions, Setting, TextOptions, load, load_spec
from rerankbench.rerankers.registry import find_spec, shape_of
from torch.utils.flop_counter import FlopCounterMode

FOLDER = PARITY / "jina-list-s1"
CASES = json.loads((FOLDER / "goldens.json").read_text(encoding="utf-8"))
CPU = LoadOptions(device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def model() -> Any:
    return load(str(FOLDER), CPU)


def text_of(case: dict[str, Any]) -> TextOptions:
    call = case["call"]
    return TextOptions(max_length=call.get("max_doc_length"), query_max_length=call.get("max_query_length"))


def scored(model: Any, *groups: Group, text: TextOptions | None = None) -> Any:
    return model.score(groups, [Setting()], text or TextOptions())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case['passages'])}-{case['call']}")
def test_scores_are_those_of_the_published_code(model: Any, case: dict[str, Any]) -> None:
    found = scored(model, Group(case["query"], case["passages"]), text=text_of(case))
    np.testing.assert_allclose(found.scores[0], case["scores"], rtol=0, atol=1e-5)
    assert np.ptp(case["scores"]) > 0.05 or len(case["scores"]) == 1
    limit = case["call"].get("max_doc_length", 2048)
    assert found.passage_tokens.max() <= limit
    assert found.truncated.any() == (limit == 24)


def test_the_registered_name_takes_a_folder(model: Any) -> None:
    spec = load_spec("jina-reranker-v3")
    assert find_spec(str(FOLDER)).family == spec.family
    named = load(replace(spec, source=str(FOLDER), revision=None), CPU)
    case = CASES[0]
    group = Group(case["query"], case["passages"])
    np.testing.assert_array_equal(scored(named, group).scores, scored(model, group).scores)
    assert shape_of(spec) is None


def test_a_score_depends_on_the_list_and_on_nothing_else(model: Any) -> None:
    case = CASES[0]
    group = Group(case["query"], case["passages"])
    alone = scored(model, group).scores[0]
    others = scored(model, Group("another query", ["a lamp", "the moon"]), group, Group("nobody", []))
    np.testing.assert_array_equal(others.scores[0][2:], alone)
    shorter = scored(model, Group(case["query"], case["passages"][:2])).scores[0]
    swapped = scored(model, Group(case["query"], case["passages"][::-1])).scores[0][::-1]
    assert abs(shorter - alone[:2]).max() > 1e-3
    assert abs(swapped - alone).max() > 1e-3


def test_the_identity_says_how_a_list_is_read(model: Any) -> None:
    identity = model.identity(TextOptions())
    assert identity["listwise"] == {"window": 125, "stride": 125, "order": "given", "depth": None, "room": 3000}
    assert (identity["max_length"], identity["query_max_length"]) == (2048, 512)
    assert model.identity(TextOptions(max_length=9)) != identity


def test_tokens_add_up_and_flops_are_those_that_ran(model: Any) -> None:
    from transformers import Qwen3Model

    case = CASES[0]
    found = scored(model, Group(case["query"], case["passages"]))
    tokens = int((found.query_tokens + found.passage_tokens + found.prompt_tokens).sum())
    assert found.executed.real_tokens == tokens
    theirs = Qwen3Model.from_pretrained(FOLDER, attn_implementation="eager").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        theirs(input_ids=torch.ones((1, tokens), dtype=torch.long), use_cache=False)
    marked = len(case["passages"]) + 1
    projector = 2 * marked * (32 * 16 + 16 * 512)
    assert found.executed.flops == counter.get_total_flops() + projector


def test_faces_rank_a_list(model: Any) -> None:
    case = CASES[1]
    ranked = model.rank(case["query"], case["passages"])
    assert [one["corpus_id"] for one in ranked] == np.argsort(-np.array(case["scores"])).tolist()
    pairs = [(case["query"], passage) for passage in case["passages"]]
    np.testing.assert_allclose(model.predict(pairs), case["scores"], rtol=0, atol=1e-5)


def test_what_it_does_not_do_is_refused(model: Any, tmp_path: Path) -> None:
    group = Group("a", ["b"])
    for text, message in (
        (TextOptions(prompt="find it"), "has no prompt"),
        (TextOptions(truncation="snippet"), "a list is cut in one way only"),
    ):
        with pytest.raises(InputError, match=message):
            model.score([group], [Setting()], text)
    with pytest.raises(InputError, match="full depth only"):
        model.score([group], [Setting(1)], TextOptions())
    folder = shutil.copytree(FOLDER, tmp_path / "model")
    plain = (folder / "tokenizer.json").read_text(encoding="utf-8").replace("<|rerank_token|>", "<|other|>")
    (folder / "tokenizer.json").write_text(plain, encoding="utf-8")
    with pytest.raises(InputError, match=r"no token <\|rerank_token\|>"):
        load(str(folder), CPU)
    folder = shutil.copytree(FOLDER, tmp_path / "broken")
    change(folder, lambda state: state.pop("projector.2.weight"))
    with pytest.raises(InputError, match=r"projector\.2\.weight"):
        load(str(folder), CPU)
