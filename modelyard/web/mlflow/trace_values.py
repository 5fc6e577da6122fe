"""Traces, spans and assessments as MLflow's requests and answers have them: protobuf's JSON."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from modelyard.core.errors import InvalidInput
from modelyard.core.tracking.trace_entities import (
    SOURCE_TYPES,
    SPAN_STATUSES,
    TRACE_ID_PREFIX,
    TRACE_STATES,
    Assessment,
    AssessmentError,
    Span,
    Trace,
)
from modelyard.web.mlflow.decoding import Request, Required

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JSON_FORMAT = "JSON_FORMAT"
_DURATION = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s")


class ExperimentValue(Request):
    """An experiment as the place of traces."""

    experiment_id: Required


class LocationValue(Request):
    """The place of traces."""

    mlflow_experiment: ExperimentValue | None = None


class SourceValue(Request):
    """Who made an assessment."""

    source_type: str | int = SOURCE_TYPES[0]
    source_id: str | None = None


class ErrorValue(Request):
    """Why an assessment has no value."""

    error_code: str = ""
    error_message: str | None = None
    stack_trace: str | None = None

    def entity(self) -> AssessmentError:
        """Return it for the service."""
        return AssessmentError(self.error_code, self.error_message, self.stack_trace)


class SerializedValue(Request, kw_only=True):
    """A value as JSON in a text."""

    serialization_format: str = JSON_FORMAT
    value: str


class JudgedValue(Request):
    """The value of a feedback or an expectation."""

    value: Any = None
    serialized_value: SerializedValue | None = None
    error: ErrorValue | None = None

    def plain(self) -> Any:
        """Return the value itself."""
        if self.serialized_value is None:
            return self.value
        if self.serialized_value.serialization_format != JSON_FORMAT:
            raise InvalidInput(f"Unknown serialization format {self.serialized_value.serialization_format!r}.")
        try:
            return msgspec.json.decode(self.serialized_value.value)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidInput(f"The serialized value is not valid JSON: {error}.") from None


class AssessmentValue(Request):
    """An assessment in a request."""

    assessment_id: str = ""
    assessment_name: str = ""
    trace_id: str = ""
    span_id: str | None = None
    source: SourceValue | None = None
    create_time: str | None = None
    last_update_time: str | None = None
    feedback: JudgedValue | None = None
    expectation: JudgedValue | None = None
    issue: dict[str, Any] | None = None
    rationale: str | None = None
    metadata: dict[str, str] = {}
    overrides: str | None = None
    valid: bool = True

    def judged(self) -> tuple[str, Any, AssessmentError | None] | None:
        """Return kind, value and error, where there are any."""
        if self.feedback is not None:
            error = self.feedback.error
            return "feedback", self.feedback.plain(), None if error is None else error.entity()
        if self.expectation is not None:
            return "expectation", self.expectation.plain(), None
        return None if self.issue is None else ("issue", self.issue, None)

    def entity(self, trace_id: str, now_ms: int) -> Assessment:
        """Return it for the service, as one of that trace."""
        judged = self.judged()
        if judged is None:
            raise InvalidInput("Exactly one of 'feedback', 'expectation' or 'issue' must be given.")
        source = self.source or SourceValue()
        created = now_ms if self.create_time is None else moment_ms(self.create_time)
        return Assessment(
            assessment_id=self.assessment_id,
            trace_id=trace_id,
            name=self.assessment_name,
            kind=judged[0],
            value=judged[1],
            error=judged[2],
            source_type=_named(source.source_type, SOURCE_TYPES, "source_type"),
            source_id=source.source_id,
            span_id=self.span_id or None,
            rationale=self.rationale,
            metadata=self.metadata,
            overrides=self.overrides or None,
            created_at_ms=created,
            updated_at_ms=created if self.last_update_time is None else moment_ms(self.last_update_time),
        )


class TraceInfoValue(Request, kw_only=True):
    """A trace in a request."""

    trace_id: Required
    trace_location: LocationValue = msgspec.field(default_factory=LocationValue)
    request_time: str
    client_request_id: str | None = None
    execution_duration: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    state: str | int = TRACE_STATES[0]
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: list[AssessmentValue] = []

    def entity(self, now_ms: int) -> Trace:
        """Return it for the service."""
        started, duration = moment_ms(self.request_time), self.execution_duration
        return Trace(
            trace_id=self.trace_id,
            experiment_id=experiment_of(self.trace_location),
            state=_named(self.state, TRACE_STATES, "state"),
            start_time_ms=started,
            end_time_ms=None if duration is None else started + duration_ms(duration),
            client_request_id=self.client_request_id,
            request_preview=self.request_preview,
            response_preview=self.response_preview,
            metadata=self.trace_metadata,
            tags=self.tags,
            assessments=[given.entity(self.trace_id, now_ms) for given in self.assessments],
        )


def experiment_of(location: LocationValue) -> str:
    """Return the id of the experiment that is the place, or refuse another kind of place."""
    if location.mlflow_experiment is None:
        raise InvalidInput("Traces are kept in experiments: give trace_location.mlflow_experiment.")
    return location.mlflow_experiment.experiment_id


def _named(given: str | int, names: Sequence[str], what: str) -> str:
    """Return the name of an enumerated value, given by that or by its number in protobuf."""
    if isinstance(given, int) and 0 <= given < len(names):
        return names[given]
    if given in names:
        return str(given)
    raise InvalidInput(f"Invalid {what} {given!r}.", hint=f"It is one of {', '.join(names)}.")


def moment_ms(text: str) -> int:
    """Return a time of RFC 3339 in milliseconds since 1970."""
    try:
        found = datetime.fromisoformat(text)
        return (found - EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError, OverflowError):
        raise InvalidInput(f"Invalid time {text!r}.", hint="Write it as 2026-01-31T12:00:00.5Z.") from None


def duration_ms(text: str) -> int:
    """Return a duration such as ``1.5s`` in milliseconds."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InvalidInput(f"Invalid duration {text!r}.", hint="Write it as 1.5s.")
    return int(found[1]) * 1000 + int((found[2] or "0").ljust(9, "0")) // 1_000_000


