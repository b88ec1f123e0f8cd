"""Where things stand in a chart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.chart.layout import Dot, Level, box_of, plot


@given(
    st.lists(st.tuples(st.floats(1e3, 1e15), st.floats(0, 100)), min_size=1, max_size=40),
    st.lists(st.floats(0, 100), max_size=2),
    st.booleans(),
)
def test_everything_is_drawn_inside(points: list[tuple[float, float]], levels: list[float], small: bool):
    dots = [
        Dot(i % 3, f"name {i}", "tip", x, y, max(0, y - 5), y + 5, frontier=i % 2 == 0)
        for i, (x, y) in enumerate(points)
    ]
    drawn = plot(dots, [Level("first", y) for y in levels], 400, 300, small=small)
    assert len(drawn.marks) == len(dots)
    for mark in drawn.marks:
        assert drawn.left <= mark.x <= drawn.right
        for y in (mark.y, mark.lo, mark.hi):
            assert y is None or drawn.top <= y <= drawn.bottom
    assert all(drawn.top <= level.y <= drawn.bottom for level in drawn.levels)
    assert drawn.x_ticks
    assert len(drawn.y_ticks) >= 2
    assert all(0 <= tick.x <= 400 for tick in drawn.x_ticks)


def test_partial_points_have_a_frontier_of_their_own():
    whole = [Dot(0, name, "", x, y, frontier=True) for name, x, y in (("a", 1e9, 10), ("b", 1e10, 20))]
    part = [Dot(0, name, "", x, y, frontier=True, partial=("limit",)) for name, x, y in (("c", 2e9, 5), ("d", 2e10, 6))]
    drawn = plot([*whole, *part], [], 400, 300)
    at = {mark.dot.name: f"{mark.x:g},{mark.y:g}" for mark in drawn.marks}
    ends = {(line.split()[0], line.split()[-1]) for line in drawn.frontiers}
    assert ends == {(at["a"], at["b"]), (at["c"], at["d"])}


@given(
    st.lists(st.tuples(st.floats(1e9, 1e12), st.floats(40, 60)), min_size=1, max_size=12),
    st.lists(st.floats(40, 60), max_size=3),
    st.integers(380, 860),
)
def test_no_two_names_collide(points: list[tuple[float, float]], levels: list[float], width: int):
    dots = [Dot(i % 3, f"L{i}-r2@{i}", "tip", x, y, frontier=i % 2 == 0) for i, (x, y) in enumerate(points)]
    drawn = plot(dots, [Level(f"retriever {y:.0f} first-stage", y) for y in levels], width, 400)
    boxes = [box_of(text) for text in (*drawn.level_names, *drawn.labels, *drawn.x_ticks)]
    for i, a in enumerate(boxes):
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[:i])
    marks = [(m.x - 5, m.y - 5, m.x + 5, m.y + 5) for m in drawn.marks]
    for a in (box_of(text) for text in (*drawn.level_names, *drawn.labels)):
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in marks)
