"""The report's pure parts: evidence, sentences, layout, escaping, and the page as text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_cells import dataset, write, write_first_stage
from report_page import HOSTILE, Page, hostile_dataset
from rerankbench.eval.board.evidence import Evidence
from rerankbench.eval.board.frontier import MEAN
from rerankbench.eval.board.pivot import Variant, pivot
from rerankbench.eval.cli import main
from rerankbench.eval.report import render
from rerankbench.eval.report.languages import heat_map
from rerankbench.eval.report.page import embedded
from rerankbench.eval.report.queries import Finder
from rerankbench.eval.report.summary import summarise
from rerankbench.eval.results import Cell
from rerankbench.rerankers.errors import InputError


def evidence(cells: list[Cell]) -> Evidence:
    return Evidence(pivot(cells, "nDCG@10"))


@pytest.fixture
def two(tmp_path: Path) -> list[Cell]:
    """Two datasets; `good` is far above its first stage, `same` ranks like `good` for less, `bad` is below."""
    cells = []
    for name in ("tea", "coffee"):
        data = dataset(name)
        cells.append(write_first_stage(tmp_path, data))
        cells.append(write(tmp_path, data, "good", strength=1.5, flops=8_000))
        cells.append(write(tmp_path, data, "same", strength=1.5, flops=4_000))
        cells.append(write(tmp_path, data, "bad", strength=-1.0, flops=2_000))
    return cells


def test_interval_holds_the_mean_and_shrinks_with_more_queries(tmp_path: Path):
    few, many = dataset("few", queries=10), dataset("many", queries=1000)
    found = evidence([write(tmp_path, d, strength=0.3) for d in (few, many)])
    widths = []
    for row in ("few", "many"):
        interval, score = found.interval(row, Variant("toy", "full")), found.figure(row, Variant("toy", "full")).score
        assert interval is not None
        assert score is not None
        assert interval.low < score < interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 5


def test_difference_of_the_mean_is_the_difference_of_means(two: list[Cell]):
    found = evidence(two)
    bad, first = Variant("bad", "full"), Variant("bm25", "first-stage")
    test = found.against_first_stage(MEAN)[bad]
    means = [found.board.mean(v).score for v in (bad, first)]
    assert test.against == first
    assert test.difference == pytest.approx(np.subtract(*means))  # type: ignore[arg-type]
    interval = found.difference_interval(MEAN, bad, first)
    assert interval is not None
    assert interval.low < test.difference < interval.high
    assert test.sign == -1


def test_groups_count_as_one_row(tmp_path: Path):
    cells = [write(tmp_path, dataset("alone", queries=5), strength=1.5)]
    for name in ("forum/a", "forum/b", "forum/c"):
        data = dataset(name, queries=20)
        data.policy = data.policy.__class__(group="forum")
        cells.append(write(tmp_path, data, strength=-1.0))
    found = evidence(cells)
    # `alone` has 1 for all its 5 queries and the group 0 for all its 60: whatever is drawn, the mean is a half
    interval = found.interval(MEAN, Variant("toy", "full"))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((50, 50))


def test_different_queries_are_not_tested(tmp_path: Path):
    first = write_first_stage(tmp_path, dataset("tea", queries=30))
    fewer = write(tmp_path, dataset("tea", queries=10))
    found = evidence([first, fewer])
    assert found.against_best("tea") == {}
    assert "No test was possible" in " ".join(summarise(found).limits)


def test_whole_and_partial_figures_are_not_ranked_together(tmp_path: Path):
    whole = [write_first_stage(tmp_path, dataset()), write(tmp_path, dataset(), "modest", strength=0.5, flops=9)]
    lucky = write(tmp_path, dataset(queries=5), "lucky", strength=2.0, flops=9, partial={"limit": 5})
    summary = summarise(evidence([*whole, lucky]))
    assert summary.finding.startswith("modest full has the highest")
    assert "Partial in another way than the best, so not ranked with it: lucky full." in summary.limits


def test_summary_names_best_and_cheapest_near(two: list[Cell]):
    summary = summarise(evidence(two))
    best = "good" if "good full has the" in summary.finding else "same"
    assert f"{best} full has the highest mean nDCG@10 over 2 datasets" in summary.finding
    near = "not significantly below it is same full, at 4.00 kFLOP per query, 50 % less"
    assert (near if best == "good" else "Every cheaper variant with a counted cost is") in summary.finding
    assert any("Fewer than 50 queries" in limit for limit in summary.limits)


def test_summary_when_no_reranker_helps(tmp_path: Path):
    data = dataset()
    summary = summarise(evidence([write_first_stage(tmp_path, data), write(tmp_path, data, strength=-1.0)]))
    assert summary.finding.startswith(
        "Over all candidates no reranker improves on the first stage: bm25 first-stage alone"
    )
    assert "significantly below it" in summary.finding


def test_summary_when_reranking_is_not_shown_to_help(tmp_path: Path):
    data = dataset(queries=6)
    first = write_first_stage(tmp_path, data, strength=0.2)
    others = [write(tmp_path, data, name, strength=0.25) for name in "abcdef"]
    summary = summarise(evidence([first, *others]))
    assert "But the first stage" in summary.finding or "not significantly different from it" in summary.finding


def test_summary_of_partial_incomplete_and_single_runs(tmp_path: Path):
    tea, coffee = dataset("tea"), dataset("coffee")
    one = write(tmp_path, tea, partial={"limit": 30})
    alone = summarise(evidence([one]))
    assert alone.finding.startswith("A partial run, which does not stand for its datasets. Only one variant")
    assert "Partial: some figures do not stand for their dataset (first 30 queries)." in alone.limits
    gaps = summarise(evidence([one, write(tmp_path, coffee, "other")]))
    assert gaps.finding.startswith("Insufficient: no variant was run on all 2 datasets")


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_embedded_data_cannot_break_out(value: Any):
    text = embedded({"v": value, "hostile": HOSTILE + "<!--\u2028\u2029&amp;"})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text)["v"] == value


def test_heat_map_levels_and_gains(tmp_path: Path):
    cells = []
    for name in ("miracl/ar", "miracl/hi"):
        data = dataset(name)
        cells += [write_first_stage(tmp_path, data), write(tmp_path, data, strength=1.5)]
    heat = heat_map(evidence(cells))
    assert heat is not None
    assert heat.languages == ("ar", "hi")
    (first, start), (name, line) = heat.lines
    assert (first, name) == ("bm25 first-stage", "toy full")
    assert [h.gain for h in start] == [None, None]
    for before, after in zip(start, line):
        assert after.gain == pytest.approx(after.score - before.score)
        assert after.best
        assert 0 <= before.level < after.level <= 1
    assert max(h.tilt for h in line) == 1
    assert heat_map(evidence(cells[:2])) is None


def test_worst_queries_are_the_largest_losses(two: list[Cell]):
    data = {d.name: d for d in (dataset("tea"), dataset("coffee"))}
    found = Finder(evidence(two), data.__getitem__).find()
    assert [w.name for w in found[:2]] in (["good full", "same full"], ["same full", "good full"])
    worst = found[-1]
    assert worst.name == "bad full"
    losses = [q.before - q.after for q in worst.losses]
    assert losses == sorted(losses, reverse=True)
    query = worst.losses[0]
    assert query.before > query.after
    assert query.text == data[query.dataset].queries[query.id]
    (relevant,) = [p for p in query.first if p.grade == 1]
    assert (relevant.id, relevant.text, relevant.other) == ("d0", "passage 0", None)  # `bad` ranks it last
    assert {p.id for p in query.reranked if p.grade == 1} == set()


def test_texts_of_another_state_of_the_dataset_are_left_out(two: list[Cell]):
    changed = {name: dataset(name, documents=21) for name in ("tea", "coffee")}
    finder = Finder(evidence(two), changed.__getitem__)
    assert all(q.text is None for w in finder.find() for q in w.losses)
    assert "the dataset has changed since it was scored" in finder.notes[0]


def test_page_is_self_contained_and_labelled(two: list[Cell]):
    html = render(two, made="today")
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "img", "object", "base")
        assert not any(key.startswith("on") for key in attributes)
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert "url(" not in html
    assert "@import" not in html
    assert [t for t, _ in page.elements].count("h1") == 1
    dots = [a for tag, a in page.elements if tag == "g" and "data-tip" in a]
    assert dots
    assert all(a["aria-label"] and a["role"] == "button" for a in dots)
    data = page.data()
    assert len(data["cells"]) == len(two)
    good = next(c for c in data["cells"] if c["model"] == "good")
    facts = dict(data["facts"][i] for i in good["identity_parts"])
    assert facts["reranker.model"] == "good"
    assert facts["setting"] == "full"


def test_texts_with_markup_stay_text(tmp_path: Path):
    data = hostile_dataset()
    model = HOSTILE.replace("/", "|")
    cells = [write_first_stage(tmp_path, data)]
    one = write(tmp_path, data, strength=-1.0, flops=5, warnings=(HOSTILE,))  # the runner refuses such a name
    cells.append(Cell(one.path, one.manifest.model_copy(update={"model": model})))
    page = Page(render(cells, load=lambda name: data))
    assert len([t for t, _ in page.elements if t == "script"]) == 2
    assert not [t for t, _ in page.elements if t == "img"]
    assert page.scripts[0].startswith('"use strict"')
    assert f"{HOSTILE} ما هي" in page.text
    assert f"{HOSTILE} passage" in page.text
    assert model in page.text
    assert page.data()["cells"][1]["warnings"] == [HOSTILE]


def test_published_differences_and_errata(tmp_path: Path):
    data = dataset("beir/fiqa")
    cells = [write(tmp_path, data, "bge-reranker-v2-m3", strength=1.0, flops=7)]
    page = Page(render(cells, published="beir-bge-large"))
    assert "published 44.51 (corrected): " in page.text
    assert "the printed value is that of bge-reranker-v2-gemma" in page.text
    assert "the row beir/scifact" in page.text
    with pytest.raises(InputError, match=r"has nDCG@10, not R@100"):
        render(cells, published="beir-bge-large", metric="R@100")


def test_what_is_missing_is_said(tmp_path: Path):
    tea, coffee = dataset("tea"), dataset("coffee")
    cells = [write_first_stage(tmp_path, tea), write_first_stage(tmp_path, coffee), write(tmp_path, tea)]
    text = " ".join(Page(render(cells)).text.split())
    assert "toy fullcoffee" in text[text.index("What was not run") :]
    assert "Not measured: reference, useful" in text[text.index("Cost") :]
    assert "Nothing to draw" in text


def test_one_cell_without_values_by_query(tmp_path: Path):
    cell = write(tmp_path, dataset(), flops=1_000)
    (cell.path / "per_query.parquet").unlink()
    text = Page(render([cell])).text
    assert "Only one variant can be ranked, toy full" in text
    assert "Nothing to show: no reranked cell has values by query" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["run", "--published", "beir-bge-larg"], "did you mean 'beir-bge-large'?"),
        (["run", "--metric", "nDCG@5"], "no cell has the metric 'nDCG@5'; there is R@100, nDCG@10"),
        (["run", "-o", "absent/report.html"], "absent/report.html: cannot be written"),
    ],
)
def test_bad_input_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path, arguments: list[str], message: str
):
    monkeypatch.chdir(tmp_path)
    write(Path("run"), dataset(queries=3))
    monkeypatch.setattr("sys.argv", ["rerankbench", "report", "--no-texts", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("report.html*"))


def test_no_cells_is_bad_input():
    with pytest.raises(InputError, match="no cells"):
        render([])
