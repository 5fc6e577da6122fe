"""Spans by OTLP: as any OpenTelemetry SDK sends them, and as nobody should."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, Status, StatusCode
from werkzeug.test import TestResponse

from modelyard.core.db import database
from tests.factories import Factories
from tests.web.mlflow.conftest import Wire

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
TRACE_ID, SPAN_ID = "0123456789abcdef0123456789abcdef", "0123456789abcdef"


def span(**more: Any) -> dict[str, Any]:
    """A span in OTLP's JSON."""
    times = {"startTimeUnixNano": "1000000000", "endTimeUnixNano": "3000000000"}
    return {"traceId": TRACE_ID, "spanId": SPAN_ID, "name": "root", **times, **more}


def export(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """An export of these spans."""
    return {"resourceSpans": [{"resource": resource or {}, "scopeSpans": [{"spans": list(spans)}]}]}


def text(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {"stringValue": value}}


def send(wire: Wire, data: Any, content_type: str = "application/json", **headers: str) -> TestResponse:
    """Send an export."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    headers = {**wire.headers, "Content-Type": content_type, **headers}
    return wire.client.post(f"{wire.prefix}/v1/traces", data=body, headers=headers)


def trace(wire: Wire, trace_id: str = f"tr-{TRACE_ID}") -> dict[str, Any]:
    """The whole trace as the wire shows it."""
    address = f"{wire.prefix}/api/3.0/mlflow/traces/get"
    query = {"trace_id": trace_id, "allow_partial": "true"}
    answer = wire.client.get(address, query_string=query, headers=wire.headers)
    assert answer.status_code == 200, answer.json
    return dict(answer.get_json()["trace"])


@pytest.fixture
def provider(live: str, wire: Wire) -> Iterator[TracerProvider]:
    """An OpenTelemetry SDK that exports to the project, compressed."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "instances": [1, 2]}))
    exporter = OTLPSpanExporter(
        endpoint=f"{live}{wire.prefix}/v1/traces", headers=wire.headers, compression=Compression.Gzip
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    yield provider
    provider.shutdown()


def test_an_opentelemetry_sdk_sends_its_spans(provider: TracerProvider, wire: Wire) -> None:
    tracer = provider.get_tracer("test")
    other = SpanContext(trace_id=7, span_id=9, is_remote=True)
    named = {"user.id": "ada", "session.id": "s"}
    with (
        tracer.start_as_current_span("checkout", attributes=named) as root,
        tracer.start_as_current_span("pay", links=[Link(other, {"why": "retry"})]) as child,
    ):
        child.set_attributes({"amount": 12.5, "items": ["a", "b"], "count": 3, "nul": "a\0b", "nan": float("nan")})
        child.add_event("declined", {"code": 51})
        child.set_status(Status(StatusCode.ERROR, "no money"))
    provider.force_flush()
    found = trace(wire, f"tr-{root.get_span_context().trace_id:032x}")
    info = found["trace_info"]
    assert info["state"] == "OK"
    assert (
        info["tags"].items() >= {"service.name": "shop", "instances": "[1,2]", "mlflow.traceName": "checkout"}.items()
    )
    assert info["trace_metadata"] == {"mlflow.trace.session": "s", "mlflow.trace.user": "ada"}
    _, pay = found["spans"]
    values = {pair["key"]: pair["value"] for pair in pay["attributes"]}
    assert values["amount"] == {"double_value": 12.5}
    assert values["items"] == {"array_value": {"values": [{"string_value": "a"}, {"string_value": "b"}]}}
    assert values["count"] == {"int_value": "3"}
    assert values["nul"] == {"string_value": "a\ufffdb"}
    assert values["nan"] == {"string_value": "NaN"}
    assert pay["status"] == {"code": 2, "message": "no money"}
    assert pay["events"][0]["name"] == "declined"
    assert pay["links"][0]["attributes"] == [{"key": "why", "value": {"string_value": "retry"}}]
    assert "parent_span_id" in pay


def test_a_span_may_come_twice_and_before_and_after_its_trace(wire: Wire) -> None:
    child = span(spanId="1" * 16, parentSpanId=SPAN_ID, name="child")
    assert send(wire, export(child)).status_code == 200
    assert trace(wire)["trace_info"]["state"] == "IN_PROGRESS"
    place = {"mlflow_experiment": {"experiment_id": "0"}}
    told = {"trace_id": f"tr-{TRACE_ID}", "trace_location": place, "request_time": "1970-01-01T00:00:02.500Z"}
    told |= {"execution_duration": "0.25s", "state": "ERROR", "tags": {"mlflow.traceName": "told"}}
    started = wire.client.post(
        f"{wire.prefix}/api/3.0/mlflow/traces", json={"trace": {"trace_info": told}}, headers=wire.headers
    )
    assert started.status_code == 200, started.json
    for _ in range(2):
        root = span(attributes=[text("mlflow.spanInputs", '{"question": "why"}')])
        assert send(wire, export(root, root, child)).get_json() == {}
    found = trace(wire)
    assert [(one["name"], one.get("parent_span_id", "")) for one in found["spans"]] == [
        ("root", ""),
        ("child", "ASNFZ4mrze8="),
    ]
    info = found["trace_info"]
    assert (info["state"], info["request_time"]) == ("ERROR", "1970-01-01T00:00:02.500Z")
    assert info["execution_duration"] == "0.250s"
    assert info["tags"]["mlflow.traceName"] == "told"
    assert info["request_preview"] == '{"question":"why"}'


def test_usage_is_added_up_over_the_tree_and_batches(wire: Wire) -> None:
    def used(tokens: int) -> list[dict[str, Any]]:
        usage = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1}
        cost = {"input_cost": tokens / 4, "output_cost": 0, "total_cost": tokens / 4}
        return [text("mlflow.chat.tokenUsage", json.dumps(usage)), text("mlflow.llm.cost", json.dumps(cost))]

    agent = span(spanId="a" * 16, parentSpanId=SPAN_ID, attributes=used(10))
    below = span(spanId="b" * 16, parentSpanId="a" * 16, attributes=used(10))
    semantic = [
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "5"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "2"}},
        text("gen_ai.operation.name", "chat"),
    ]
    beside = span(spanId="c" * 16, parentSpanId=SPAN_ID, attributes=semantic)
    for batch in ([below], [beside, agent], [span()]):
        assert send(wire, export(*batch)).status_code == 200
    metadata = trace(wire)["trace_info"]["trace_metadata"]
    tokens = {"input_tokens": 15, "output_tokens": 3, "total_tokens": 18}
    assert json.loads(metadata["mlflow.trace.tokenUsage"]) == tokens
    assert json.loads(metadata["mlflow.trace.cost"]) == {"input_cost": 2.5, "output_cost": 0, "total_cost": 2.5}


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("", bytes)])
@on_sqlite
def test_protobuf_comes_packed_and_plain(wire: Wire, encoding: str, pack: Any) -> None:
    message = ExportTraceServiceRequest()
    one = message.resource_spans.add().scope_spans.add().spans.add()
    one.trace_id, one.span_id, one.name = bytes.fromhex(TRACE_ID), bytes.fromhex(SPAN_ID), "one"
    data = pack(message.SerializeToString())
    answer = send(wire, data, "application/x-protobuf", **{"Content-Encoding": encoding})
    assert (answer.status_code, answer.data, answer.content_type) == (200, b"", "application/x-protobuf")
    assert [one["name"] for one in trace(wire)["spans"]] == ["one"]


