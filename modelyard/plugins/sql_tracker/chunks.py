"""Long histories summed up while they are written, so that drawing one reads some thousand rows and not a million.

`CHUNK` points that follow one another in the order of a history are one row of ``metric_chunk``: its ends, its least
and its greatest. The points behind the last chunk are few. A point that comes late, in between, drops the chunks from
its place on; they are made again by what is written next, a bounded part with each batch, and until then those points
are read one by one.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from modelyard.core.db import database, is_postgresql
from modelyard.core.tracking.sql import execute, marks
from modelyard.plugins.sql_tracker.arrays import array

CHUNK = 128
"""Points in a chunk."""

WRITE_AT = 4 * CHUNK
"""How many points behind the last chunk make it time for more."""

MOST_AT_ONCE = 32 * CHUNK
"""How many points one batch sums up of a series at most, and about how many of all series."""

READ_FOR_ONE = 8
"""How many points a large batch sums up for each that it writes: it catches up, however many series there are."""

Point = tuple[int, int, float, int]
"""Step, timestamp, value and whether it is NaN, in the order that says which of two is the later one."""

VALUE = itemgetter(2)
"""Takes the value out of a point."""

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
_TYPES = ("int8", "int8", *("int8", "int8", "float8", "int2") * 2, *("int8", "int8", "float8") * 2, "int8", "int8")
_INSERT = f"INSERT INTO metric_chunk ({', '.join(COLUMNS)})"
_MARKED = (
    "UPDATE metric_series SET chunked_count = ?, chunked_step = ?, chunked_timestamp_ms = ?, chunked_value = ?,"
    " chunked_is_nan = ? WHERE id = ?"
)
_MARKED_FROM_ARRAYS = (
    "UPDATE metric_series SET chunked_count = m.count, chunked_step = m.step, chunked_timestamp_ms = m.at,"
    " chunked_value = m.value, chunked_is_nan = m.is_nan"
    " FROM unnest(?::int8[], ?::int8[], ?::int8[], ?::float8[], ?::int2[], ?::int8[])"
    " m (count, step, at, value, is_nan, id) WHERE metric_series.id = m.id"
)
_BEHIND = (
    "SELECT step, timestamp_ms, value, is_nan FROM metric_point"
    " WHERE series_id = {} AND (step, timestamp_ms, value, is_nan) > ({})"
    " ORDER BY step, timestamp_ms, value, is_nan LIMIT {}"
)
_EACH_BEHIND = (
    "SELECT b.id, p.* FROM unnest(?::int8[], ?::int8[], ?::int8[], ?::float8[], ?::int2[], ?::int8[])"
    " b (id, step, at, value, is_nan, most) CROSS JOIN LATERAL"
    f" ({_BEHIND.format('b.id', 'b.step, b.at, b.value, b.is_nan', 'b.most')}) p"
)
BEFORE_ALL: Point = (-(2**63), -(2**63), -math.inf, -1)
"""Less than any point."""


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


class Written(NamedTuple):
    """What a batch wrote to a series: its points, of which `known` were there before."""

    series: SeriesState
    points: Collection[Point]
    known: int


class _Due(NamedTuple):
    """A series with enough points behind its last chunk: how many are in chunks, where they end, what follows."""

    id: int
    chunked: int
    end: Point
    loose_count: int
    written: Sequence[Point]


def extend_chunks(batch: Iterable[Written]) -> None:
    """Bring the chunks of the series that were written to up to date."""
    batch = list(batch)
    due = _in_turn([one for written in batch if (one := _due(written))], sum(len(written.points) for written in batch))
    if not due:
        return
    chunks: list[tuple[Any, ...]] = []
    ends: list[tuple[Any, ...]] = []
    for one, loose in zip(due, _loose_points(due), strict=True):
        whole = len(loose) - len(loose) % CHUNK
        if whole:
            chunks += _chunks(one.id, one.chunked // CHUNK, loose[:whole])
            ends.append((one.chunked + whole, *loose[whole - 1], one.id))
    _insert(chunks)
    _mark(ends)


def _in_turn(due: Sequence[_Due], written_count: int) -> list[_Due]:
    """Return those with the most loose points, as many as a batch may sum up; the others come with the next batches.

    Series that are logged together come due together, a thousand of them half a million points.
    """
    left, chosen = max(MOST_AT_ONCE, READ_FOR_ONE * written_count), []
    for one in sorted(due, key=lambda one: -one.loose_count):
        if left <= 0:
            break
        chosen.append(one)
        left -= min(one.loose_count, MOST_AT_ONCE)
    return chosen


def _due(written: Written) -> _Due | None:
    """Say what is to be summed up of a series; chunks that a late point lies in are dropped."""
    series, points, known = written
    count, chunked, end = series.point_count - known, series.chunked_count, series.end
    if end is not None:
        least = min(points)
        if least <= end and known < len(points):
            chunked, end = _drop_from(series.id, least)
    if count - chunked < WRITE_AT:
        return None
    return _Due(series.id, chunked, end or BEFORE_ALL, count - chunked, [] if known else sorted(points))


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


def _loose_points(due: Sequence[_Due]) -> list[Sequence[Point]]:
    """Return the points behind the last chunk of each, many at most; what was just written is not read again."""
    older = _read_behind([(one, _unread(one)) for one in due])
    found: list[Sequence[Point]] = []
    for one, before in zip(due, older, strict=True):
        if not one.written or len(before) != one.loose_count - len(one.written):
            found.append(before)
        elif not before or before[-1] < one.written[0]:
            found.append([*before, *one.written])
        else:
            found += _read_behind([(one, MOST_AT_ONCE)])
    return found


def _unread(one: _Due) -> int:
    """Return how many points were there before those just written, if these come after them; else a bounded many."""
    older = one.loose_count - len(one.written)
    return older if one.written and 0 <= older < MOST_AT_ONCE else MOST_AT_ONCE


def _read_behind(wanted: Sequence[tuple[_Due, int]]) -> list[Sequence[Point]]:
    """Return so many points behind the last chunk of each series, in order."""
    if not is_postgresql():
        statement = _BEHIND.format("?", marks(4), "?")
        return [execute(statement, (one.id, *one.end, most)).fetchall() for one, most in wanted]
    rows = execute(_EACH_BEHIND, _arrays([(one.id, *one.end, most) for one, most in wanted])).fetchall()
    found: dict[int, list[Point]] = {one.id: [] for one, _ in wanted}
    for row in rows:
        found[row[0]].append(row[1:])
    return [sorted(points) for points in found.values()]  # the order of a join is PostgreSQL's own affair


def _chunks(series_id: int, number: int, points: Sequence[Point]) -> Iterator[tuple[Any, ...]]:
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        numbers = [point for point in part if not point[3]]
        least = min(numbers, key=VALUE)[:3] if numbers else (None,) * 3
        greatest = max(numbers, key=VALUE)[:3] if numbers else (None,) * 3
        times = [point[1] for point in part]
        yield (series_id, number, *part[0], *part[-1], *least, *greatest, min(times), max(times))
        number += 1


def _insert(chunks: Sequence[Sequence[Any]]) -> None:
    if not chunks:
        return
    if is_postgresql():
        types = ", ".join(f"?::{name}[]" for name in _TYPES)
        execute(f"{_INSERT} SELECT * FROM unnest({types})", _arrays(chunks))
    else:
        database.cursor().executemany(f"{_INSERT} VALUES ({marks(len(COLUMNS))})", chunks)


def _mark(ends: Sequence[Sequence[Any]]) -> None:
    """Note of series how many of their points are in chunks, and the last of them."""
    if not ends:
        return
    if is_postgresql():
        execute(_MARKED_FROM_ARRAYS, _arrays(ends))
    else:
        database.cursor().executemany(_MARKED, ends)


def _arrays(rows: Sequence[Sequence[Any]]) -> list[str]:
    return [array(column) for column in zip(*rows, strict=True)]
