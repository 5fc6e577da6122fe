"""Removing rows of tracking in parts: each call of a function here is one short transaction's work.

A run may have ten million points: deleting them at once would hold SQLite's writer for many seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard.core.tracking.models import (
    LoggedModel,
    LoggedModelMetric,
    LoggedModelParam,
    LoggedModelTag,
    MetricPoint,
    MetricSeries,
    Run,
    RunInput,
    RunModelInput,
    RunOutput,
    RunParam,
    RunTag,
)
from modelyard.core.tracking.sql import execute
from modelyard.core.tracking.trace_models import Span, Trace

POINTS = 20_000
ROWS = 200
LOGGED_ROWS = 10_000
OF_RUNS: tuple[Any, ...] = (LoggedModelMetric, RunParam, RunTag, RunInput, RunModelInput, RunOutput)
OF_MODELS: tuple[Any, ...] = (LoggedModelMetric, LoggedModelParam, LoggedModelTag, RunModelInput, RunOutput)


def forget_logged(run_ids: Sequence[int], model_ids: Sequence[int]) -> bool:
    """Delete a part of what these runs and logged models have; says whether there was any."""
    return (
        forget_points(MetricSeries.run.in_(list(run_ids)))
        or any(_forget_logged(table, table.run.in_(list(run_ids))) for table in OF_RUNS)
        or any(_forget_logged(table, table.model.in_(list(model_ids))) for table in OF_MODELS)
    )


def forget_of_project(experiments: Any) -> bool:
    """Delete a part of all runs and logged models of the experiments that the query finds; says whether any."""
    runs = Run.select(Run.id).where(Run.experiment.in_(experiments))
    models = LoggedModel.select(LoggedModel.id).where(LoggedModel.experiment.in_(experiments))
    return (
        forget_points(MetricSeries.run.in_(runs))
        or _forget_logged(LoggedModelMetric, LoggedModelMetric.run.in_(runs))
        or forget_rows(Run, Run.id.in_(runs))
        or forget_rows(LoggedModel, LoggedModel.id.in_(models))
    )


def forget_traces(traces: Any) -> bool:
    """Delete a part of the traces that the query finds, their spans first; says whether any."""
    return forget_rows(Span, Span.trace.in_(traces)) or forget_rows(Trace, Trace.id.in_(traces))


def forget_points(condition: Any) -> bool:
    """Delete some metrics with their points, or a part of the points of one that has very many; says whether any."""
    few: list[int] = []
    points = 0
    for row in MetricSeries.select(MetricSeries.id, MetricSeries.count).where(condition).limit(ROWS):
        points += row.count
        if points > POINTS:
            break
        few.append(row.id)
    else:
        return forget_ids(MetricSeries, few)
    return forget_ids(MetricSeries, few) or _forget_part(row.id)


def _forget_part(series_id: int) -> bool:
    """Delete the first points of a metric, or all of it where there are no more than one part."""
    first = f"number < {POINTS} + (SELECT MIN(number) FROM metric_chunk WHERE series_id = ?)"
    if execute(f"DELETE FROM metric_chunk WHERE series_id = ? AND {first}", (series_id, series_id)).rowcount:
        return True
    key = (MetricPoint.step, MetricPoint.timestamp_ms, MetricPoint.value, MetricPoint.is_nan)
    edge = MetricPoint.select(*key).where(MetricPoint.series == series_id).order_by(*key).offset(POINTS).tuples()
    first_kept = edge.limit(1).first()
    if first_kept is None:
        return forget_ids(MetricSeries, [series_id])
    execute(
        "DELETE FROM metric_point WHERE series_id = ? AND (step, timestamp_ms, value, is_nan) < (?, ?, ?, ?)",
        (series_id, *first_kept),
    )
    return True


def _forget_logged(table: Any, condition: Any) -> bool:
    part = table.select(table.id).where(condition).limit(LOGGED_ROWS)
    return bool(table.delete().where(table.id.in_(part)).execute())


def forget_rows(table: Any, condition: Any) -> bool:
    """Delete some of the rows; says whether there were any."""
    return forget_ids(table, [row.id for row in table.select(table.id).where(condition).limit(ROWS)])


def forget_ids(table: Any, ids: list[int]) -> bool:
    """Delete the rows of these keys; says whether there were any."""
    return bool(ids) and bool(table.delete().where(table.id.in_(ids)).execute())
