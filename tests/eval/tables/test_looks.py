"""Variants as rows, sorted by score, with marks of significance: the table of a paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_cells import dataset, write, write_first_stage
from rerankbench.eval.results import Cell
from rerankbench.eval.tables import render
from rerankbench.eval.text.aligned import listing, width
from rerankbench.eval.text.natural import natural
from rerankbench.rerankers.errors import InputError
from table_cells import make_cell

SEVERAL = [make_cell("d", 0.3 + i / 100, f"m{i}", flops=10**9 * i) for i in (1, 3, 2, 12)]


def labels(text: str) -> list[str]:
    """First cells of the rows of a Markdown table."""
    return [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("|")][2:]


def test_variants_are_rows_where_they_are_more_than_the_datasets() -> None:
    assert labels(render(SEVERAL, format="md")) == [f"m{i} full" for i in (1, 3, 2, 12)]
    assert labels(render(SEVERAL, format="md", layout="datasets"))[0] == "d"
    two = [make_cell(name, 0.5) for name in "ab"]
    assert labels(render(two, format="md"))[0] == "a"
    assert labels(render(two, format="md", layout="variants")) == ["toy full"]
    for old, new in (("beir", "datasets"), ("miracl", "variants")):
        assert render(SEVERAL, layout=old) == render(SEVERAL, layout=new)  # type: ignore[arg-type]


def test_the_best_comes_first_by_score() -> None:
    assert labels(render(SEVERAL, format="md", sort="score")) == [f"m{i} full" for i in (12, 3, 2, 1)]
    with pytest.raises(InputError, match="sort 'size' is unknown"):
        render(SEVERAL, sort="size")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no option 'layuot'; did you mean 'layout'"):
        render(SEVERAL, layuot="auto")  # type: ignore[call-arg]


def test_names_are_in_natural_order() -> None:
    names = ["ms-l12", "ms-l2", "ms-l4", "a", "ms-l02"]
    assert sorted(names, key=lambda name: natural([name])) == ["a", "ms-l02", "ms-l2", "ms-l4", "ms-l12"]


def test_a_mean_needs_several_rows() -> None:
    for format in ("text", "md", "latex", "html"):
        assert "Mean" not in render(SEVERAL, format=format)
    assert "Mean (2)" in render([*SEVERAL, make_cell("e", 0.5, "m1")], format="md")


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> list[Cell]:
    """A first stage, a model that is surely better, one that is surely worse, and one that is the better one's twin."""
    root, data = tmp_path_factory.mktemp("marks"), dataset("tea", queries=60)
    made = [("good", 2.0), ("bad", -2.0), ("twin", 2.0)]
    return [write_first_stage(root, data), *(write(root, data, name, strength=s, flops=5) for name, s in made)]


@pytest.mark.parametrize(
    ("format", "above", "below"),
    [("text", "▲", "▼"), ("md", "▲", "▼"), ("latex", r"$^{\uparrow}$", r"$^{\downarrow}$"), ("html", "▲", "▼")],
)
def test_significance_is_marked(tested: list[Cell], format: str, above: str, below: str) -> None:
    text = render(tested, format=format, against="first-stage", layout="variants")  # type: ignore[arg-type]
    lines = {name: line for name in ("bm25", "good", "bad", "twin") for line in text.splitlines() if name in line}
    assert above in lines["good"]
    assert below in lines["bad"]
    assert not {above, below} & set(re.findall(r"[▲▼]|\$\^\{\\\w+\}\$", lines["bm25"]))
    assert "significantly above, below its first stage" in text
    other = render(tested, format=format, against="good", layout="variants")  # type: ignore[arg-type]
    lines = {name: line for name in ("good", "bad", "twin") for line in other.splitlines() if name in line}
    assert below in lines["bad"]
    assert above not in lines["twin"]
    assert below not in lines["twin"]
    with pytest.raises(InputError, match="--against 'goood': is no variant of the table"):
        render(tested, against="goood")


def test_latex_writes_times_and_no_braces_around_brackets() -> None:
    disputed = [make_cell("a", 0.5, root=Path(name), experiment=name) for name in ("one", "two")]
    disputed[1] = make_cell("a", 0.6, root=Path("two"), experiment="two")
    text = render(disputed, format="latex", layout="datasets")
    assert r"nDCG@10 $\times$ 100" in text
    assert "{[}" not in text
    assert "[two]" in text


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_wide_listings_continue_below(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    head = ("model", "setting", *(f"figure {i}" for i in range(9)))
    rows = [(f"model-{i}", "L4", *(f"{i}.{j:02d}" for j in range(9))) for i in range(3)]
    text = listing(head, rows, right=range(2, 11))
    assert max(map(width, text.splitlines())) <= columns
    assert all(text.count(row[0]) == text.count("setting") for row in rows)
    assert all(text.count(f"{i}.{j:02d}") == 1 for i in range(3) for j in range(9))
