"""What is logged to runs: the hot path. One transaction a batch, one statement for each kind of thing in it.

The summary of each metric in a batch is worked out in memory and merged into its series by one upsert, which never
reads first. The update of the run's row, with which a batch begins, confirms that the run is active and makes writers
to one run take turns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelyard.core.db import atomic, database, is_postgresql
from modelyard.core.errors import Conflict
from modelyard.core.group_commit import write_together
from modelyard.core.interfaces import Tracker
from modelyard.core.tracking.entities import RUN_NAME_TAG, Metric
from modelyard.core.tracking.sql import execute
from modelyard.plugins.sql_tracker.rows import (
    add_values,
    keys_of_models,
    set_values,
    touch_active_run,
)

COPY_FROM = 100
"""From how many points on COPY pays for its savepoint on PostgreSQL."""

_COPY = "COPY metric_point (series_id, step, timestamp_ms, value, is_nan) FROM STDIN"

Point = tuple[int, int, float, int]
"""Step, timestamp, value and whether it is NaN, in the order that says which of two is the later one."""

_NEWER = (
    "(excluded.last_step, excluded.last_timestamp_ms, excluded.last_value, excluded.last_is_nan) >="
    " (metric_series.last_step, metric_series.last_timestamp_ms, metric_series.last_value, metric_series.last_is_nan)"
)
_LAST = ("last_value", "last_is_nan", "last_step", "last_timestamp_ms")
_SERIES_COLUMNS = ("run_id", "key", *_LAST, "min_value", "min_step", "max_value", "max_step", "count")


def _bound(which: str, sign: str) -> str:
    better = f"metric_series.{which}_value IS NULL OR excluded.{which}_value {sign} metric_series.{which}_value"
    return ", ".join(
        f"{column} = CASE WHEN {better} THEN excluded.{column} ELSE metric_series.{column} END"
        for column in (f"{which}_value", f"{which}_step")
    )


_MERGE = (
    " ON CONFLICT (run_id, key) DO UPDATE SET "
    + ", ".join(
        f"{column} = CASE WHEN {_NEWER} THEN excluded.{column} ELSE metric_series.{column} END" for column in _LAST
    )
    + f", {_bound('min', '<')}, {_bound('max', '>')}, count = metric_series.count + excluded.count RETURNING key, id"
)


@dataclass(slots=True)
class _Series:
    """The points of one metric in a batch, equal ones once, in the order of logging."""

    points: dict[Point, None] = field(default_factory=dict)

    def row(self, run_key: int, key: str) -> list[Any]:
        step, timestamp_ms, value, is_nan = max(self.points)
        numbers = [point for point in self.points if not point[3]]
        least = min(numbers, key=lambda point: point[2], default=None)
        greatest = max(numbers, key=lambda point: point[2], default=None)
        bounds = [part for point in (least, greatest) for part in ((point[2], point[0]) if point else (None, None))]
        return [run_key, key, value, is_nan, step, timestamp_ms, *bounds, len(self.points)]


class LoggingVerbs(Tracker):
    """Metrics, params and tags in Modelyard's database."""

    def log_batch(
        self,
        project_id: int,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write it in one transaction, on SQLite together with what others are writing at the same moment."""

        def write() -> None:
            run_key = touch_active_run(project_id, run_id)
            differing = add_values("run_param", "run_id", run_key, dict(params or {}))
            if differing:
                raise _changed_params(run_id, differing, params or {})
            set_values("run_tag", "run_id", run_key, dict(tags or {}))
            if tags and tags.get(RUN_NAME_TAG):
                execute("UPDATE run SET name = ? WHERE id = ?", (tags[RUN_NAME_TAG], run_key))
            if metrics:
                _write_metrics(run_key, metrics)
                _write_model_metrics(project_id, run_key, [metric for metric in metrics if metric.model_id])

        write_together(write)


def _point(metric: Metric) -> Point:
    value = float(metric.value)
    return (
        (metric.step, metric.timestamp_ms, 0.0, 1)
        if math.isnan(value)
        else (metric.step, metric.timestamp_ms, value, 0)
    )


def _write_metrics(run_key: int, metrics: Iterable[Metric]) -> None:
    batch: dict[str, _Series] = {}
    for metric in metrics:
        batch.setdefault(metric.key, _Series()).points[_point(metric)] = None
    group = f"({', '.join('?' * len(_SERIES_COLUMNS))})"
    rows = execute(
        f"INSERT INTO metric_series ({', '.join(_SERIES_COLUMNS)}) VALUES {', '.join([group] * len(batch))}{_MERGE}",
        [value for key, series in sorted(batch.items()) for value in series.row(run_key, key)],
    ).fetchall()
    points = [(series_id, *point) for key, series_id in rows for point in batch[key].points]
    if is_postgresql() and len(points) >= COPY_FROM and _copy_points(points):
        return
    _insert_points(points)


def _insert_points(points: Sequence[tuple[int, int, int, float, int]]) -> None:
    """Insert the points that are new, and take the others back out of their series' counts."""
    inserted = execute(
        "INSERT INTO metric_point (series_id, step, timestamp_ms, value, is_nan)"
        f" VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(points))} ON CONFLICT DO NOTHING RETURNING series_id",
        [value for point in points for value in point],
    ).fetchall()
    if len(inserted) < len(points):
        known = Counter(point[0] for point in points)
        known.subtract(row[0] for row in inserted)
        for series_id, count in known.items():
            execute("UPDATE metric_series SET count = count - ? WHERE id = ?", (count, series_id))


def _copy_points(points: Iterable[tuple[int, int, int, float, int]]) -> bool:
    """Insert by COPY; False, with nothing written, where some of the points are there already."""
    from psycopg.errors import UniqueViolation

    lines = "".join(f"{key}\t{step}\t{when}\t{value!r}\t{nan}\n" for key, step, when, value, nan in points)
    try:
        with atomic(), database.connection().cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(lines)
    except UniqueViolation:
        return False
    return True


def _write_model_metrics(project_id: int, run_key: int, metrics: Sequence[Metric]) -> None:
    if not metrics:
        return
    keys = keys_of_models(project_id, [metric.model_id or "" for metric in metrics])
    rows = [
        (
            keys[metric.model_id or ""],
            run_key,
            metric.key,
            *_point(metric),
            metric.dataset_name or "",
            metric.dataset_digest or "",
        )
        for metric in metrics
    ]
    execute(
        "INSERT INTO logged_model_metric"
        " (model_id, run_id, key, step, timestamp_ms, value, is_nan, dataset_name, dataset_digest)"
        f" VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?, ?, ?)'] * len(rows))} ON CONFLICT DO NOTHING",
        [value for row in rows for value in row],
    )


def _changed_params(run_id: str, differing: Mapping[str, str], wanted: Mapping[str, str]) -> Conflict:
    listed = ", ".join(
        f"key='{key}' was already logged with value='{old}', not '{wanted[key]}'" for key, old in differing.items()
    )
    return Conflict(f"Changing param values is not allowed for run ID='{run_id}': {listed}.")
