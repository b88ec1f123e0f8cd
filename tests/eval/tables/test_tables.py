"""What tables say: means, marks for what is partial or missing, and that nothing breaks out of its format."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.data import list_datasets
from rerankbench.eval.results import Cell
from rerankbench.eval.tables import FORMATS, Format, render
from rerankbench.eval.text.aligned import width
from rerankbench.rerankers.errors import InputError
from table_cells import make_cell

FORUMS = [info.name for info in list_datasets() if info.policy.group == "cqadupstack"]
PRINTED: list[Format] = ["text", "md", "latex", "html"]


def forums(model: str = "toy", names: list[str] = FORUMS) -> list[Cell]:
    return [make_cell(name, 0.30 + 0.01 * i, model, group="cqadupstack") for i, name in enumerate(names)]


def lines(cells: list[Cell], **options: object) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(render(cells, format="csv", **options))))  # type: ignore[arg-type]


def value(table: list[dict[str, str]], level: str, dataset: str, setting: str = "full") -> dict[str, str]:
    (line,) = [x for x in table if (x["level"], x["dataset"], x["setting"]) == (level, dataset, setting)]
    return line


class Texts(HTMLParser):
    """Tags and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_group_is_one_row_with_one_weight() -> None:
    table = lines([*forums(), make_cell("beir/scifact", 0.70), make_cell("beir/fiqa", 0.40)])
    group = sum(30 + i for i in range(12)) / 12
    assert float(value(table, "group", "cqadupstack")["value"]) == pytest.approx(group)
    assert value(table, "group", "cqadupstack")["partial"] == ""
    assert float(value(table, "mean", "mean")["value"]) == pytest.approx((group + 70 + 40) / 3)
    text = render([*forums(), make_cell("beir/scifact", 0.70)])
    assert "cqadupstack (12)" in text
    assert "android" not in text
    assert "beir/cqadupstack/android" in render(forums(), all_rows=True)


