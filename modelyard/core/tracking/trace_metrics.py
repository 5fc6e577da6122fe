"""Numbers of traces, spans and assessments, aggregated by time and dimension in one statement.

A percentile lies between the two values nearest to its place, by how near it is to each; both databases work it out
from ranks alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.filters import TRACE_METRICS, Comparison, parse_filter
from modelyard.core.tracking.sql import Clause, execute, join
from modelyard.core.tracking.trace_entities import NAME_TAG, SESSION_KEY, Aggregation, TraceMetric, TraceMetricsQuery
from modelyard.core.tracking.trace_search import FROM, conditions_of, scope

MAX_RESULTS = 1000
MAX_AGGREGATIONS = 20
TIME_BUCKET = "time_bucket"
COUNTED = frozenset({"COUNT"})
MEASURED = frozenset({"AVG", "MIN", "MAX", "PERCENTILE"})
SUMMED = MEASURED | {"SUM"}


@dataclass(frozen=True)
class _Metric:
    """A metric's value in SQL, what may be made of it, and by what it is grouped."""

    value: str
    aggregations: frozenset[str]
    dimensions: frozenset[str] = frozenset()
    source: str = ""


@dataclass(frozen=True)
class _View:
    """Where rows come from, what is true of all, when each was, and what they are grouped by and measured as."""

    source: str
    time_ms: str
    dimensions: dict[str, str]
    metrics: dict[str, _Metric]
    condition: str = ""
    columns: dict[str, str] = field(default_factory=dict)


def _metadata(key: str) -> str:
    return f"(SELECT x.value FROM trace_metadata x WHERE x.trace_id = t.id AND x.key = '{key}')"


def _usage(key: str) -> _Metric:
    joined = f" JOIN trace_usage u ON u.trace_id = t.id AND u.key = '{key}'"
    return _Metric("u.value", SUMMED, frozenset({"trace_name"}), joined)


