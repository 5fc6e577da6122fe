"""Traces, as a collector gets them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from modelyard.core import bootstrap, db
from modelyard.core.errors import PluginUnavailable
from modelyard.web.app import create_app
from tests.factories import Factories
from tests.functional.running_server import eventually

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """Takes OTLP over HTTP, as protobuf."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.services: set[str] = set()
        taken = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                taken.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services |= {a.value.string_value for a in resource.resource.attributes if a.key == "service.name"}
            for scope in resource.scope_spans:
                self.spans += scope.spans


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    collector = Collector()
    yield collector
    collector.server.shutdown()
    collector.thread.join()
    collector.server.server_close()


def test_requests_and_plugin_calls_are_spans_of_the_callers_trace(collector: Collector, override: Any) -> None:
    services = bootstrap.build(override(telemetry={"otlp_endpoint": collector.url}), process="web")
    app = create_app(services)
    factories = Factories(services)
    headers = factories.headers(factories.user())

    def fail() -> None:
        raise PluginUnavailable("no", plugin="x", operation="y")

    @app.get("/api/v1/plugin/<name>")
    def call(name: str) -> str:
        with pytest.raises(PluginUnavailable):
            services.guard.call("carrier_pigeon", "send", fail, deadline_seconds=5)
        return name

    client = app.test_client()
    client.get("/health/live")
    client.get("/api/v1/plugin/hunter2", headers={**headers, "traceparent": f"00-{TRACE}-{CALLER}-01"})
    db.close_database()
    spans = eventually(lambda: len(collector.spans) >= 2 and collector.spans, "the spans")
    named = {span.name: span for span in spans}
    assert set(named) == {"GET /api/v1/plugin/<name>", "carrier_pigeon send"}
    request, plugin = named["GET /api/v1/plugin/<name>"], named["carrier_pigeon send"]
    assert collector.services == {"modelyard"}
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert (plugin.trace_id, plugin.parent_span_id) == (request.trace_id, request.span_id)
    assert plugin.status.code == 2
    assert request.start_time_unix_nano <= plugin.start_time_unix_nano <= plugin.end_time_unix_nano
    shown = str(spans)
    assert headers["Authorization"].removeprefix("Bearer ") not in shown


def test_spans_hold_no_secret_of_a_link(collector: Collector, override: Any) -> None:
    services = bootstrap.build(override(telemetry={"otlp_endpoint": collector.url}), process="web")
    client = create_app(services).test_client()
    paths = ["/api/v1/invitations/SECRET", "/reset-password/SECRET", "/setup/SECRET", "/auth/oidc/callback?code=SECRET"]
    for path in paths:
        client.get(path)
    client.post("/api/v1/password-resets/SECRET", json={"password": "correct horse battery"})
    db.close_database()
    eventually(lambda: len(collector.spans) >= len(paths) + 1, "the spans")
    assert "SECRET" not in str(collector.spans)
    assert any(span.name == "GET /api/v1/invitations/<token>" for span in collector.spans)