def nested_protobuf() -> bytes:
    """A span with a value that is nested deeper than protobuf reads."""
    message = ExportTraceServiceRequest()
    one = message.resource_spans.add().scope_spans.add().spans.add()
    one.trace_id, one.span_id = bytes.fromhex(TRACE_ID), bytes.fromhex(SPAN_ID)
    value = one.attributes.add().value
    for _ in range(200):
        value = value.array_value.values.add()
    return message.SerializeToString()


BOMB = gzip.compress(b"\0" * 64 * 1024 * 1024)
DEEP: Any = {"stringValue": "x"}
for _ in range(200):
    DEEP = {"arrayValue": {"values": [DEEP]}}


BAD: list[tuple[Any, dict[str, str], int, str]] = [
    (b"\xff\xff\xff", {"Content-Type": "application/x-protobuf"}, 400, "no OTLP trace export"),
    (nested_protobuf(), {"Content-Type": "application/x-protobuf"}, 400, "no OTLP trace export"),
    (b"{", {}, 400, "no OTLP trace export in JSON"),
    (b"[]", {}, 400, "no OTLP trace export in JSON"),
    (b'{"resourceSpans": [3]}', {}, 400, "no OTLP trace export in JSON"),
    (b"", {"Content-Type": "text/plain"}, 400, "Invalid Content-Type"),
    (b"xx", {"Content-Encoding": "gzip"}, 400, "is no gzip"),
    (gzip.compress(b"{}")[:-9], {"Content-Encoding": "gzip"}, 400, "is no whole gzip"),
    (b"{}", {"Content-Encoding": "br"}, 400, "Unsupported Content-Encoding 'br'"),
    (BOMB, {"Content-Encoding": "gzip"}, 413, "more than"),
    (export(span(), span(traceId="")), {}, 400, "Invalid trace_id ''"),
    (export(span(), span(traceId="0" * 32)), {}, 400, "Invalid trace_id"),
    (export(span(), span(spanId="ab")), {}, 400, "Invalid span_id 'ab'"),
    (export(span(), span(spanId="zz")), {}, 400, "no OTLP trace export in JSON"),
    (export(span(), span(startTimeUnixNano=str(2**64 - 1))), {}, 400, "Invalid time"),
    (export(span(), span(attributes=[{"key": "k", "value": DEEP}])), {}, 400, "no OTLP trace export in JSON"),
    (export(span()), {"x-mlflow-experiment-id": "77"}, 404, "No Experiment with id=77"),
    (export(span()), {"x-mlflow-experiment-id": "x"}, 400, "Invalid experiment ID"),
]