_TOKENS = ("input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_MODELS = frozenset({"span_model_name", "span_model_provider"})
_SPAN_KINDS = frozenset({"span_name", "span_type", "span_status"})

VIEWS = {
    "TRACES": _View(
        FROM,
        "t.start_time_ms",
        {
            "trace_name": f"(SELECT x.value FROM trace_tag x WHERE x.trace_id = t.id AND x.key = '{NAME_TAG}')",
            "trace_status": "t.state",
        },
        {
            "trace_count": _Metric("t.id", COUNTED, frozenset({"trace_name", "trace_status"})),
            "session_count": _Metric(_metadata(SESSION_KEY), COUNTED),
            "latency": _Metric("t.end_time_ms - t.start_time_ms", MEASURED, frozenset({"trace_name"})),
            **{key: _usage(key) for key in _TOKENS},
        },
    ),
    "SPANS": _View(
        f"{FROM} JOIN span s ON s.trace_id = t.id",
        "s.start_time_ns / 1000000",
        {
            "span_name": "s.name",
            "span_type": "s.type",
            "span_status": "s.status",
            "span_model_name": "s.model_name",
            "span_model_provider": "s.model_provider",
        },
        {
            "span_count": _Metric("s.id", COUNTED, _SPAN_KINDS | _MODELS),
            "latency": _Metric("(s.end_time_ns - s.start_time_ns) / 1000000", MEASURED, _SPAN_KINDS - {"span_type"}),
            **{key: _Metric(f"s.{key}", SUMMED, _MODELS) for key in ("input_cost", "output_cost", "total_cost")},
        },
        columns={"name": "s.name", "status": "s.status", "type": "s.type"},
    ),
    "ASSESSMENTS": _View(
        f"{FROM} JOIN assessment a ON a.trace_id = t.id",
        "t.start_time_ms",
        {"assessment_name": "a.name", "assessment_value": "a.value"},
        {
            "assessment_count": _Metric("a.id", COUNTED, frozenset({"assessment_name", "assessment_value"})),
            "assessment_value": _Metric("a.number", MEASURED, frozenset({"assessment_name"})),
        },
        condition="a.is_valid = 1",
        columns={"name": "a.name", "type": "a.kind"},
    ),
}


def aggregate(project_id: int, query: TraceMetricsQuery) -> list[TraceMetric]:
    """Return a group's values each, in the order of time and dimensions; groups without values are left out."""
    view, metric = _checked(query)
    names = [*([TIME_BUCKET] if query.interval_seconds else []), *query.dimensions]
    groups = [f"({view.time_ms}) / {size} * {size}" for size in _bucket_sizes(query)]
    groups += [view.dimensions[name] for name in query.dimensions]
    where = join(_conditions(project_id, query, view), " AND ")
    columns = ", ".join([*(f"{group} AS g{place}" for place, group in enumerate(groups)), f"{metric.value} AS v"])
    by = ", ".join(f"g{place}" for place in range(len(groups)))
    present = " AND ".join(f"{column} IS NOT NULL" for column in ("v", *(f"g{n}" for n in range(len(groups)))))
    made = [_aggregation(given, is_distinct=query.metric == "session_count") for given in query.aggregations]
    rows = execute(
        f"WITH found AS (SELECT {columns} {view.source}{metric.source} WHERE {where.sql}),"
        f" ranked AS (SELECT found.*{_ranks(query, by)} FROM found WHERE {present})"
        f" SELECT {by}{', ' if by else ''}{', '.join(clause.sql for clause in made)} FROM ranked"
        + (f" GROUP BY {by} ORDER BY {by}" if by else "")
        + " LIMIT ?",
        [*where.parameters, *(value for clause in made for value in clause.parameters), query.max_results],
    ).fetchall()
    found = [_point(query, names, row) for row in rows]
    return [point for point in found if point.values]


def _ranks(query: TraceMetricsQuery, by: str) -> str:
    """Number the values of each group, where a percentile asks for it: that is the dearest part."""
    if all(given.kind != "PERCENTILE" for given in query.aggregations):
        return ""
    part = f"PARTITION BY {by}" if by else ""
    return f", ROW_NUMBER() OVER ({part} ORDER BY v) - 1 AS place, COUNT(*) OVER ({part}) - 1 AS last"


def _checked(query: TraceMetricsQuery) -> tuple[_View, _Metric]:
    view = VIEWS.get(query.view)
    if view is None:
        raise _not_one_of("view_type", query.view, VIEWS)
    metric = view.metrics.get(query.metric)
    if metric is None:
        raise _not_one_of("metric_name", query.metric, view.metrics)
    for given in query.aggregations:
        if given.kind not in metric.aggregations:
            raise _not_one_of("aggregation_type", given.kind, metric.aggregations)
        if (given.kind == "PERCENTILE") != (given.percentile is not None) or not 0 <= (given.percentile or 0) <= 100:
            raise InvalidInput(f"Invalid percentile_value {given.percentile}: PERCENTILE takes one from 0 to 100.")
    for name in query.dimensions:
        if name not in metric.dimensions:
            raise _not_one_of("dimension", name, metric.dimensions)
    if not 1 <= len(query.aggregations) <= MAX_AGGREGATIONS:
        raise InvalidInput(f"A request takes 1 to {MAX_AGGREGATIONS} aggregations. Got {len(query.aggregations)}.")
    if not 1 <= query.max_results <= MAX_RESULTS:
        raise InvalidInput(f"Invalid value {query.max_results} for max_results: it must be from 1 to {MAX_RESULTS}.")
    if query.interval_seconds is not None and not 1 <= query.interval_seconds <= 2**31:
        raise InvalidInput(f"Invalid value {query.interval_seconds} for time_interval_seconds: it must be positive.")
    if query.interval_seconds and (query.start_time_ms is None or query.end_time_ms is None):
        raise InvalidInput("start_time_ms and end_time_ms are required if time_interval_seconds is set.")
    return view, metric


def _not_one_of(what: str, given: str, valid: Any) -> InvalidInput:
    return InvalidInput(f"Invalid {what} {given!r}.", hint=f"It is one of {', '.join(sorted(valid)) or 'none'}.")


def _bucket_sizes(query: TraceMetricsQuery) -> list[int]:
    return [query.interval_seconds * 1000] if query.interval_seconds else []


def _conditions(project_id: int, query: TraceMetricsQuery, view: _View) -> list[Clause]:
    conditions = [scope(project_id, query.experiment_ids), Clause(view.condition)]
    if query.start_time_ms is not None:
        conditions.append(Clause(f"{view.time_ms} >= ?", (query.start_time_ms,)))
    if query.end_time_ms is not None:
        conditions.append(Clause(f"{view.time_ms} <= ?", (query.end_time_ms,)))
    for text in query.filters:
        conditions += [_filter(found, query.view, view) for found in parse_filter(text, TRACE_METRICS)]
    return conditions


def _filter(found: Comparison, view_name: str, view: _View) -> Clause:
    """Make the condition of ``trace.tag.KEY = 'x'``, ``span.name = 'x'`` and their like."""
    if found.entity != "trace":
        column = view.columns.get(found.key) if view_name == f"{found.entity.upper()}S" else None
        if column is None:
            raise InvalidInput(f"Invalid filter on {found.entity}.{found.key} with the view {view_name}.")
        return Clause(f"{column} = ?", (found.value,))
    entity, _, key = found.key.partition(".")
    quoted = str(found.value).replace("'", "''")
    if entity == "status" and not key:
        return Clause("t.state = ?", (found.value,))
    if entity in {"tag", "metadata"} and key:
        escaped = key.replace("`", "``")
        is_run = entity == "metadata" and key == "mlflow.sourceRun"
        text = f"run_id = '{quoted}'" if is_run else f"{entity}.`{escaped}` = '{quoted}'"
        return join(conditions_of(text), " AND ")
    raise InvalidInput(f"Invalid filter on trace.{found.key}.", hint="Valid are status, tag.KEY and metadata.KEY.")


def _aggregation(given: Aggregation, *, is_distinct: bool) -> Clause:
    if given.kind == "COUNT":
        return Clause("COUNT(DISTINCT v)" if is_distinct else "COUNT(v)")
    if given.kind != "PERCENTILE":
        return Clause(f"{given.kind}(v)")
    # A row's share falls from 1 at the percentile's place to 0 at a distance of one rank.
    distance = "ABS(place - last * CAST(? AS DOUBLE PRECISION))"
    part = (given.percentile or 0) / 100
    return Clause(f"SUM(CASE WHEN {distance} < 1 THEN v * (1 - {distance}) ELSE 0 END)", (part, part))


def _point(query: TraceMetricsQuery, names: list[str], row: Any) -> TraceMetric:
    dimensions = {name: str(value) for name, value in zip(names, row, strict=False)}
    if query.interval_seconds:
        dimensions[TIME_BUCKET] = datetime.fromtimestamp(int(row[0]) / 1000, UTC).isoformat()
    values = {
        given.label: float(value)
        for given, value in zip(query.aggregations, row[len(names) :], strict=True)
        if value is not None
    }
    return TraceMetric(query.metric, dimensions, values)
