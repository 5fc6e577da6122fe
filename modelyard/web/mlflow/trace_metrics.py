"""Numbers of traces on MLflow's wire: aggregated, and how two conditions go together."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from modelyard.core.tracking.entities import as_number
from modelyard.core.tracking.trace_entities import Aggregation, TraceMetricsQuery
from modelyard.web.mlflow.decoding import Int64, Request, Required
from modelyard.web.mlflow.router import Answer, Context, endpoint
from modelyard.web.mlflow.traces import kept

VIEWS = ("METRIC_VIEW_TYPE_UNSPECIFIED", "TRACES", "SPANS", "ASSESSMENTS")
AGGREGATIONS = ("AGGREGATION_TYPE_UNSPECIFIED", "COUNT", "SUM", "AVG", "PERCENTILE", "MIN", "MAX")


class CorrelateFilters(Request, kw_only=True):
    """Fields of traces/calculate-filter-correlation."""

    experiment_ids: list[str] = []
    filter_string1: Required
    filter_string2: Required
    base_filter: str = ""


class AggregationValue(Request):
    """One way to make many values one."""

    aggregation_type: str | int
    percentile_value: float | None = None


class QueryTraceMetrics(Request, kw_only=True):
    """Fields of traces/metrics."""

    experiment_ids: list[str] = []
    view_type: str | int
    metric_name: Required
    aggregations: list[AggregationValue] = []
    dimensions: list[str] = []
    filters: list[str] = []
    time_interval_seconds: Int64 | None = None
    start_time_ms: Int64 | None = None
    end_time_ms: Int64 | None = None
    max_results: Int64 = 1000


@endpoint("POST", "3.0/traces/calculate-filter-correlation")
def correlate_filters(context: Context, request: CorrelateFilters) -> Answer:
    """Answer how two conditions go together."""
    found = kept(context).correlate(
        context.actor,
        context.project,
        request.experiment_ids,
        filter1=request.filter_string1,
        filter2=request.filter_string2,
        base_filter=request.base_filter,
    )
    numbers = {name: as_number(getattr(found, name)) for name in ("npmi", "npmi_smoothed")}
    return {**msgspec.structs.asdict(found), **numbers}


@endpoint("POST", "3.0/traces/metrics")
def query_trace_metrics(context: Context, request: QueryTraceMetrics) -> Answer:
    """Answer aggregated numbers."""
    found = kept(context).metrics(
        context.actor,
        context.project,
        TraceMetricsQuery(
            experiment_ids=request.experiment_ids,
            view=_name_of(request.view_type, VIEWS),
            metric=request.metric_name,
            aggregations=[
                Aggregation(_name_of(given.aggregation_type, AGGREGATIONS), given.percentile_value)
                for given in request.aggregations
            ],
            dimensions=request.dimensions,
            filters=request.filters,
            interval_seconds=request.time_interval_seconds,
            start_time_ms=request.start_time_ms,
            end_time_ms=request.end_time_ms,
            max_results=request.max_results,
        ),
    )
    return {"data_points": found}


def _name_of(given: str | int, names: Sequence[str]) -> str:
    return names[given] if isinstance(given, int) and 0 <= given < len(names) else str(given)
