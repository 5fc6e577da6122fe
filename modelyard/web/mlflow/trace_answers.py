"""Traces, spans and assessments as MLflow's answers have them: protobuf's JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from modelyard.core.tracking.trace_entities import SPAN_STATUSES, TRACE_ID_PREFIX, Assessment, Span, Trace
from modelyard.web.mlflow.trace_values import EPOCH, JSON_FORMAT


def as_moment(time_ms: int) -> str:
    """Write a time as protobuf's JSON does."""
    moment = EPOCH + timedelta(milliseconds=time_ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


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
