"""What was logged of metrics, read back: histories in pages, samples for drawing, and summaries."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from modelyard.core.errors import NotFound
from modelyard.core.interfaces import Tracker
from modelyard.core.tracking.entities import WHOLE_HISTORY, Metric, MetricSummary, MetricWindow, Page, as_number
from modelyard.core.tracking.paging import PointPosition, fingerprint, make_token, read_token
from modelyard.core.tracking.sampling import sample
from modelyard.core.tracking.search import pages_of
from modelyard.core.tracking.sql import Clause, execute, join, marks
from modelyard.plugins.sql_tracker.rows import find_run

_POINTS = (
    "SELECT step, timestamp_ms, value, is_nan FROM metric_point WHERE {} ORDER BY step, timestamp_ms, value, is_nan"
)
_SUMMARIES = (
    "SELECT run_id, key, last_value, last_is_nan, last_step, last_timestamp_ms, min_value, min_step, max_value,"
    " max_step, count FROM metric_series WHERE run_id IN ({}) ORDER BY run_id, key"
)


class HistoryVerbs(Tracker):
    """Metrics read from Modelyard's database."""

    def metric_history(
        self,
        project_id: int,
        run_id: str,
        key: str,
        *,
        window: MetricWindow = WHOLE_HISTORY,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> Page[Metric]:
        """Read along the points' key; a page goes on behind the last point of the one before."""
        run_key = find_run(project_id, run_id).id
        rows = execute("SELECT id FROM metric_series WHERE run_id = ? AND key = ?", (run_key, key)).fetchall()
        if not rows:
            return Page([])
        search = fingerprint(project_id, run_id, key, window)
        conditions = [Clause("series_id = ?", (rows[0][0],)), within(window)]
        if page_token:
            step, timestamp_ms, value, is_nan = read_token(page_token, search, PointPosition)
            position = (step, timestamp_ms, float(value), is_nan)
            conditions.append(Clause("(step, timestamp_ms, value, is_nan) > (?, ?, ?, ?)", position))
        where = join(conditions, " AND ")
        limit = "" if max_results is None else f" LIMIT {int(max_results) + 1}"
        points = execute(_POINTS.format(where.sql) + limit, where.parameters).fetchall()
        token = None
        if max_results is not None and len(points) > max_results:
            points = points[:max_results]
            step, timestamp_ms, value, is_nan = points[-1]
            token = make_token(search, (step, timestamp_ms, as_number(value), is_nan))
        return Page(_metrics(key, points), token)

    def sample_metric(
        self,
        project_id: int,
        run_ids: Sequence[str],
        key: str,
        *,
        max_points: int,
        window: MetricWindow = WHOLE_HISTORY,
    ) -> dict[str, list[Metric]]:
        """Read the points and choose among them."""
        keys = keys_of_runs(project_id, run_ids)
        series = {
            run_key: series_key
            for part in pages_of(list(keys.values()))
            for run_key, series_key in execute(
                f"SELECT run_id, id FROM metric_series WHERE key = ? AND run_id IN ({marks(len(part))})", (key, *part)
            ).fetchall()
        }
        return {
            run_id: _metrics(key, self._sample(series[run_key], max_points, window)) if run_key in series else []
            for run_id, run_key in keys.items()
        }

    def _sample(self, series_key: int, max_points: int, window: MetricWindow) -> list[Any]:
        where = join([Clause("series_id = ?", (series_key,)), within(window)], " AND ")
        points = execute(_POINTS.format(where.sql), where.parameters).fetchall()
        return sample(points, max_points, lambda point: math.nan if point[3] else point[2])

    def metric_summaries(self, project_id: int, run_ids: Sequence[str]) -> dict[str, list[MetricSummary]]:
        """Read the series' rows."""
        keys = keys_of_runs(project_id, run_ids)
        names = {run_key: run_id for run_id, run_key in keys.items()}
        found: dict[str, list[MetricSummary]] = {run_id: [] for run_id in keys}
        for part in pages_of(list(names)):
            for row in execute(_SUMMARIES.format(marks(len(part))), part).fetchall():
                found[names[row[0]]].append(_summary(row))
        return found


def keys_of_runs(project_id: int, run_ids: Iterable[str]) -> dict[str, int]:
    """Return the integer key of each of these runs of the project, in their order, also of deleted ones."""
    wanted = list(dict.fromkeys(run_ids))
    keys: dict[str, int] = {}
    for part in pages_of(wanted):
        rows = execute(
            "SELECT r.public_id, r.id FROM run r JOIN experiment e ON e.id = r.experiment_id"
            f" WHERE e.project_id = ? AND r.public_id IN ({marks(len(part))})",
            (project_id, *part),
        )
        keys.update(rows.fetchall())
    for run_id in wanted:
        if run_id not in keys:
            raise NotFound(f"Run with id={run_id} not found.")
    return {run_id: keys[run_id] for run_id in wanted}


def within(window: MetricWindow) -> Clause:
    """Make the condition that a point is in the window; empty for the whole history."""
    bounds = (
        ("step >= ?", window.start_step),
        ("step <= ?", window.end_step),
        ("timestamp_ms >= ?", window.start_time_ms),
        ("timestamp_ms <= ?", window.end_time_ms),
    )
    return join([Clause(sql, (bound,)) for sql, bound in bounds if bound is not None], " AND ")


def _metrics(key: str, points: Iterable[Any]) -> list[Metric]:
    return [Metric(key, as_number(value, is_nan), when, step) for step, when, value, is_nan in points]


def _summary(row: Any) -> MetricSummary:
    least, least_step, greatest, greatest_step = row[6:10]
    return MetricSummary(
        key=row[1],
        last=as_number(row[2], row[3]),
        last_step=row[4],
        last_timestamp_ms=row[5],
        min=None if least is None else as_number(least),
        min_step=least_step,
        max=None if greatest is None else as_number(greatest),
        max_step=greatest_step,
        count=row[10],
    )
