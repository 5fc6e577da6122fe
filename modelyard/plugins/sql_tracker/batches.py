"""What is logged to runs: the hot path. One transaction a batch, one statement for each kind of thing in it.

The update of the run's row, with which a batch begins, confirms that the run is active and makes writers
to one run take turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from modelyard.core.errors import Conflict
from modelyard.core.group_commit import write_together
from modelyard.core.interfaces import Tracker
from modelyard.core.tracking.entities import RUN_NAME_TAG, Metric
from modelyard.core.tracking.sql import execute
from modelyard.plugins.sql_tracker.chunks import Point, SeriesState, Written, extend_chunks
from modelyard.plugins.sql_tracker.point_inserts import insert_points
from modelyard.plugins.sql_tracker.rows import RunKey, add_values, keys_of_models, set_values, touch_active_run
from modelyard.plugins.sql_tracker.series import merge_series
from modelyard.plugins.sql_tracker.single_points import log_point


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
            run = touch_active_run(project_id, run_id)
            differing = add_values("run_param", "run_id", run.run, dict(params or {}), experiment_id=run.experiment)
            if differing:
                raise _changed_params(run_id, differing, params or {})
            set_values("run_tag", "run_id", run.run, dict(tags or {}), experiment_id=run.experiment)
            if tags and tags.get(RUN_NAME_TAG):
                execute("UPDATE run SET name = ? WHERE id = ?", (tags[RUN_NAME_TAG], run.run))
            if metrics:
                _write_metrics(run, metrics)
                _write_model_metrics(project_id, run.run, [metric for metric in metrics if metric.model_id])

        alone = metrics[0] if len(metrics) == 1 and not params and not tags else None
        if alone is None or alone.model_id or not log_point(project_id, run_id, alone.key, _point(alone)):
            write_together(write)


def _point(metric: Metric) -> Point:
    value = metric.value if type(metric.value) is float else float(metric.value)
    return (
        (metric.step, metric.timestamp_ms, 0.0, 1)
        if math.isnan(value)
        else (metric.step, metric.timestamp_ms, value, 0)
    )


def _write_metrics(run: RunKey, metrics: Iterable[Metric]) -> None:
    batch: dict[str, dict[Point, None]] = {}
    for metric in metrics:
        batch.setdefault(metric.key, {})[_point(metric)] = None
    rows = merge_series(run, batch)
    known = insert_points([(row[1], *point) for row in rows for point in batch[row[0]]])
    extend_chunks(Written(SeriesState(*row[1:]), batch[row[0]], known.get(row[1], 0)) for row in rows)


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