def test_a_bad_export_is_refused_and_leaves_nothing(wire: Wire) -> None:
    for data, given, status, message in BAD:
        headers = {"Content-Type": "application/json", **given}
        answer = send(wire, data, headers.pop("Content-Type"), **headers)
        assert answer.status_code == status, message
        assert message in answer.get_json()["message"]
    for table in ("trace", "span", "trace_tag"):
        assert database.execute_sql(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_text_that_is_json_is_unpacked_unless_it_is_too_deep(wire: Wire) -> None:
    deep = "[" * 60 + "]" * 60
    kept = {"number": "1", "deep": deep, "broken": "{", "huge": f"[{10**400}]", "nul": '"\\u0000"'}
    pairs = [text("list", "[1]"), text("text", '"x"'), *(text(key, value) for key, value in kept.items())]
    pairs.append(text("mlflow.chat.tokenUsage", f'{{"input_tokens": {2**70}, "output_tokens": 1}}'))
    assert send(wire, export(span(attributes=pairs))).status_code == 200
    values = {pair["key"]: pair["value"] for pair in trace(wire)["spans"][0]["attributes"]}
    assert values["list"] == {"array_value": {"values": [{"int_value": "1"}]}}
    assert values["text"] == {"string_value": "x"}
    assert {key: values[key]["string_value"] for key in kept} == kept


def test_two_projects_may_have_the_same_trace(wire: Wire, factories: Factories) -> None:
    owner = factories.user()
    project = factories.project(owner=owner)
    theirs = Wire(wire.client, project, owner, factories.headers(owner))
    assert send(wire, export(span(name="ours"))).status_code == 200
    assert send(theirs, export(span(name="theirs"))).status_code == 200
    assert [trace(one)["spans"][0]["name"] for one in (wire, theirs)] == ["ours", "theirs"]
    made = theirs.post("experiments/create", name="secret")["experiment_id"]
    assert send(wire, export(span()), **{"x-mlflow-experiment-id": made}).status_code == 404


def test_a_trace_of_ten_thousand_spans(wire: Wire) -> None:
    def batch(start: int) -> bytes:
        parents = [
            {"parentSpanId": f"{number - 1:016x}"} if number > 1 else {} for number in range(start, start + 2500)
        ]
        spans = [span(spanId=f"{start + at:016x}", name=f"s{start + at}", **more) for at, more in enumerate(parents)]
        return gzip.compress(json.dumps(export(*spans)).encode())

    for start in range(1, 10_000, 2500):
        assert send(wire, batch(start), **{"Content-Encoding": "gzip"}).status_code == 200
    assert len(trace(wire)["spans"]) == 10_000
    organization, project = wire.project.organization.slug, wire.project.slug
    address = f"/api/v1/organizations/{organization}/projects/{project}/traces/tr-{TRACE_ID}"
    shown = wire.client.get(address, headers=wire.headers).get_json()["spans"]
    assert [one["depth"] for one in shown] == list(range(10_000))


@on_sqlite
def test_the_header_of_a_run_links_traces_that_end(wire: Wire) -> None:
    run_id = wire.new_run()
    assert send(wire, export(span()), **{"x-mlflow-run-id": run_id}).status_code == 200
    body = {"locations": [{"mlflow_experiment": {"experiment_id": "0"}}], "filter": f"run_id = '{run_id}'"}
    address = f"{wire.prefix}/api/3.0/mlflow/traces/search"
    found = wire.client.post(address, json=body, headers=wire.headers).get_json()["traces"]
    assert [one["trace_id"] for one in found] == [f"tr-{TRACE_ID}"]


@on_sqlite
def test_the_file_of_a_trace_is_what_the_client_reads(wire: Wire) -> None:
    from mlflow.entities import TraceData

    send(wire, export(span(attributes=[text("mlflow.spanInputs", '{"a": 1}')])))
    query = {"request_id": f"tr-{TRACE_ID}"}
    answer = wire.client.get(
        f"{wire.prefix}/ajax-api/3.0/mlflow/get-trace-artifact", query_string=query, headers=wire.headers
    )
    assert answer.headers["Content-Disposition"].startswith("attachment")
    (read,) = TraceData.from_dict(json.loads(answer.data)).spans
    assert (read.name, read.inputs, read.start_time_ns) == ("root", {"a": 1}, 1_000_000_000)
