"""Points of one metric, and which of them draw its curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from modelyard.core.tracking.entities import MetricWindow
from modelyard.core.tracking.sampling import sample, stretches
from modelyard.core.tracking.sql import Clause, execute, join, marks
from modelyard.plugins.sql_tracker.chunks import CHUNK, ENDS, Point

SELECT_POINTS = (
    "SELECT step, timestamp_ms, value, is_nan FROM metric_point WHERE {} ORDER BY step, timestamp_ms, value, is_nan"
)
_SELECT_CHUNKS = (
    "SELECT number, min_step, min_timestamp_ms, min_value, max_step, max_timestamp_ms, max_value FROM metric_chunk"
    " WHERE {} ORDER BY number"
)
FEW_CHUNKS = 256
"""Below this many chunks, or below one for each stretch of the sample, the points are read: a picture has its due."""


def between(window: MetricWindow, after: Point | None = None, before: Point | None = None) -> Clause:
    """Make the condition that a point is in the window, behind one point of it and before another.

    A point takes the place of the window's step: of two bounds on one side SQLite may seek by the wider one.
    """
    position = "(step, timestamp_ms, value, is_nan)"
    bounds: list[tuple[str, Any]] = [
        (f"{position} > ({marks(4)})", after) if after else ("step >= ?", window.start_step),
        (f"{position} < ({marks(4)})", before) if before else ("step <= ?", window.end_step),
        ("timestamp_ms >= ?", window.start_time_ms),
        ("timestamp_ms <= ?", window.end_time_ms),
    ]
    clauses = (
        Clause(sql, bound if isinstance(bound, tuple) else (bound,)) for sql, bound in bounds if bound is not None
    )
    return join(clauses, " AND ")


def sample_points(series_id: int, count: int, max_points: int, window: MetricWindow) -> list[Point]:
    """Return at most `max_points` points of the window, as `Tracker.sample_metric` promises.

    `count` is that of the whole history. Chunks inside the window are read in place of their points; what is at the
    window's edges, and behind the last chunk, is read point by point.
    """
    enough = max(min(FEW_CHUNKS, stretches(max_points)), max_points // CHUNK + 1)
    if count >= enough * CHUNK:
        inside = _chunks_inside(series_id, window)
        if len(inside) >= enough:
            return sample(_candidates(series_id, inside, window), max_points, _value)
    return sample(_read(series_id, between(window)), max_points, _value)


def _read(series_id: int, condition: Clause) -> list[Point]:
    where = join([Clause("series_id = ?", (series_id,)), condition], " AND ")
    points: list[Point] = execute(SELECT_POINTS.format(where.sql), where.parameters).fetchall()
    return points


def _chunks_inside(series_id: int, window: MetricWindow) -> Sequence[Any]:
    """Return number, least and greatest of the chunks that lie in the window with all their points."""
    bounds = (
        ("first_step >= ?", window.start_step),
        ("last_step <= ?", window.end_step),
        ("earliest_timestamp_ms >= ?", window.start_time_ms),
        ("latest_timestamp_ms <= ?", window.end_time_ms),
    )
    clauses = [Clause(sql, (bound,)) for sql, bound in bounds if bound is not None]
    where = join([Clause("series_id = ?", (series_id,)), *clauses], " AND ")
    chunks: Sequence[Any] = execute(_SELECT_CHUNKS.format(where.sql), where.parameters).fetchall()
    return chunks


def _candidates(series_id: int, inside: Sequence[Any], window: MetricWindow) -> list[Point]:
    """Return, in order, the extremes of the chunks inside the window and each point of it that is in none of them."""
    found: list[Point] = []
    start = 0
    for index in range(1, len(inside) + 1):
        if index < len(inside) and inside[index][0] == inside[index - 1][0] + 1:
            continue
        found += _outside(series_id, inside[start - 1][0] if start else None, inside[start][0], window)
        found += _extremes(series_id, inside[start:index])
        start = index
    return found + _outside(series_id, inside[-1][0], None, window)


def _extremes(series_id: int, chunks: Sequence[Any]) -> list[Point]:
    """Return the ends of a row of chunks, and of each the least and the greatest point."""
    found: list[Point] = [_end_of(series_id, chunks[0][0], "first")]
    for chunk in chunks:
        if chunk[1] is None:
            found.append(_end_of(series_id, chunk[0], "first"))
            continue
        least, greatest = (*chunk[1:4], 0), (*chunk[4:7], 0)
        found += (least, greatest) if least < greatest else (greatest, least)
    found.append(_end_of(series_id, chunks[-1][0], "last"))
    return [point for index, point in enumerate(found) if not index or point > found[index - 1]]


def _end_of(series_id: int, number: int, which: str) -> Point:
    (point,) = execute(
        f"SELECT {', '.join(f'{which}_{part}' for part in ENDS)} FROM metric_chunk WHERE series_id = ? AND number = ?",
        (series_id, number),
    ).fetchall()
    return tuple(point)


def _outside(series_id: int, after: int | None, before: int | None, window: MetricWindow) -> list[Point]:
    """Return the points of the window behind one chunk and before another."""
    start = None if after is None else _end_of(series_id, after, "last")
    end = None if before is None else _end_of(series_id, before, "first")
    return _read(series_id, between(window, start, end))


def _value(point: Point) -> float:
    return math.nan if point[3] else point[2]
