"""What the services of traces take and return: plain values.

A span's ids are the hex digits of OpenTelemetry's; a trace's id is ``tr-`` and the 32 of OpenTelemetry's, or what its
client made up. Times of spans are integer nanoseconds since 1970, those of traces milliseconds.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

TRACE_STATES = ("STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS")
SPAN_STATUSES = ("UNSET", "OK", "ERROR")
ASSESSMENT_KINDS = ("feedback", "expectation", "issue")
SOURCE_TYPES = ("SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE")

TRACE_ID_PREFIX = "tr-"

NAME_TAG = "mlflow.traceName"
ARTIFACT_LOCATION_TAG = "mlflow.artifactLocation"
SPANS_LOCATION_TAG = "mlflow.trace.spansLocation"
KEPT_HERE = "TRACKING_STORE"
"""The value of `SPANS_LOCATION_TAG` of traces whose spans are in the database, not a file of the client's."""
SESSION_KEY = "mlflow.trace.session"
USER_KEY = "mlflow.trace.user"
RUN_KEY = "mlflow.sourceRun"
TOKENS_KEY = "mlflow.trace.tokenUsage"
COST_KEY = "mlflow.trace.cost"
SIZE_KEY = "mlflow.trace.sizeStats"


class SpanEvent(Struct, omit_defaults=True):
    """Something that happened at one moment of a span."""

    name: str
    time_ns: int
    attributes: dict[str, Any] = {}


class SpanLink(Struct, omit_defaults=True):
    """A reference to another span, of this trace or another."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any] = {}


class SpanContent(Struct, omit_defaults=True):
    """What a span says beside its columns."""

    attributes: dict[str, Any] = {}
    events: list[SpanEvent] = []
    links: list[SpanLink] = []
    status_message: str = ""
    kind: int = 0


class Span(Struct, kw_only=True):
    """One step of a trace; `status` is one of `SPAN_STATUSES`, `content.kind` a number of OpenTelemetry's."""

    trace_id: str
    span_id: str
    name: str
    start_time_ns: int
    content: SpanContent
    parent_span_id: str | None = None
    end_time_ns: int | None = None
    status: str = "UNSET"
    type: str | None = None


class SpanBatch(Struct):
    """Spans that one program sent together, with what is known of the program."""

    spans: list[Span]
    resource: dict[str, Any] = {}


class AssessmentError(Struct, omit_defaults=True):
    """Why an assessment has no value."""

    error_code: str
    error_message: str | None = None
    stack_trace: str | None = None


class Assessment(Struct, kw_only=True):
    """A judgement; `value` is plain JSON, `kind` one of `ASSESSMENT_KINDS`, `source_type` one of `SOURCE_TYPES`."""

    assessment_id: str
    trace_id: str
    name: str
    kind: str
    value: Any
    source_type: str
    created_at_ms: int
    updated_at_ms: int
    source_id: str | None = None
    error: AssessmentError | None = None
    span_id: str | None = None
    rationale: str | None = None
    metadata: dict[str, str] = {}
    overrides: str | None = None
    is_valid: bool = True


class AssessmentChange(Struct, kw_only=True):
    """What of an assessment is to be changed; None leaves it. `kind` says what `value` is for."""

    kind: str | None = None
    value: Any = None
    error: AssessmentError | None = None
    name: str | None = None
    rationale: str | None = None
    metadata: dict[str, str] | None = None


class Trace(Struct, kw_only=True):
    """A trace without its spans; `state` is one of `TRACE_STATES`."""

    trace_id: str
    experiment_id: str
    state: str
    start_time_ms: int
    end_time_ms: int | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[Assessment] = []


class TraceCorrelation(Struct):
    """How two conditions on traces go together: normalized pointwise mutual information, from -1 to 1."""

    npmi: float
    npmi_smoothed: float
    filter1_count: int
    filter2_count: int
    joint_count: int
    total_count: int


class Aggregation(Struct):
    """How values become one: COUNT, SUM, AVG, MIN, MAX, or PERCENTILE with which."""

    kind: str
    percentile: float | None = None

    @property
    def label(self) -> str:
        """The name of its values in answers."""
        return f"P{self.percentile}" if self.kind == "PERCENTILE" else self.kind


class TraceMetricsQuery(Struct, kw_only=True):
    """Which numbers of traces, spans or assessments (`view`) are aggregated, and how they are grouped."""

    experiment_ids: list[str]
    view: str
    metric: str
    aggregations: list[Aggregation]
    dimensions: list[str] = []
    filters: list[str] = []
    interval_seconds: int | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    max_results: int = 1000


class TraceMetric(Struct):
    """Aggregated values of one group."""

    metric_name: str
    dimensions: dict[str, str]
    values: dict[str, float]
