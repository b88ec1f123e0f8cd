from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gate_cells import FakeCell, some_scores
from rerankbench.eval.compare.runs import Comparison, Difference, compare
from rerankbench.eval.compare.runs_text import to_json, to_text
from rerankbench.eval.compare.selector import Selector
from rerankbench.rerankers.errors import InputError


def fake_dataset(name: str) -> SimpleNamespace:
    assert name == "toy"
    return SimpleNamespace(
        checksum="sha256:bb",
        queries={f"q{i:03d}": f"question number {i}" for i in range(40)},
        qrels={f"q{i:03d}": {"d0": 1, "d5": 0} for i in range(40)},
        texts=lambda ids: [f"text of {doc}" for doc in ids],
    )


def unreadable(name: str) -> SimpleNamespace:
    raise InputError(f"{name}: is not here")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two settings of one model: in the second, queries q003 and q017 lose their relevant document."""
    cell = FakeCell(some_scores(signal=5))
    scores = cell.scores.copy()
    scores[[3, 17], 0] = -9, np.sort(scores[17, 1:])[-1] - 1e-3
    cell.write(tmp_path)
    cell.but(scores=scores, setting="L2-r2@1").with_part("setting.cutoff_layer", 2).write(tmp_path)
    return tmp_path


def variants(root: Path, **options: object) -> Difference:
    a, b = Selector(root, "small", "L4"), Selector(root, "small", "L2-r2@1")
    compared = compare(a, b, **{"metric": "nDCG@10", "worst": 10, "load": fake_dataset, **options})
    assert not compared.left_out
    (found,) = compared.differences
    return found


@pytest.mark.parametrize(
    ("text", "model", "setting"),
    [
        ("runs/x", None, None),
        ("runs/x#small", "small", None),
        ("runs/x#small@L2-r2@1+3", "small", "L2-r2@1+3"),
        ("runs/x#@full", None, "full"),
    ],
)
def test_selector(text: str, model: str | None, setting: str | None) -> None:
    assert Selector.parse(text) == Selector(Path("runs/x"), model, setting)


def test_an_existing_folder_may_hold_a_hash_sign(tmp_path: Path) -> None:
    folder = tmp_path / "run#2"
    folder.mkdir()
    assert Selector.parse(str(folder)) == Selector(folder)


def test_two_variants_of_one_run(root: Path) -> None:
    found = variants(root)
    assert (found.a, found.b, found.queries, found.only) == ("small@L4", "small@L2-r2@1", 40, 0)
    assert (found.paired.wins, found.paired.ties, found.paired.losses) == (0, 38, 2)
    assert found.paired.mean == pytest.approx(found.mean_b - found.mean_a)
    assert found.paired.p == 0.5  # two changed queries, both down: 2 of 4 flips
    assert found.parts == {"setting.cutoff_layer": (4, 2)}


def test_queries_that_changed_most_come_first_with_both_tops(root: Path) -> None:
    first, second = variants(root).worst
    assert [first.query, second.query] == ["q003", "q017"]
    assert (first.before, first.after, first.text) == (1.0, 0.0, "question number 3")
    assert (first.top_a[0].id, first.top_a[0].grade, first.top_a[0].text) == ("d0", 1, "text of d0")
    assert "d0" not in [doc.id for doc in first.top_b]
    assert [doc.id for doc in second.top_b].index("d0") == 1
    assert [len(first.top_a), len(first.top_b)] == [10, 10]
    scores = [doc.score for doc in first.top_b]
    assert scores == sorted(scores, reverse=True)
    assert {doc.grade for doc in first.top_b} <= {None, 0}
    assert len(variants(root, worst=1).worst) == 1


def test_without_the_dataset_ids_remain(root: Path) -> None:
    found = variants(root, load=unreadable)
    assert found.note == "without texts: toy: is not here"
    assert found.worst[0].text is None
    assert found.worst[0].top_a[0].id == "d0"
    assert "without texts" in to_text(Comparison((found,)), "nDCG@10")


def test_each_side_is_shown_by_its_own_qrels(root: Path, tmp_path: Path) -> None:
    anew = FakeCell(some_scores(signal=2, seed=1), provenance={"experiment": {"datasets": ["anew/toy"]}})
    anew.with_part("checksum", "sha256:dd").write(tmp_path / "anew")
    judged_anew = fake_dataset("toy")
    judged_anew.checksum, judged_anew.qrels = "sha256:dd", {f"q{i:03d}": {"d0": 2} for i in range(40)}
    sides = Selector(root, "small", "L4"), Selector(tmp_path / "anew")

    def compare_with(load: Callable[[str], SimpleNamespace]) -> tuple[set[int | None], set[int | None], str | None]:
        (difference,) = compare(*sides, metric="nDCG@10", worst=40, load=load).differences
        a, b = (
            {doc.grade for c in difference.worst for doc in top(c)} for top in (lambda c: c.top_a, lambda c: c.top_b)
        )
        return a, b, difference.note

    load = {"toy": fake_dataset("toy"), "anew/toy": judged_anew}.__getitem__
    assert compare_with(load) == ({0, 1, None}, {2, None}, None)
    note = "B without grades and texts: anew/toy has changed since that run"
    assert compare_with(lambda name: fake_dataset("toy")) == ({0, 1, None}, {None}, note)


def test_whole_folders_pair_by_variant_and_are_corrected(root: Path, tmp_path: Path) -> None:
    found = compare(Selector(root), Selector(root), metric="RR@10", worst=3, load=fake_dataset).differences
    assert [(d.a, d.b) for d in found] == [("small@L2-r2@1", "small@L2-r2@1"), ("small@L4", "small@L4")]
    assert all(d.p_adjusted == 1 and not d.worst and not d.parts for d in found)


def test_holm_over_datasets(tmp_path: Path) -> None:
    weak, strong = FakeCell(some_scores(signal=1)), FakeCell(some_scores(signal=1.5))
    for name in ("one", "two", "three"):
        weak.but(dataset=name).write(tmp_path / "a")
        strong.but(dataset=name).write(tmp_path / "b")
    found = compare(
        Selector(tmp_path / "a"), Selector(tmp_path / "b"), metric="nDCG@10", worst=0, load=unreadable
    ).differences
    assert [d.dataset for d in found] == ["one", "three", "two"]
    assert all(d.p_adjusted == pytest.approx(3 * d.paired.p) for d in found)


def test_cells_without_a_partner_are_told(root: Path, tmp_path: Path) -> None:
    FakeCell(some_scores(5, 12), dataset="other").write(root)
    found = compare(Selector(root), Selector(root, None, "L2-r2@1"), metric="RR@10", worst=0, load=None)
    assert [d.dataset for d in found.differences] == ["toy"]
    assert found.left_out == ("A: small@L4 on other", "A: small@L4 on toy")
    assert "not compared, no partner: A: small@L4 on other" in to_text(found, "RR@10")


def test_text_and_json(root: Path) -> None:
    found = variants(root)
    text = to_text(Comparison((found,)), "nDCG@10")
    assert "A: small@L4\nB: small@L2-r2@1\n" in text
    assert "toy query q003: 1.0000 -> 0.0000  question number 3" in text
    assert "setting.cutoff_layer differs: 4 | 2" in text
    assert "0/38/2" in text
    assert "[1] d0 text of d0" in text
    body = json.loads(to_json(Comparison((found,)), "nDCG@10"))
    assert body["differences"][0]["worst"][0]["query"] == "q003"


def test_what_differs_everywhere_is_told_once(root: Path) -> None:
    found = variants(root)
    other = replace(found, dataset="other", parts={**found.parts, "dtype": ("float32", "float16")})
    lines = to_text(Comparison((found, other)), "nDCG@10").splitlines()
    assert [line for line in lines if "differs" in line] == [
        *(f"{name} differs: {a} | {b}" for name, (a, b) in found.parts.items()),
        "other: dtype differs: float32 | float16",
    ]


def test_several_variants_have_a_column(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    text = to_text(compare(Selector(root), Selector(root), metric="nDCG@10", worst=0, load=None), "nDCG@10")
    assert "A: " not in text
    assert [line.split()[:2] for line in text.splitlines()[1:]] == [
        ["dataset", "variant"],
        ["toy", "small@L2-r2@1"],
        ["toy", "small@L4"],
    ]


def test_bad_input(root: Path) -> None:
    with pytest.raises(InputError, match=r"no cell of 'small@L9'; it has small@L2-r2@1, small@L4"):
        compare(Selector(root, "small", "L9"), Selector(root), metric="nDCG@10", worst=1, load=fake_dataset)
    FakeCell(some_scores(4, 12), dataset="other").write(root / "x")
    with pytest.raises(InputError, match="nothing to compare: A has small@L4 on toy, B has small@L4 on other"):
        compare(Selector(root, None, "L4"), Selector(root / "x"), metric="nDCG@10", worst=1, load=fake_dataset)
