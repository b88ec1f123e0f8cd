"""Which variants are on the frontier, what a PFLOP buys, and that the picture shows it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.board.frontier import Point, points
from rerankbench.eval.cli import main
from rerankbench.eval.pareto_plot import plot
from rerankbench.eval.results import Cell, Counts, Flops, Manifest, cell_path, digest
from rerankbench.eval.tables.pareto import to_json, to_text
from rerankbench.rerankers.errors import InputError
from table_cells import write_cell

QUERIES = 10


def cell(dataset: str, setting: str, score: float, flops: int | None, model: str = "toy", **more: Any) -> Cell:
    """A cell of ten queries; `flops` is per query."""
    count = Flops(reference=flops * QUERIES, full=10**16, saved=0.0) if flops else None
    manifest = Manifest(
        experiment="synthetic",
        dataset=dataset,
        model=model,
        setting=setting,
        identity=digest({"setting": setting}),
        identity_parts={"setting": setting},
        metrics={"nDCG@10": score},
        counts=Counts(queries=QUERIES, pairs=QUERIES),
        flops=count,
        **more,
    )
    return Cell(cell_path(Path("run"), dataset, model, setting), manifest)


CELLS = [
    cell("a", "first-stage", 0.30, None, model="bm25"),
    cell("a", "full", 0.50, 4 * 10**14),
    cell("a", "L8", 0.40, 10**14),
    cell("a", "L12", 0.39, 2 * 10**14),
    cell("b", "full", 0.60, 4 * 10**14),
    cell("b", "L8", 0.60, 10**14),
]


def test_flags_per_dataset_and_for_the_mean() -> None:
    found = {(p.dataset, p.variant.setting): p for p in points(CELLS)}
    dominated = {key: p.dominated_by.setting for key, p in found.items() if p.dominated_by}
    # L12 has no mean: it was not run on b; the first stage has no counted cost
    assert list(found) == [
        ("a", "L8"), ("a", "L12"), ("a", "full"), ("b", "L8"), ("b", "full"), ("mean", "L8"), ("mean", "full")
    ]  # fmt: skip
    assert dominated == {("a", "L12"): "L8", ("b", "full"): "L8"}


def test_what_a_pflop_buys() -> None:
    best = next(p for p in points(CELLS) if (p.dataset, p.variant.setting) == ("a", "L8"))
    assert best.qpp == pytest.approx(10)
    assert best.rpp == pytest.approx(0.40 * 10)


def test_equal_points_do_not_dominate_each_other() -> None:
    assert not any(p.dominated_by for p in points([cell("a", "L8", 0.4, 100), cell("a", "L12", 0.4, 100)]))


def test_partial_cells_are_compared_with_their_like_only() -> None:
    mixed = [cell("a", "full", 0.5, 300), cell("a", "L8", 0.9, 100, partial={"limit": 3})]
    assert not any(p.dominated_by for p in points(mixed))
    assert "first 3 queries" in " ".join(to_text(points(mixed)).split())


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=12))
def test_frontier_is_what_nothing_beats(pairs: list[tuple[int, int]]) -> None:
    found = points([cell("a", f"L{i + 1}", score / 10, flops) for i, (score, flops) in enumerate(pairs)])

    def beats(p: Point, q: Point) -> bool:
        return p.score >= q.score and p.flops <= q.flops and (p.score > q.score or p.flops < q.flops)

    assert len(found) == len(pairs)
    for q in found:
        assert (q.dominated_by is not None) == any(beats(p, q) for p in found)
    frontier = [p for p in found if p.dominated_by is None]
    assert [p.score for p in frontier] == sorted(p.score for p in frontier)


def test_text_and_json_agree() -> None:
    found = points(CELLS)
    text, rows = to_text(found), to_json(found)
    assert len(text.splitlines()) == 1 + len(rows)
    assert "dominated by L8" in text
    assert json.loads(json.dumps(rows))[0] | {"rpp": 4, "qpp": 10} == {
        "dataset": "a", "model": "toy", "setting": "L8", "origin": None, "score": 40.0, "flops_per_query": 1e14,
        "rpp": 4, "qpp": 10, "frontier": True, "dominated_by": None, "partial": [],
    }  # fmt: skip


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_picture_is_written(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    target = tmp_path / f"pareto{suffix}"
    plot(CELLS, target)
    assert target.stat().st_size > 2000
    assert list(tmp_path.iterdir()) == [target]


def test_picture_names_its_axes_settings_and_frontier(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    plot(CELLS, first, dataset="a")
    plot(CELLS, second, dataset="a")
    text = first.read_text()
    for word in ("FLOPs per query", "nDCG@10 x 100", "L8", "L12", "full", "frontier", "bm25 (first stage)", "TFLOP"):
        assert word in text
    assert text == second.read_text()


def test_labels_hide_no_mark_and_no_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = pytest.importorskip("matplotlib.figure")
    drawn: list[Any] = []
    save = figures.Figure.savefig
    monkeypatch.setattr(figures.Figure, "savefig", lambda self, *a, **k: (drawn.append(self), save(self, *a, **k)))
    crowd = [cell("a", f"L{i}", 0.4 + 0.002 * (i % 5), 10**13 * (i + 20)) for i in range(1, 13)]
    plot(crowd, tmp_path / "x.png")
    axes = drawn[0].axes[0]
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 12
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize(
    ("name", "dataset", "message"),
    [
        ("x.gif", None, "must end in .svg, .png, .pdf"),
        ("x.svg", "c", "nothing to draw for dataset 'c'"),
    ],
)
def test_what_cannot_be_drawn(tmp_path: Path, name: str, dataset: str | None, message: str) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match=message):
        plot(CELLS, tmp_path / name, dataset=dataset)
    assert not list(tmp_path.iterdir())


def test_nothing_counted_and_no_mean(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(InputError, match="nothing to draw"):
        plot(CELLS[:1], tmp_path / "x.svg")
    with pytest.raises(InputError, match="give --dataset"):
        plot([cell("a", "L8", 0.4, 100), cell("b", "L12", 0.4, 100)], tmp_path / "x.svg")


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"rerankbench\[plots\]"):
        plot(CELLS, tmp_path / "x.svg")


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    for one in CELLS:
        write_cell(Cell(tmp_path / one.path, one.manifest))

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["rerankbench", "pareto", str(tmp_path / "run"), *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        out = capsys.readouterr()
        return int(stop.value.code or 0), out.out, out.err

    status, out, _ = run("--plot", str(tmp_path / "pareto.svg"))
    assert status == 0
    assert "dominated by L8" in out
    assert (tmp_path / "pareto.svg").is_file()
    status, out, _ = run("--dataset", "mean", "--json")
    assert [(row["dataset"], row["setting"]) for row in json.loads(out)] == [("mean", "L8"), ("mean", "full")]
    status, out, err = run("--dataset", "A")
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
