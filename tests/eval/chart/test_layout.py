"""Where things stand in a chart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rerankbench.eval.chart.layout import Dot, Level, plot


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
