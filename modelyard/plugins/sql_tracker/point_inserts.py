"""Points as they are stored: in bulk, each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from struct import Struct
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, database, is_postgresql
from modelyard.core.tracking.sql import execute
from modelyard.plugins.sql_tracker.arrays import array

BULK_FROM = 100
"""From how many points on it pays to take them for new, inside a savepoint."""

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
    if len(points) >= BULK_FROM and (_copy(points) if is_postgresql() else _insert_new(points)):
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
        statement, values = f"{_insert_of(points)} {_NEW_ONES}", list(chain.from_iterable(points))
    rows: list[Any] = execute(statement, values).fetchall()
    return rows


def _insert_of(points: Sequence[PointRow]) -> str:
    return f"INSERT INTO {_COLUMNS} VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(points))}"


def _insert_new(points: Sequence[PointRow]) -> bool:
    """Insert without asking which were new; False, with nothing written, where some of the points are there already."""
    try:
        with atomic():
            execute(_insert_of(points), list(chain.from_iterable(points)))
    except IntegrityError as error:
        if error.args and "UNIQUE" in str(error.args[0]):
            return False
        raise
    return True


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
