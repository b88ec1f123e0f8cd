"""Set-Encoder against lightning-ir's own scores and ids; the order of a list changes nothing; FLOPs that ran."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import PARITY
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rerankbench.rerankers import Group, InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.models.list_encoder import ListEncoder
from rerankbench.rerankers.models.ops import Ops
from rerankbench.rerankers.models.packed import Packed
from rerankbench.rerankers.registry import find_spec, shape_of
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

FOLDER = PARITY / "set-s1"
GOLDENS = json.loads((FOLDER / "goldens.json").read_text(encoding="utf-8"))
LISTS = GOLDENS[0]["lists"]
CPU = LoadOptions(device="cpu", dtype="float32")
TEXTS = st.text("abcdefgh .,?' ", max_size=40)


def loaded(folder: Path, **config: Any) -> Any:
    shutil.copytree(FOLDER, folder)
    raw = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**raw, **config}))
    return load(str(folder), CPU)


@pytest.fixture(scope="module")
def model() -> Any:
    return load(str(FOLDER), CPU)


def score(model: Any, *groups: Group, text: TextOptions | None = None) -> Any:
    return model.score(groups, [Setting()], text or TextOptions())


@pytest.mark.parametrize("case", GOLDENS, ids=lambda case: json.dumps(case["config"]))
def test_ids_and_scores_are_the_publishers(case: dict[str, Any], tmp_path: Path) -> None:
    model = loaded(tmp_path / "model", **case["config"])
    groups = [Group(one["query"], one["passages"]) for one in case["lists"]]
    prepared = model.prepare(groups, TextOptions()).tokens
    assert [one.ids for one in prepared] == [one["ids"] for one in case["lists"]]
    want = [score for one in case["lists"] for score in one["scores"]]
    np.testing.assert_allclose(score(model, *groups).scores[0], want, rtol=0, atol=1e-5)
    by_option = load(str(FOLDER), CPU)
    cut = TextOptions(max_length=case["config"].get("doc_length"))
    np.testing.assert_array_equal(score(by_option, *groups, text=cut).scores, score(model, *groups).scores)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=TEXTS, passages=st.lists(TEXTS, min_size=1, max_size=5), seed=st.randoms())
def test_order_changes_nothing_and_company_does(model: Any, query: str, passages: list[str], seed: Any) -> None:
    order = list(range(len(passages)))
    seed.shuffle(order)
    given_order = score(model, Group(query, passages)).scores[0]
    shuffled = score(model, Group(query, [passages[i] for i in order])).scores[0]
    np.testing.assert_allclose(shuffled, given_order[order], rtol=0, atol=1e-5)
    beside = score(model, Group("cat", ["dog"]), Group(query, passages), Group("x", [])).scores[0]
    np.testing.assert_array_equal(beside[1:], given_order)


def test_a_score_depends_on_the_list(model: Any) -> None:
    one = LISTS[0]
    whole = score(model, Group(one["query"], one["passages"])).scores[0]
    assert abs(score(model, Group(one["query"], one["passages"][:2])).scores[0] - whole[:2]).max() > 1e-3


def test_a_checkpoint_that_draws_states_is_read_without_them(tmp_path: Path, caplog: Any) -> None:
    model = loaded(tmp_path / "model", sample_missing_docs=True)
    one, whole = LISTS[0], LISTS[3]
    score(model, Group(whole["query"], whole["passages"]))
    assert "drawn at random" not in caplog.text
    score(model, Group(one["query"], one["passages"]))
    found = score(model, Group(one["query"], one["passages"])).scores[0]
    np.testing.assert_allclose(found, one["scores"], rtol=0, atol=1e-5)
    assert caplog.text.count("drawn at random") == 1
    assert model.identity(TextOptions())["listwise"] == {"order": "none", "depth": 5, "missing": "left out"}


def test_tokens_add_up_and_flops_are_those_that_ran(model: Any) -> None:
    one = LISTS[3]
    found = score(model, Group(one["query"], one["passages"]))
    # PyTorch counts no products in inference mode, and none with matrices that oneDNN laid out
    encoder = ListEncoder.load(FOLDER, model.config.body, torch.float32, torch.device("cpu"))
    packed = Packed.of(one["ids"], None, encoder.device)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        encoder.scores(packed, Ops())
    assert found.executed.flops == counter.get_total_flops()
    tokens = found.query_tokens + found.passage_tokens + found.prompt_tokens
    assert tokens.tolist() == [len(ids) for ids in one["ids"]]
    assert found.executed.real_tokens == tokens.sum()
    assert found.truncated.all()  # the query is
    assert shape_of(find_spec(str(FOLDER))) is None


def test_many_passages_of_one_length_equal_the_plain_formula(tmp_path: Path) -> None:
    model = loaded(tmp_path / "model", depth=100)
    passages = [f"the {word} of the {other}" for word in ("cat", "dog", "fish", "moon", "sea") for other in "abcdefgh"]
    found = score(model, Group("who eats", passages)).scores[0]
    for ask in (0, 17, 39):  # the same list with one passage of another length, hence in other chunks
        mixed = list(passages)
        mixed.insert(ask, mixed.pop(ask))
        np.testing.assert_allclose(score(model, Group("who eats", mixed)).scores[0], found, rtol=0, atol=1e-5)
    assert np.ptp(found) > 0.05
    assert torch.isfinite(torch.tensor(found)).all()


def test_what_it_does_not_do_is_refused(model: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="5 passages at most"):
        score(model, Group("a", ["b"] * 6))
    with pytest.raises(InputError, match="full depth only"):
        model.score([Group("a", ["b"])], [Setting(1)], TextOptions())
    with pytest.raises(InputError, match="in one way"):
        score(model, Group("a", ["b"]), text=TextOptions(truncation="snippet"))
    wrong = {
        "backbone_model_type": "roberta",
        "embedding_size": 12,
        "type_vocab_size": 1,
        "depth": 0,
        "doc_length": True,
        "pooling_strategy": "mean",
        "linear_bias": True,
        "no_such_key": 1,
    }
    for key, value in wrong.items():
        with pytest.raises(InputError, match=key):
            loaded(tmp_path / key, **{key: value})
    folder = shutil.copytree(FOLDER, tmp_path / "plain")
    saved = json.loads((folder / "tokenizer.json").read_text())
    saved["post_processor"]["pair"] = [
        part for part in saved["post_processor"]["pair"] if part.get("SpecialToken", {}).get("id") != "[INT]"
    ]
    (folder / "tokenizer.json").write_text(json.dumps(saved))
    with pytest.raises(InputError, match="no token for it"):
        load(str(folder), CPU)