def as_moment(time_ms: int) -> str:
    """Write a time as protobuf's JSON does."""
    return (EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"


def show_trace(trace: Trace) -> dict[str, Any]:
    """Describe a trace without its spans."""
    shown: dict[str, Any] = {
        "trace_id": trace.trace_id,
        "trace_location": {
            "type": "MLFLOW_EXPERIMENT",
            "mlflow_experiment": {"experiment_id": trace.experiment_id},
        },
        "request_time": as_moment(trace.start_time_ms),
        "state": trace.state,
        "trace_metadata": trace.metadata,
        "tags": trace.tags,
        "assessments": [show_assessment(assessment) for assessment in trace.assessments],
    }
    if trace.end_time_ms is not None:
        duration = max(trace.end_time_ms - trace.start_time_ms, 0)
        shown["execution_duration"] = f"{duration // 1000}.{duration % 1000:03d}s"
    for name in ("client_request_id", "request_preview", "response_preview"):
        if getattr(trace, name) is not None:
            shown[name] = getattr(trace, name)
    return shown


def show_assessment(given: Assessment) -> dict[str, Any]:
    """Describe an assessment."""
    shown: dict[str, Any] = {
        "assessment_id": given.assessment_id,
        "assessment_name": given.name,
        "trace_id": given.trace_id,
        "source": _present(source_type=given.source_type, source_id=given.source_id),
        "create_time": as_moment(given.created_at_ms),
        "last_update_time": as_moment(given.updated_at_ms),
        "valid": given.is_valid,
        given.kind: _judged(given),
    }
    more = _present(span_id=given.span_id, rationale=given.rationale, overrides=given.overrides)
    return {**shown, **more, **({"metadata": given.metadata} if given.metadata else {})}


def _judged(given: Assessment) -> Any:
    if given.kind == "issue":
        return given.value
    if given.kind == "expectation" and isinstance(given.value, list | dict):
        text = msgspec.json.encode(given.value).decode()
        return {"serialized_value": {"serialization_format": JSON_FORMAT, "value": text}}
    return {"value": given.value, **({} if given.error is None else {"error": given.error})}


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def show_span(span: Span) -> dict[str, Any]:
    """Describe a span as OpenTelemetry's protobuf does."""
    content = span.content
    shown: dict[str, Any] = {
        "trace_id": _bytes(span.trace_id.removeprefix(TRACE_ID_PREFIX)),
        "span_id": _bytes(span.span_id),
        "name": span.name,
        "kind": content.kind,
        "start_time_unix_nano": str(span.start_time_ns),
        "attributes": _pairs(content.attributes),
        "events": [
            {"name": event.name, "time_unix_nano": str(event.time_ns), "attributes": _pairs(event.attributes)}
            for event in content.events
        ],
        "links": [
            {"trace_id": _bytes(link.trace_id), "span_id": _bytes(link.span_id), "attributes": _pairs(link.attributes)}
            for link in content.links
        ],
        "status": {"code": SPAN_STATUSES.index(span.status), "message": content.status_message},
    }
    if span.parent_span_id:
        shown["parent_span_id"] = _bytes(span.parent_span_id)
    if span.end_time_ns is not None:
        shown["end_time_unix_nano"] = str(span.end_time_ns)
    return shown


def _bytes(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()


def _pairs(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any_value(value)} for key, value in attributes.items()]


def _any_value(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": str(value)}
    if isinstance(value, float):
        return {"double_value": value}
    if isinstance(value, str):
        return {"string_value": value}
    if isinstance(value, list):
        return {"array_value": {"values": [_any_value(item) for item in value]}}
    return {"kvlist_value": {"values": _pairs(value)}}


def span_for_file(span: Span) -> dict[str, Any]:
    """Describe a span as the files of traces do, in which each attribute is JSON in a text."""
    shown = show_span(span)
    code = {"OK": "STATUS_CODE_OK", "ERROR": "STATUS_CODE_ERROR"}.get(span.status, "STATUS_CODE_UNSET")
    return {
        **{key: shown[key] for key in ("trace_id", "span_id", "name")},
        "parent_span_id": shown.get("parent_span_id"),
        "start_time_unix_nano": span.start_time_ns,
        "end_time_unix_nano": span.end_time_ns,
        "attributes": {key: msgspec.json.encode(value).decode() for key, value in span.content.attributes.items()},
        "events": [
            {"name": event.name, "time_unix_nano": event.time_ns, "attributes": event.attributes}
            for event in span.content.events
        ],
        "links": [
            {"trace_id": f"{TRACE_ID_PREFIX}{link.trace_id}", "span_id": link.span_id, "attributes": link.attributes}
            for link in span.content.links
        ],
        "status": {"code": code, "message": span.content.status_message},
    }
