"""Long histories summed up while they are written, so that drawing one reads some thousand rows and not a million.

`CHUNK` points that follow one another in the order of a history are one row of ``metric_chunk``: its ends, its least
and its greatest. The points behind the last chunk are few. A point that comes late, in between, drops the chunks from
its place on; they are made again by what is written next, a bounded part with each batch, and until then those points
are read one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from modelyard.core.db import database, is_postgresql
from modelyard.core.tracking.sql import execute, marks

CHUNK = 128
"""Points in a chunk."""

WRITE_AT = 4 * CHUNK
"""How many points behind the last chunk make it time for more."""

MOST_AT_ONCE = 32 * CHUNK
"""How many points one batch sums up of a series at most."""

Point = tuple[int, int, float, int]
"""Step, timestamp, value and whether it is NaN, in the order that says which of two is the later one."""

ENDS = ("step", "timestamp_ms", "value", "is_nan")
COLUMNS = (
    "series_id",
    "number",
    *(f"first_{part}" for part in ENDS),
    *(f"last_{part}" for part in ENDS),
    *(f"{which}_{part}" for which in ("min", "max") for part in ENDS[:3]),
    "earliest_timestamp_ms",
    "latest_timestamp_ms",
)
_INSERT = f"INSERT INTO metric_chunk ({', '.join(COLUMNS)}) VALUES ({marks(len(COLUMNS))})"
_MARKED = (
    "UPDATE metric_series SET chunked_count = ?, chunked_step = ?, chunked_timestamp_ms = ?, chunked_value = ?,"
    " chunked_is_nan = ? WHERE id = ?"
)
_BEHIND = (
    "SELECT step, timestamp_ms, value, is_nan FROM metric_point WHERE series_id = ?{}"
    " ORDER BY step, timestamp_ms, value, is_nan LIMIT ?"
)


class SeriesState(NamedTuple):
    """What a series' row says of its chunks, `point_count` being that before known points are taken out again."""

    id: int
    point_count: int
    chunked_count: int
    step: int | None
    timestamp_ms: int | None
    value: float | None
    is_nan: int | None

    @property
    def end(self) -> Point | None:
        """The last point that is in a chunk."""
        if self.step is None or self.timestamp_ms is None or self.value is None or self.is_nan is None:
            return None
        return self.step, self.timestamp_ms, self.value, self.is_nan


def extend_chunks(series: SeriesState, points: Collection[Point], *, known: int) -> None:
    """Bring the chunks of a series up to date after `points` were written, of which `known` were there before."""
    count, end = series.point_count - known, series.end
    chunked = series.chunked_count
    if end is not None:
        least = min(points)
        if least <= end and known < len(points):
            chunked, end = _drop_from(series.id, least)
    if count - chunked >= WRITE_AT:
        loose = _loose_points(series.id, end, count - chunked, [] if known else sorted(points))
        _write_behind(series.id, chunked, loose)


def _drop_from(series_id: int, point: Point) -> tuple[int, Point | None]:
    """Drop the chunks from the one that the point lies in; return the new count of points in chunks and their end."""
    last = "last_step, last_timestamp_ms, last_value, last_is_nan"
    execute(f"DELETE FROM metric_chunk WHERE series_id = ? AND ({last}) >= (?, ?, ?, ?)", (series_id, *point))
    rows = execute(
        f"SELECT number, {last} FROM metric_chunk WHERE series_id = ? ORDER BY number DESC LIMIT 1", (series_id,)
    ).fetchall()
    chunked = (rows[0][0] + 1) * CHUNK if rows else 0
    end: Point | None = tuple(rows[0][1:]) if rows else None
    execute(_MARKED, (chunked, *(end or (None,) * 4), series_id))
    return chunked, end


def _loose_points(series_id: int, end: Point | None, count: int, written: Sequence[Point]) -> Sequence[Point]:
    """Return the points behind the last chunk, many at most; those just `written` are read only if others follow."""
    behind = " AND (step, timestamp_ms, value, is_nan) > (?, ?, ?, ?)" if end else ""
    parameters = (series_id, *(end or ()))
    if written and 0 <= count - len(written) < MOST_AT_ONCE:
        older = execute(_BEHIND.format(behind), (*parameters, count - len(written))).fetchall()
        if not older or tuple(older[-1]) < written[0]:
            return [*older, *written]
    found: Sequence[Point] = execute(_BEHIND.format(behind), (*parameters, MOST_AT_ONCE)).fetchall()
    return found


def _write_behind(series_id: int, chunked: int, loose: Sequence[Point]) -> None:
    whole = len(loose) - len(loose) % CHUNK
    if whole:
        _insert(list(_chunks(series_id, chunked // CHUNK, loose[:whole])))
        execute(_MARKED, (chunked + whole, *loose[whole - 1], series_id))


def _chunks(series_id: int, number: int, points: Sequence[Point]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        numbers = [point for point in part if not point[3]]
        least = min(numbers, key=_value)[:3] if numbers else (None,) * 3
        greatest = max(numbers, key=_value)[:3] if numbers else (None,) * 3
        times = [point[1] for point in part]
        yield (series_id, number, *part[0], *part[-1], *least, *greatest, min(times), max(times))
        number += 1


def _value(point: Point) -> float:
    return point[2]


def _insert(rows: Sequence[Sequence[Any]]) -> None:
    cursor = database.cursor()
    cursor.executemany(_INSERT.replace("?", "%s") if is_postgresql() else _INSERT, rows)
