"""The live end of metrics: what is new of them since the last look.

A `Mark` is what a reader has of a metric: its last point, and how many points are not behind that one. The next look
reads the metric's summary first, and only where its count has grown the points behind the mark, up to the last point
that the summary tells of. If those fill the count up, they are all that is new. If not, some came late, before it:
then the reader is given the metric anew. A point that comes between both reads is seen by the next look, since marks
count what was handed out and not what the summary said: nothing is ever missed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from modelyard.core.interfaces import Tracker
from modelyard.core.tracking.entities import Metric, MetricSummary, MetricWindow, Number

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""A number that a column of the database takes."""


class Mark(Struct, array_like=True, frozen=True):
    """The last point that a reader has of a metric, and the count of points up to there."""

    count: Int64
    step: Int64
    timestamp_ms: Int64
    value: Number

    def __post_init__(self) -> None:
        """Refuse with a `ValueError` what is no number: marks come from outside."""
        float(self.value)


class Tail(Struct):
    """What is new of one metric; where `is_whole`, the points replace all that the reader has."""

    key: str
    is_whole: bool
    points: list[Metric]
    mark: Mark
    has_more: bool = False


def tails(
    tracker: Tracker, project_id: int, run_id: str, marks: Mapping[str, Mark | None], *, max_points: int
) -> list[Tail]:
    """Return what is new of these metrics of a run, nothing for those of which nothing is.

    A metric without a mark comes whole, sampled to at most `max_points`; others bring at most `max_points` at a time.
    """
    (summaries,) = tracker.metric_summaries(project_id, [run_id]).values()
    found = []
    for summary in summaries:
        if summary.key not in marks:
            continue
        mark = marks[summary.key]
        if mark is None:
            found.append(_whole(tracker, project_id, run_id, summary, max_points))
        elif summary.count != mark.count:
            new = _behind(tracker, project_id, run_id, summary, mark, max_points)
            found.append(new or _whole(tracker, project_id, run_id, summary, max_points))
    return found


def _whole(tracker: Tracker, project_id: int, run_id: str, summary: MetricSummary, max_points: int) -> Tail:
    """Sample the metric up to the last point that its summary tells of."""
    window = MetricWindow(end_step=summary.last_step)
    sampled = tracker.sample_metric(project_id, [run_id], summary.key, max_points=max_points, window=window)
    last = (summary.last_step, summary.last_timestamp_ms, *_rank(summary.last))
    points = [point for point in sampled[run_id] if _place(point) <= last]
    mark = Mark(summary.count, summary.last_step, summary.last_timestamp_ms, summary.last)
    return Tail(summary.key, is_whole=True, points=points, mark=mark)


def _behind(
    tracker: Tracker, project_id: int, run_id: str, summary: MetricSummary, mark: Mark, max_points: int
) -> Tail | None:
    """Return the points behind the mark; None where others must have come before it."""
    after = (mark.step, mark.timestamp_ms, *_rank(mark.value))
    points: list[Metric] = []
    for window in _windows(mark, summary.last_step):
        # Points of the mark's own moment come again: they are read beside those that are wanted.
        wanted = max_points + 1 - len(points)
        points += _read_behind(tracker, project_id, run_id, summary.key, window, after, wanted)
        if len(points) > max_points:
            break
    has_more = len(points) > max_points
    points = points[:max_points]
    count = mark.count + len(points)
    if not points or (not has_more and count < summary.count):
        return None
    last = points[-1]
    return Tail(
        summary.key,
        is_whole=False,
        points=points,
        mark=Mark(count, last.step, last.timestamp_ms, last.value),
        has_more=has_more,
    )


def _windows(mark: Mark, last_step: int) -> list[MetricWindow]:
    """Cover what is behind the mark: the rest of its step, and the steps after it."""
    rest = MetricWindow(start_step=mark.step, end_step=mark.step, start_time_ms=mark.timestamp_ms)
    if last_step <= mark.step:
        return [rest]
    return [rest, MetricWindow(start_step=mark.step + 1, end_step=last_step)]


def _read_behind(
    tracker: Tracker, project_id: int, run_id: str, key: str, window: MetricWindow, after: Sequence[float], wanted: int
) -> list[Metric]:
    found: list[Metric] = []
    token = None
    while len(found) < wanted:
        page = tracker.metric_history(project_id, run_id, key, window=window, max_results=wanted, page_token=token)
        found += [point for point in page.items if _place(point) > tuple(after)]
        token = page.next_page_token
        if token is None:
            break
    return found[:wanted]


def _place(point: Metric) -> tuple[float, ...]:
    return (point.step, point.timestamp_ms, *_rank(point.value))


def _rank(value: Number) -> tuple[float, int]:
    """Order values as histories do: NaN stands as 0, behind the number 0."""
    number = float(value)
    return (0.0, 1) if math.isnan(number) else (number, 0)
