"""Fewer points that draw the same curve.

Points are divided, in order, into stretches of equal count; of each stretch the least and the greatest value stay, and
of the whole its first and last point (the min-max choice of "M4: A Visualization-Oriented Time Series Data
Aggregation", VLDB 2014, by count in place of pixels). A stretch of nothing but NaN keeps its first point, so that the
gap is seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

FEWEST_POINTS = 4
"""First, last, and one stretch's least and greatest."""


def stretches(max_points: int) -> int:
    """Return into how many stretches points may be divided so that at most `max_points` stay."""
    return max(1, (max_points - 2) // 2)


def sample(points: Sequence[T], max_points: int, value: Callable[[T], float]) -> list[T]:
    """Return at most `max_points` of the points, in their order; all of them where they are not more."""
    if len(points) <= max_points:
        return list(points)
    chosen = {0, len(points) - 1}
    for start, end in divide(len(points), stretches(max_points)):
        chosen.update(_extremes(points, start, end, value))
    return [points[index] for index in sorted(chosen)]


def divide(count: int, parts: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each part of a count that is divided as evenly as whole numbers allow."""
    return ((count * part // parts, count * (part + 1) // parts) for part in range(parts))


def _extremes(points: Sequence[T], start: int, end: int, value: Callable[[T], float]) -> tuple[int, ...]:
    numbers = [index for index in range(start, end) if not math.isnan(value(points[index]))]
    if not numbers:
        return (start,)
    return (
        min(numbers, key=lambda index: value(points[index])),
        max(numbers, key=lambda index: value(points[index])),
    )
