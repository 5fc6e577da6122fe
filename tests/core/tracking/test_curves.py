"""Curves over each other: what each axis means, and what alignment gives and does not make up."""

from __future__ import annotations

from hypothesis import given, strategies

from modelyard.core.tracking.curves import Curve, aligned, common_grid, curve
from modelyard.core.tracking.entities import Metric

POINTS = [Metric("m", 1.0, 5000, 0), Metric("m", 2.0, 4000, 1), Metric("m", "NaN", 9500, 2)]


def made(x: list[float], values: list[float] | None = None) -> Curve:
    return Curve("r", "m", x, list(values or x), [0] * len(x))


def test_what_the_axes_mean() -> None:
    by_step = curve("r", "m", POINTS, x="step", start_ms=None)
    assert (by_step.x, by_step.values, by_step.steps) == ([0, 1, 2], [1.0, 2.0, "NaN"], [0, 1, 2])
    since_start = curve("r", "m", POINTS, x="relative_time", start_ms=3000)
    assert (since_start.x, since_start.values, since_start.steps) == ([1.0, 2.0, 6.5], [2.0, 1.0, "NaN"], [1, 0, 2])
    assert curve("r", "m", POINTS, x="relative_time", start_ms=None).x == [0.0, 1.0, 5.5]
    assert curve("r", "m", POINTS, x="wall_time", start_ms=3000).x == [4.0, 5.0, 9.5]


def test_a_grid_has_every_x_or_even_distances() -> None:
    assert common_grid([made([0, 2]), made([1, 2])], 4) == [0, 1, 2]
    assert common_grid([made([0, 2]), made([1, 3, 10])], 4) == [0, 3, 7, 10]
    assert common_grid([made([0.0, 1.0, 2.5, 4.0, 5.0])], 4) == [0.0, 5 / 3, 10 / 3, 5.0]
    assert common_grid([], 4) == []


def test_alignment_carries_on_within_a_curve_and_never_beyond() -> None:
    one = made([2, 4, 8], [20, 40, 80])
    grid = [0, 2, 3, 4, 5, 6, 7, 8, 9]
    assert aligned(one, grid, "last") == [None, 20, 20, 40, 40, 40, 40, 80, None]
    assert aligned(one, grid, "nearest") == [None, 20, 20, 40, 40, 40, 80, 80, None]
    assert aligned(made([]), [0, 1], "last") == [None, None]


def test_of_points_at_one_x_the_last_counts() -> None:
    one = made([1, 1, 4, 4], [1, 2, 3, 4])
    assert aligned(one, [1, 2, 3, 4], "last") == [2, 2, 2, 4]
    assert aligned(one, [1, 2, 3, 4], "nearest") == [2, 2, 4, 4]


SERIES = strategies.lists(strategies.integers(-50, 50), min_size=1, max_size=20).map(sorted)


@given(several=strategies.lists(SERIES, min_size=1, max_size=4), most=strategies.integers(4, 30))
def test_any_curves_can_be_aligned(several: list[list[int]], most: int) -> None:
    curves = [made([float(x) if most % 2 else x for x in series]) for series in several]
    grid = common_grid(curves, most)
    assert grid == sorted(set(grid))
    assert len(grid) <= most
    assert (grid[0], grid[-1]) == (min(min(one.x) for one in curves), max(max(one.x) for one in curves))
    for one in curves:
        last, nearest = aligned(one, grid, "last"), aligned(one, grid, "nearest")
        for place, value, near in zip(grid, last, nearest, strict=True):
            inside = one.x[0] <= place <= one.x[-1]
            assert (value is not None) == (near is not None) == inside
            if inside:
                assert value == max(x for x in one.x if x <= place)
                assert near == min(one.x, key=lambda x: (abs(x - place), x))
