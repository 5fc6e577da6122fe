"""Points as they are stored: in bulk, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any

from modelyard.core.db import atomic, database, is_postgresql
from modelyard.core.tracking.sql import execute
from modelyard.plugins.sql_tracker.arrays import array

COPY_FROM = 100
"""From how many points on COPY pays for its savepoint on PostgreSQL."""

_COLUMNS = "metric_point (series_id, step, timestamp_ms, value, is_nan)"
_NEW_ONES = "ON CONFLICT DO NOTHING RETURNING series_id"
_FROM_ARRAYS = (
    f"INSERT INTO {_COLUMNS} SELECT * FROM unnest(?::int8[], ?::int8[], ?::int8[], ?::float8[], ?::int2[]) {_NEW_ONES}"
)

_COPY = f"COPY {_COLUMNS} FROM STDIN (FORMAT binary)"
_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_pack = Struct(">hiqiqiqidih").pack
"""A row of PostgreSQL's binary COPY: the count of its columns, and of each its size and its bytes."""

PointRow = tuple[int, int, int, float, int]
"""Series, step, timestamp, value and whether it is NaN."""


def insert_points(points: Sequence[PointRow]) -> Mapping[int, int]:
    """Insert the points that are new; return how many of each series were there, which its count has now lost again."""
    if is_postgresql() and len(points) >= COPY_FROM and _copy(points):
        return {}
    inserted = _insert(points)
    if len(inserted) == len(points):
        return {}
    known = Counter(point[0] for point in points)
    known.subtract(row[0] for row in inserted)
    for series_id, count in known.items():
        execute("UPDATE metric_series SET count = count - ? WHERE id = ?", (count, series_id))
    return known


def _insert(points: Sequence[PointRow]) -> list[Any]:
    """Insert the points that are new and return the series of each of them."""
    values: list[Any]
    if is_postgresql():
        statement, values = _FROM_ARRAYS, [array(column) for column in zip(*points, strict=True)]
    else:
        groups = ", ".join(["(?, ?, ?, ?, ?)"] * len(points))
        statement = f"INSERT INTO {_COLUMNS} VALUES {groups} {_NEW_ONES}"
        values = [value for point in points for value in point]
    rows: list[Any] = execute(statement, values).fetchall()
    return rows


def _copy(points: Sequence[PointRow]) -> bool:
    """Insert by COPY; False, with nothing written, where some of the points are there already."""
    from psycopg.errors import UniqueViolation

    rows = [_pack(5, 8, key, 8, step, 8, when, 8, value, 2, nan) for key, step, when, value, nan in points]
    data = b"".join((_HEAD, *rows, _END))
    try:
        with atomic(), database.connection().cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(data)
    except UniqueViolation:
        return False
    return True
