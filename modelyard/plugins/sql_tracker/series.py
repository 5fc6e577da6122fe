"""The summary of each metric of a run: worked out in memory for a batch, merged by an upsert that never reads first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelyard.core.db import is_postgresql
from modelyard.core.tracking.sql import execute, marks
from modelyard.plugins.sql_tracker.arrays import array
from modelyard.plugins.sql_tracker.chunks import VALUE, Point
from modelyard.plugins.sql_tracker.rows import RunKey

Batch = Mapping[str, Mapping[Point, None]]
"""The points of each metric, equal ones once."""

_LAST = ("last_value", "last_is_nan", "last_step", "last_timestamp_ms")
_SUMMARY = (*_LAST, "min_value", "min_step", "max_value", "max_step", "count")
_TYPES = ("float8", "int2", "int8", "int8", "float8", "int8", "float8", "int8", "int8")
_INSERT = f"INSERT INTO metric_series (run_id, experiment_id, key, {', '.join(_SUMMARY)})"
_NEWER = (
    "(excluded.last_step, excluded.last_timestamp_ms, excluded.last_value, excluded.last_is_nan) >="
    " (metric_series.last_step, metric_series.last_timestamp_ms, metric_series.last_value, metric_series.last_is_nan)"
)


def _bound(which: str, sign: str) -> str:
    better = f"metric_series.{which}_value IS NULL OR excluded.{which}_value {sign} metric_series.{which}_value"
    return ", ".join(
        f"{column} = CASE WHEN {better} THEN excluded.{column} ELSE metric_series.{column} END"
        for column in (f"{which}_value", f"{which}_step")
    )


_MERGE = (
    "ON CONFLICT (run_id, key) DO UPDATE SET "
    + ", ".join(
        f"{column} = CASE WHEN {_NEWER} THEN excluded.{column} ELSE metric_series.{column} END" for column in _LAST
    )
    + f", {_bound('min', '<')}, {_bound('max', '>')}, count = metric_series.count + excluded.count"
    " RETURNING key, id, count, chunked_count, chunked_step, chunked_timestamp_ms, chunked_value, chunked_is_nan"
)
_ARRAYS = ", ".join(("?::text[]", *(f"?::{name}[]" for name in _TYPES)))
_FROM_ARRAYS = f"{_INSERT} SELECT ?::int8, ?::int8, * FROM unnest({_ARRAYS}) {_MERGE}"


def merge_series(run: RunKey, batch: Batch) -> list[Any]:
    """Count the points into the series of the run; return key, id and state of the chunks of each."""
    keys = sorted(batch)
    summaries = [_summary(batch[key]) for key in keys]
    if is_postgresql():
        columns = [array(column) for column in zip(*summaries, strict=True)]
        statement, values = _FROM_ARRAYS, [run.run, run.experiment, keys, *columns]
    else:
        groups = ", ".join([f"({marks(3 + len(_SUMMARY))})"] * len(keys))
        statement, values = f"{_INSERT} VALUES {groups} {_MERGE}", list(_values(run, keys, summaries))
    rows: list[Any] = execute(statement, values).fetchall()
    return rows


def _values(run: RunKey, keys: Sequence[str], summaries: Sequence[Sequence[Any]]) -> Iterator[Any]:
    for key, summary in zip(keys, summaries, strict=True):
        yield run.run
        yield run.experiment
        yield key
        yield from summary


def _summary(points: Mapping[Point, None]) -> tuple[Any, ...]:
    """Return the values of `_SUMMARY`."""
    step, timestamp_ms, value, is_nan = max(points)
    numbers = [point for point in points if not point[3]]
    if not numbers:
        return value, is_nan, step, timestamp_ms, None, None, None, None, len(points)
    least, greatest = min(numbers, key=VALUE), max(numbers, key=VALUE)
    return value, is_nan, step, timestamp_ms, least[2], least[0], greatest[2], greatest[0], len(points)