@given(st.lists(st.tuples(st.sampled_from(["", "g1", "g2"]), st.floats(0, 1)), min_size=1, max_size=8))
def test_the_mean_is_the_mean_of_rows(entries: list[tuple[str, float]]) -> None:
    cells = [make_cell(f"d{i}", score, group=group or None) for i, (group, score) in enumerate(entries)]
    rows: dict[str, list[float]] = {}
    for i, (group, score) in enumerate(entries):
        rows.setdefault(group or f"d{i}", []).append(100 * score)
    expected = sum(sum(r) / len(r) for r in rows.values()) / len(rows)
    assert float(value(lines(cells), "mean", "mean")["value"]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("format", FORMATS)
def test_an_incomplete_group_is_marked(format: Format) -> None:
    text = render(forums(names=FORUMS[:3]), format=format)
    if format == "json":
        assert len(json.loads(text)) == 3  # lists cells, aggregates nothing
    else:
        assert "3 of 12 members" in text


@pytest.mark.parametrize("format", FORMATS)
def test_partial_cells_are_marked_and_so_is_their_mean(format: Format) -> None:
    cells = [make_cell("a", 0.6421, partial={"limit": 10}), make_cell("b", 0.5)]
    text = render(cells, format=format)
    if format == "json":
        assert [cell["partial"] for cell in json.loads(text)] == [{"limit": 10}, None]
        return
    assert "first 10 queries" in text
    if format == "csv":
        partial = {line["dataset"]: line["partial"] for line in lines(cells)}
        assert partial == {"a": "first 10 queries", "b": "", "mean": "first 10 queries"}
        return
    mark = {"text": "*", "md": r"\*", "latex": r"\textasteriskcentered{}", "html": "*"}[format]
    assert f"64.21{mark}" in text
    assert f"57.10{mark}" in text or f"57.11{mark}" in text
    assert f"{mark} partial: first 10 queries" in text
    assert f"50.00{mark}" not in text


def test_different_reasons_have_different_marks() -> None:
    cells = [
        make_cell("a", 0.1, partial={"limit": 10}),
        make_cell("b", 0.2, partial={"sample": 50, "seed": 3}),
        *(make_cell(f"c{i}", 0.3, partial={"limit": i}) for i in range(1, 6)),
    ]
    text = render(cells)
    assert "10.00*" in text
    assert "20.00†" in text
    assert "† partial: sample of 50 queries, seed 3" in text
    assert "30.00[7]" in text


@pytest.mark.parametrize("format", PRINTED)
def test_missing_cells_are_not_run_and_their_mean_is_not_shown(format: Format) -> None:
    cells = [make_cell(name, 0.5) for name in "abcde"] + [make_cell(name, 0.75, setting="L8") for name in "abc"]
    text = render(cells, format=format)
    assert text.count("not run") == 2
    assert re.search(r"(–|--) \(3 of 5\)", text)
    assert text.count("75.00") == 3
    assert text.count("50.00") == 6  # five cells and their mean


@pytest.mark.parametrize("format", get_args(Format))
def test_names_cannot_break_out(format: Format) -> None:
    name = 'x<script>alert("1")</script>|a&b_c$%#{}~^*\\d,"e"'
    text = render([make_cell("set|<b>&_", 0.5, name, "full")], format=format)
    if format == "html":
        page = Texts(text)
        assert not {"script", "b"} & page.tags
        assert name in page.texts
    elif format == "md":
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) for row in rows} == {3}
        assert not re.search(r"(?<!\\)<", text)
    elif format == "latex":
        assert r"set\textbar{}\textless{}b\textgreater{}\&\_" in text
        assert r"\$\%\#\{\}\textasciitilde{}\textasciicircum{}\textasteriskcentered{}\textbackslash{}d" in text
    elif format == "csv":
        assert value(lines([make_cell("d", 0.5, name)]), "cell", "d")["model"] == name
    elif format == "json":
        assert json.loads(text)[0]["model"] == name


def test_latex_rows_have_as_many_cells_as_columns() -> None:
    cells = [make_cell("a_b", 0.5), make_cell("a_b", 0.6, setting="L8"), make_cell("c", 0.5)]
    text = render(cells, format="latex")
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert {len(re.findall(r"(?<!\\)&", line)) for line in body.splitlines() if line.endswith(r"\\")} == {2}


def test_the_best_of_a_row_is_bold() -> None:
    cells = [
        make_cell("a", 0.5, "m1"),
        make_cell("a", 0.6, "m2"),
        make_cell("b", 0.70001, "m1"),
        make_cell("b", 0.70002, "m2"),
        make_cell("b", 0.30, "m3"),
    ]
    text = render(cells, format="md", layout="datasets")
    assert "| a | 50.00 | **60.00** | not run |" in text
    assert "| b | **70.00** | **70.00** | 30.00 |" in text  # equal as printed
    assert "**" not in render([make_cell("a", 0.5, "m1"), make_cell("a", 0.5, "m2")], format="md")
    mixed = render([make_cell("a", 0.5, "m1"), make_cell("a", 0.6, "m2", partial={"limit": 2})], format="md")
    assert "**" not in mixed  # part of the queries against all of them is no contest


def test_costs_are_means_over_rows_and_marked_like_them() -> None:
    whole = [make_cell("a", 0.5, flops=10**12, full=4 * 10**12), make_cell("b", 0.5, flops=3 * 10**12, full=4 * 10**12)]
    text = render(whole)
    assert re.search(r"FLOPs per query +2.00 TFLOP\n", text)
    assert re.search(r"FLOPs saved +50.0 %\n", text)
    first = make_cell("a", 0.4, "bm25", "first-stage")
    assert re.search(r"FLOPs saved +– +50.0 %\n", render([first, *whole]))
    assert "FLOPs" not in render(whole, costs=False)
    partial = [whole[0], make_cell("b", 0.5, flops=3 * 10**12, full=4 * 10**12, partial={"limit": 1})]
    assert re.search(r"FLOPs per query +2.00 TFLOP\*\n", render(partial))
    missing = [*whole, make_cell("a", 0.5, setting="L8", flops=10**9)]
    assert re.search(r"FLOPs per query +– \(1 of 2\) +2.00 TFLOP\n", render(missing))


