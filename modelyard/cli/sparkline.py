"""A curve on one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60


def sparkline(values: Sequence[float], *, width: int = WIDTH) -> str:
    """Draw the values, the mean of each stretch where there are more than fit, and say their range.

    What is no number leaves a gap; infinities stand at the rim.
    """
    columns = [_mean(stretch) for stretch in _stretches(values, width)]
    finite = [value for value in columns if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "no numbers"
    line = "".join(_bar(value, low, high) for value in columns)
    return f"{line}  min {min(known):.6g}  max {max(known):.6g}  last {values[-1]:.6g}"


def _stretches(values: Sequence[float], width: int) -> list[Sequence[float]]:
    count = min(width, len(values))
    edges = [index * len(values) // count for index in range(count + 1)] if count else []
    return [values[start:end] for start, end in pairwise(edges)]


def _mean(stretch: Sequence[float]) -> float:
    known = [value for value in stretch if not math.isnan(value)]
    # Dividing first keeps the sum of huge values finite.
    return sum(value / len(known) for value in known) if known else math.nan


def _bar(value: float, low: float, high: float) -> str:
    if math.isnan(value):
        return " "
    if math.isinf(value):
        return BARS[-1] if value > 0 else BARS[0]
    # Halves, since the distance of two huge values may be infinite.
    span = high / 2 - low / 2
    share = (value / 2 - low / 2) / span if span else 0.5
    return BARS[min(int(share * len(BARS)), len(BARS) - 1)]
