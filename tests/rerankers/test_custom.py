"""Classes of the user, registered ones, and objects: what they score, what is refused, and in which words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from checkpoints import PARITY
from rerankbench.rerankers import (
    CustomReranker,
    Group,
    InputError,
    LoadOptions,
    ScoreError,
    Setting,
    TextOptions,
    load,
    with_version,
)
from rerankbench.rerankers.custom import plugins
from rerankbench.rerankers.flops import LayerCost, Shape, reference
from rerankbench.rerankers.registry import find_spec, shape_of

GROUPS = [Group("a b", ["a", "b a c"]), Group("nobody", []), Group("c", ["b c"])]
SHAPE = Shape(2, LayerCost.of(hidden=8, queries=8, keys=8, mlp=128), range(2, 3), head_per_pair=16, head_needed=16)
MODULE = """
import torch

class Overlap:
    version = "1"

    def __init__(self, device="cpu", dtype="float32"):
        self.asked = (device, dtype)

    def predict(self, pairs):
        return [len(set(query.split()) & set(passage.split())) for query, passage in pairs]

class ByQuery:
    version = "7"

    def score(self, query, passages):
        return torch.tensor([[len(passage) - len(query)] for passage in passages], dtype=torch.bfloat16)

class Nested:
    Inner = ByQuery

class NoVersion(Overlap):
    version = " "

class Failing(Overlap):
    def __init__(self):
        raise OSError("no such\\nfile")

def make():
    return ByQuery()

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`their_rerankers.py` in the current folder, which is not on Python's path."""
    (tmp_path / "their_rerankers.py").write_text(MODULE)
    (tmp_path / "broken_module.py").write_text("import no_such_package_at_all\n")
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield
    sys.path[:] = before
    for name in ("their_rerankers", "broken_module"):
        sys.modules.pop(name, None)


def scores(model: Any) -> list[float]:
    return model.score(GROUPS, [Setting()], TextOptions()).scores[0].tolist()


def test_a_class_in_this_folder_scores() -> None:
    model: Any = load("their_rerankers:Overlap", LoadOptions(device="cpu", dtype="bfloat16"))
    assert scores(model) == [1.0, 2.0, 1.0]
    assert model.model.asked == ("cpu", "bfloat16")
    assert model.identity(TextOptions()) == {
        "adapter": "own/1",
        "class": "their_rerankers:Overlap",
        "version": "1",
        "dtype": "bfloat16",
    }
    assert (model.spec.name, model.shape) == ("Overlap", None)


@pytest.mark.parametrize("name", ["ByQuery", "Nested.Inner", "make"])
def test_score_by_query_functions_and_inner_names(name: str) -> None:
    assert scores(load(f"their_rerankers:{name}")) == [-2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("their_rerankers:Overlp", "has no 'Overlp'; did you mean 'Overlap'"),
        ("their_reranker:Overlap", "there is no module 'their_reranker' on Python's path or in this folder"),
        ("broken_module:X", "ModuleNotFoundError at broken_module.py:1: No module named 'no_such_package_at_all'"),
        ("their_rerankers:number", "expected a class or a function, found int"),
        ("their_rerankers:NoVersion", "states no version"),
        ("their_rerankers:Failing", r"OSError at their_rerankers.py:\d+: no such file"),
    ],
)
def test_what_cannot_be_loaded_is_told_in_one_line(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as told:
        load(name)
    assert "\n" not in str(told.value)


def test_options_that_would_be_ignored_are_refused() -> None:
    with pytest.raises(InputError, match="takes no dtype; leave out 'float16'"):
        load("their_rerankers:ByQuery", LoadOptions(dtype="float16"))
    with pytest.raises(InputError, match="has no head_policy; leave out 'by_layer'"):
        load("their_rerankers:ByQuery", head_policy="by_layer")
    model = load("their_rerankers:ByQuery")
    for text in (TextOptions(max_length=9), TextOptions(query_max_length=9), TextOptions(truncation="snippet")):
        with pytest.raises(InputError, match="cuts its texts itself; leave out"):
            model.identity(text)
    with pytest.raises(InputError, match="has no prompt"):
        model.score(GROUPS, [Setting()], TextOptions(prompt="find it"))
    with pytest.raises(InputError, match="full depth only"):
        model.score(GROUPS, [Setting(3)], TextOptions())


class Answers(CustomReranker):
    """Answers what it is told to."""

    version = "1"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def predict(self, pairs: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([1, 2], "gave 2 scores for 3 pairs"),
        ([1, float("nan"), 2], r"gave the score nan for pair 1 \(query 'a b', passage 'b a c'\)"),
        ([1, 1e300, 2], "gave the score inf for pair 1"),
        (["1", "2", "3"], "expected one number per pair, found <U1"),
        ([[1, 2], [3, 4], [5, 6]], r"found int64 of shape \(3, 2\)"),
        ([True, False, True], "found bool"),
        (None, "found object"),
        ([[1], [2, 3], [4]], "ValueError at custom.py"),
        (KeyError("panda"), r"KeyError at test_custom.py:\d+: 'panda'"),
    ],
)
def test_answers_that_cannot_be_scores_are_refused(answer: Any, message: str) -> None:
    with pytest.raises(ScoreError, match=message) as told:
        scores(load(Answers(answer)))
    assert "Answers" in str(told.value)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, lambda x: torch.tensor(x)[:, None]])