def test_the_frontier_is_marked() -> None:
    cells = [
        make_cell("a", 0.5, setting="L8", flops=1),
        make_cell("a", 0.4, setting="L9", flops=2),
        make_cell("a", 0.6, flops=3),
    ]
    assert re.search(r"Pareto +frontier +dominated +frontier\n", render(cells, layout="datasets"))


def test_columns_start_with_the_first_stage_and_deepen() -> None:
    settings = ["full", "L8", "L28", "L10", "L28-r2@8", "first-stage"]
    models = ["m"] * 5 + ["zz"]
    cells = [make_cell("a", 0.5, model, setting) for model, setting in zip(models, settings)]
    head = render(cells, format="md", layout="datasets").splitlines()[0]
    assert re.findall(r"\| (?:m|zz) (\S+)", head) == ["first-stage", "L8", "L10", "L28-r2@8", "L28", "full"]


def test_miracl_has_languages_as_columns() -> None:
    cells = [make_cell(f"miracl/{lang}", 0.5) for lang in ("ar", "sw", "yo")]
    text = render(cells, format="md")
    assert text.splitlines()[0] == "| nDCG@10 x 100 | Mean (3) | ar | sw | yo |"
    assert render(cells, format="md", layout="beir").splitlines()[2].startswith("| miracl/ar |")
    mixed = render([*cells, make_cell("beir/fiqa", 0.5)], format="md")
    assert "| miracl/ar |" in mixed


def test_runs_that_disagree_are_shown_apart_and_equal_results_once() -> None:
    one = make_cell("a", 0.5, root=Path("one"), experiment="first")
    same = make_cell("a", 0.5, root=Path("two"), experiment="second")
    other = make_cell("a", 0.6, root=Path("two"), experiment="second")
    assert render([one, same], format="md") == render([one], format="md")
    without = Cell(one.path, one.manifest.model_copy(update={"metrics": {"R@100": 1.0}}))
    assert render([without, one], format="md") == render([one], format="md")
    head = render([one, other], format="md", layout="datasets").splitlines()[0]
    assert r"\[first\]" in head
    assert r"\[second\]" in head
    twins = [one, make_cell("a", 0.6, root=Path("elsewhere"), experiment="first")]
    assert r"\[elsewhere\]" in render(twins, format="md", layout="datasets").splitlines()[0]


def test_text_is_aligned_and_no_wider_than_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    names = ["数据集", "हिन्दी", "plain"]
    cells = [make_cell(name, 0.5, setting=f"L{layer}") for name in names for layer in range(8, 41)]
    text = render(cells)
    rows = [line for line in text.splitlines() if "50.00" in line]
    assert len({width(line) for line in rows if "Mean" not in line}) <= 2  # the last block may be narrower
    assert max(map(width, text.splitlines())) <= 80
    assert text.count("50.00") == 33 * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "nDCG@3"}, "no cell has the metric 'nDCG@3'; there is R@100, nDCG@10"),
        ({"format": "xlsx"}, "format 'xlsx' is unknown"),
        ({"layout": "wide"}, "layout 'wide' is unknown"),
        ({"published": "beir-bge-larg"}, "did you mean 'beir-bge-large'"),
        ({"published": "beir-bge-large", "metric": "R@100"}, "has nDCG@10, not R@100"),
    ],
)
def test_bad_options_are_one_line(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        render([make_cell("a", 0.5)], **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_no_cells_is_an_error() -> None:
    with pytest.raises(InputError, match="no cells"):
        render([])
