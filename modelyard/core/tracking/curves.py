"""Curves of several runs laid over each other: along steps, time since the start, or the clock; aligned if asked for.

Aligned curves share one grid: all x that any of them has, or so many at equal distances between the first and the last
where they are more. At each x a curve has the value of its last point up to there (`last`, last observation carried
forward) or of the nearest point, of two as near the earlier (`nearest`); before its first and after its last point it
has none, so that a run that ended early is not drawn on. Of points at the same x the last one counts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from msgspec import Struct

from modelyard.core.tracking.entities import Metric, Number

X_AXES = ("step", "relative_time", "wall_time")
ALIGNMENTS = ("last", "nearest")


class Curve(Struct):
    """One metric of one run; the columns have a row for each point, by x."""

    run_id: str
    key: str
    x: list[float]
    values: list[Number | None]
    steps: list[int]


def curve(run_id: str, key: str, points: Sequence[Metric], *, x: str, start_ms: int | None) -> Curve:
    """Put points into columns; `relative_time` counts from the run's start, else from its earliest point."""
    if x == "step":
        placed: list[tuple[float, Metric]] = [(point.step, point) for point in points]
    else:
        earliest = min((point.timestamp_ms for point in points), default=0)
        origin = 0 if x == "wall_time" else earliest if start_ms is None else start_ms
        placed = [((point.timestamp_ms - origin) / 1000, point) for point in points]
        placed.sort(key=lambda pair: pair[0])
    return Curve(
        run_id,
        key,
        x=[place for place, _ in placed],
        values=[point.value for _, point in placed],
        steps=[point.step for _, point in placed],
    )


def common_grid(curves: Sequence[Curve], max_points: int) -> list[float]:
    """Return the x that aligned curves share, at most `max_points`."""
    every = sorted({place for one in curves for place in one.x})
    if len(every) <= max_points:
        return every
    first, last = every[0], every[-1]
    even = [first + (last - first) * index / (max_points - 1) for index in range(max_points - 1)]
    if all(isinstance(place, int) for place in (first, last)):
        even = list(dict.fromkeys(round(place) for place in even))
    return [*even, last]


def aligned(one: Curve, grid: Sequence[float], how: str) -> list[Number | None]:
    """Return the curve's value at each x of the grid; None where it has none."""
    if not one.x:
        return [None] * len(grid)
    return [_value_at(one, place, how) for place in grid]


def _value_at(one: Curve, place: float, how: str) -> Number | None:
    if not one.x[0] <= place <= one.x[-1]:
        return None
    before = bisect_right(one.x, place) - 1
    if how == "nearest" and before + 1 < len(one.x) and one.x[before + 1] - place < place - one.x[before]:
        return one.values[bisect_right(one.x, one.x[before + 1]) - 1]
    return one.values[before]
