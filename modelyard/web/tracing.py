"""Traces of requests, for an OpenTelemetry collector; without `telemetry.otlp_endpoint` nothing of it is loaded.

A request is one span, named by its route and part of the caller's trace where `traceparent` says so; each call of a
plugin is a span below it. Spans are sent in the background, and dropped while the collector does not answer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from modelyard import __version__
from modelyard.core.errors import ConfigurationError

if TYPE_CHECKING:
    from modelyard.core.plugin_guard import Guard
    from modelyard.core.plugin_statistics import CallRecord

SEND_TIMEOUT_SECONDS = 5
SPARED = "health/,metrics,assets/"


def _name_no_secret(span: Any, status: str, headers: Any) -> None:
    """Let a span tell the route instead of the address: some have secrets in their paths and queries."""
    if span is None:
        return
    told = request.url_rule.rule if request.url_rule is not None else ""
    span.update_name(f"{request.method} {told or 'page'}")
    for name in ("http.target", "http.url", "url.path", "url.query", "url.full"):
        if name in (span.attributes or {}):
            span.set_attribute(name, "" if name == "url.query" else told)


def register(app: Flask, guard: Guard, endpoint: str) -> None:
    """Trace the application's requests and the calls of plugins; raises `ConfigurationError` without the library."""
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.flask import FlaskInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(
            "telemetry.otlp_endpoint is set, but the library for it is not installed.",
            hint="pip install 'modelyard[otel]'",
        ) from None
    resource = Resource.create({"service.name": "modelyard", "service.version": __version__})
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=SEND_TIMEOUT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    instrumentor = FlaskInstrumentor()
    instrumentor.instrument_app(  # type: ignore[no-untyped-call]
        app, tracer_provider=provider, excluded_urls=SPARED, response_hook=_name_no_secret
    )
    tracer = provider.get_tracer("modelyard.plugins", __version__)

    def trace_call(record: CallRecord) -> None:
        ended = time.time_ns()
        span = tracer.start_span(
            f"{record.plugin} {record.operation}",
            start_time=ended - int(record.duration_seconds * 1e9),
            attributes={"modelyard.plugin": record.plugin, "modelyard.outcome": record.outcome},
        )
        if record.is_failure:
            from opentelemetry.trace import Status, StatusCode

            span.set_status(Status(StatusCode.ERROR, record.outcome))
        span.end(ended)

    guard.observers.append(trace_call)