def test_lists_arrays_and_tensors_are_scores(kind: Any) -> None:
    assert scores(load(Answers(kind([1.5, -2.0, 0.25])))) == [1.5, -2.0, 0.25]


class Counting(Answers):
    shape = SHAPE

    def lengths(self, pairs: Any) -> Any:
        return [(len(query.split()), len(passage.split())) for query, passage in pairs]


def test_flops_are_the_authors(tmp_path: Path) -> None:
    model = load(Counting([1, 2, 3]))
    found = model.score(GROUPS, [Setting()], TextOptions())
    assert (found.query_tokens.tolist(), found.passage_tokens.tolist()) == ([2, 2, 1], [1, 3, 2])
    assert model.shape is SHAPE
    assert reference(SHAPE, Setting(), 2, 3, 0) > 0
    (tmp_path / "their_rerankers.py").write_text("from test_custom import Counting\n")
    assert shape_of(find_spec("their_rerankers:Counting")) is SHAPE


def test_a_shape_without_lengths_is_refused() -> None:
    class NoLengths(Answers):
        shape = SHAPE

    class Forgetful(Counting):
        def lengths(self, pairs: Any) -> Any:
            return None

    with pytest.raises(InputError, match="has a `shape` but no `lengths"):
        load(NoLengths([1, 2, 3]))
    with pytest.raises(ScoreError, match="`lengths` must give the tokens of every pair"):
        scores(load(Forgetful([1, 2, 3])))


@pytest.mark.parametrize("stated", [[(1, 2)], [(1, 2, 3)] * 3, [(1, -2)] * 3, [(1.5, 2)] * 3])
def test_lengths_that_fit_no_pair_are_refused(stated: Any) -> None:
    class Wrong(Counting):
        def lengths(self, pairs: Any) -> Any:
            return stated

    with pytest.raises(ScoreError, match="`lengths` must give"):
        scores(load(Wrong([1, 2, 3])))


def test_a_cross_encoder_of_sentence_transformers() -> None:
    """An object at hand gives what the native path gives for its folder."""
    from sentence_transformers import CrossEncoder

    folder = str(PARITY / "xlmr-s1")
    theirs = CrossEncoder(folder, device="cpu", activation_fn=torch.nn.Identity())
    with pytest.raises(InputError, match="CrossEncoder: states no version"):
        load(theirs)
    model = load(with_version(theirs, "2026-11-26", name="fine-tuned"))
    assert model.spec.name == "fine-tuned"
    assert model.identity(TextOptions())["class"].endswith(":CrossEncoder")
    native = load(folder, LoadOptions(device="cpu", dtype="float32"))
    np.testing.assert_allclose(scores(model), scores(native), rtol=0, atol=1e-4)
    with pytest.raises(InputError, match="is made already; leave out the options"):
        load(with_version(theirs, "1"), LoadOptions(dtype="float32"))


def test_what_has_nothing_to_score_with() -> None:
    with pytest.raises(InputError, match="has no `predict"):
        with_version(3, "1")
    with pytest.raises(InputError, match="has neither `predict"):
        load(CustomReranker.__new__(type("Empty", (CustomReranker,), {"version": "1"})))


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that registers two rerankers, as pip would install it."""
    info = tmp_path / "site" / "theirs-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    names = "word-overlap = their_rerankers:Overlap\nbge-reranker-base = their_rerankers:Overlap\n"
    (info / "entry_points.txt").write_text(f"[rerankbench.rerankers]\n{names}")
    monkeypatch.syspath_prepend(str(info.parent))
    plugins.cache_clear()
    yield
    plugins.cache_clear()


@pytest.mark.usefixtures("registered")
def test_a_registered_name() -> None:
    model = load("word-overlap")
    assert (model.spec.name, model.spec.source) == ("word-overlap", "their_rerankers:Overlap")
    assert scores(model) == [1.0, 2.0, 1.0]
    with pytest.raises(InputError, match="another one registers their_rerankers:Overlap under that name"):
        load("bge-reranker-base")
