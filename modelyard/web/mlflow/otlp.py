"""OpenTelemetry's wire of spans, OTLP over HTTP: ``POST v1/traces`` in protobuf or JSON, perhaps compressed.

MLflow's client sends its spans so, and any OpenTelemetry SDK can. The header ``x-mlflow-experiment-id`` names the
experiment; without it spans go to the project's default one. Protobuf is imported with the first span.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Response, g, request

from modelyard.core.errors import InvalidInput, TooLarge
from modelyard.core.tracking.entities import DEFAULT_EXPERIMENT_ID, as_number
from modelyard.core.tracking.trace_entities import (
    SPAN_STATUSES,
    TRACE_ID_PREFIX,
    Span,
    SpanBatch,
    SpanContent,
    SpanEvent,
    SpanLink,
)
from modelyard.core.tracking.trace_service import can_be_sent
from modelyard.web.mlflow.errors import EndpointNotFound
from modelyard.web.mlflow.router import Context

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PATH = "v1/traces"
EXPERIMENT_HEADER = "x-mlflow-experiment-id"
RUN_HEADER = "x-mlflow-run-id"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
MAX_SPANS = 20_000
MAX_INFLATION = 8
"""How many times the largest body a compressed one may become."""
LATEST_NS = 2**63 - 1
_WINDOW_BITS = {"gzip": 31, "deflate": 15}
_REQUEST_ID, _SPAN_TYPE = "mlflow.traceRequestId", "mlflow.spanType"


def export(context: Context) -> Response:
    """Take in the spans of the present request."""
    g.operation = "mlflow v1/traces"
    if not context.services.traces.are_kept(context.project):
        raise EndpointNotFound("This project tracks with a server of its own; send its traces there.")
    media_type = request.mimetype
    if media_type not in {PROTOBUF, JSON}:
        raise InvalidInput(f"Invalid Content-Type {media_type!r}.", hint=f"Send {PROTOBUF} or {JSON}.")
    most = context.services.settings.server.max_body_bytes * MAX_INFLATION
    data = inflated(request.get_data(), request.headers.get("Content-Encoding", ""), most)
    context.services.traces.log_spans(
        context.actor,
        context.project,
        request.headers.get(EXPERIMENT_HEADER) or DEFAULT_EXPERIMENT_ID,
        batches_of(_from_json(data) if media_type == JSON else _from_protobuf(data)),
        run_id=request.headers.get(RUN_HEADER),
    )
    return Response(b"{}" if media_type == JSON else b"", content_type=media_type)


def inflated(data: bytes, encoding: str, most: int) -> bytes:
    """Return the body without its compression; refuses one that would have more than `most` bytes."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return data
    if encoding not in _WINDOW_BITS:
        raise InvalidInput(f"Unsupported Content-Encoding {encoding!r}.", hint="Send gzip, deflate or none.")
    inflating = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        found = inflating.decompress(data, most + 1)
    except zlib.error as error:
        raise InvalidInput(f"The request body is no {encoding}: {error}.") from None
    if len(found) > most:
        raise TooLarge(f"The request body has more than {most} bytes.", hint="Send fewer spans in a request.")
    if not inflating.eof:
        raise InvalidInput(f"The request body is no whole {encoding}.")
    return found


def _from_protobuf(data: bytes) -> ExportTraceServiceRequest:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    message = ExportTraceServiceRequest()
    try:
        message.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The request body is no OTLP trace export: {error}.") from None
    return message


def _from_json(data: bytes) -> ExportTraceServiceRequest:
    """Read OTLP's JSON, whose ids are hex digits where protobuf's own JSON has base64."""
    from google.protobuf.json_format import ParseDict, ParseError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        values = msgspec.json.decode(data, type=dict[str, Any])
        for resource in values.get("resourceSpans", []):
            for scope in resource.get("scopeSpans", []):
                for span in scope.get("spans", []):
                    _with_base64(span, "traceId", "spanId", "parentSpanId")
                    for link in span.get("links", []):
                        _with_base64(link, "traceId", "spanId")
        message = ExportTraceServiceRequest()
        ParseDict(values, message, ignore_unknown_fields=True)
    except (msgspec.MsgspecError, ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(f"The request body is no OTLP trace export in JSON: {error}.") from None
    return message


def _with_base64(values: dict[str, Any], *names: str) -> None:
    for name in names:
        if values.get(name):
            values[name] = base64.b64encode(bytes.fromhex(values[name])).decode()


def batches_of(message: ExportTraceServiceRequest) -> list[SpanBatch]:
    """Return the spans of an export, by the program that sent them; refuses one that is no span."""
    batches = [
        SpanBatch(
            [_span(span) for scope in resource.scope_spans for span in scope.spans],
            _attributes(resource.resource.attributes),
        )
        for resource in message.resource_spans
    ]
    if sum(len(batch.spans) for batch in batches) > MAX_SPANS:
        raise TooLarge(f"A request takes at most {MAX_SPANS} spans.", hint="Send fewer spans in a request.")
    return batches


def _span(span: Any) -> Span:
    trace_id = TRACE_ID_PREFIX + _id("trace_id", span.trace_id, 16)
    attributes = {key: _unwrapped(value) for key, value in _attributes(span.attributes).items()}
    attributes[_REQUEST_ID] = trace_id
    span_type = attributes.get(_SPAN_TYPE)
    return Span(
        trace_id=trace_id,
        span_id=_id("span_id", span.span_id, 8),
        parent_span_id=_id("parent_span_id", span.parent_span_id, 8) if any(span.parent_span_id) else None,
        name=_text(span.name),
        type=span_type if isinstance(span_type, str) else None,
        status=SPAN_STATUSES[span.status.code] if 0 <= span.status.code < len(SPAN_STATUSES) else "UNSET",
        start_time_ns=_time(span.start_time_unix_nano),
        end_time_ns=_time(span.end_time_unix_nano) or None,
        content=SpanContent(
            attributes=attributes,
            events=[
                SpanEvent(_text(event.name), _time(event.time_unix_nano), _attributes(event.attributes))
                for event in span.events
            ],
            links=[
                SpanLink(
                    _id("trace_id", link.trace_id, 16), _id("span_id", link.span_id, 8), _attributes(link.attributes)
                )
                for link in span.links
            ],
            status_message=_text(span.status.message),
            kind=span.kind,
        ),
    )


def _id(what: str, value: bytes, length: int) -> str:
    if len(value) != length or not any(value):
        raise InvalidInput(f"Invalid {what} {value.hex()!r} of a span: it must have {length} bytes, not all of them 0.")
    return value.hex()


def _time(value: int) -> int:
    if value > LATEST_NS:
        raise InvalidInput(f"Invalid time {value} of a span: it must be in nanoseconds since 1970, of 63 bits.")
    return value


def _text(value: str) -> str:
    """Return the text without NUL, which PostgreSQL cannot store."""
    return value.replace("\0", "\ufffd")


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {_text(pair.key): _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    """Return a value as plain JSON: bytes in base64, what is no number by its name."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return _text(value.string_value)
    if kind in {"bool_value", "int_value"}:
        return getattr(value, kind)
    if kind == "double_value":
        return as_number(value.double_value)
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return base64.b64encode(value.bytes_value).decode() if kind == "bytes_value" else None


def _unwrapped(value: Any) -> Any:
    """Return what a text says that is JSON of a text, list or object: so older clients send such values."""
    if not isinstance(value, str) or value[:1] not in {'"', "[", "{"}:
        return value
    try:
        found = msgspec.json.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return value
    return found if can_be_sent(found) and "\\u0000" not in value else value
