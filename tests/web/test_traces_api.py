"""Traces through our own API, and a project that keeps them elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.tracking.trace_entities import Span, SpanBatch, SpanContent, SpanEvent, Trace
from modelyard.core.tracking.trace_service import TracingService
from tests.web.conftest import Place
from tests.web.test_problems import problem

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def traced(services: Services, place: Place) -> list[str]:
    """Three traces of a project, the last with two spans."""
    for number in range(3):
        state = "ERROR" if number == 1 else "OK"
        given: dict[str, Any] = {"experiment_id": "0", "state": state, "start_time_ms": number * 1000}
        tags = {"mlflow.traceName": f"t{number}"}
        trace = Trace(trace_id=f"tr-{number}", end_time_ms=number * 1000 + 250, tags=tags, **given)
        services.traces.start(place.actor, place.project, trace)
    root = SpanContent(attributes={"a": {"b": [1]}}, events=[SpanEvent("seen", 2_500_000_000, {"k": 1})])
    child = SpanContent(status_message="no")
    spans = [
        Span(trace_id="tr-2", span_id="b" * 16, parent_span_id="a" * 16, name="child", status="ERROR",
             start_time_ns=2_100_000_000, content=child),
        Span(trace_id="tr-2", span_id="a" * 16, name="root", type="CHAIN", start_time_ns=2_000_000_000,
             end_time_ns=2_250_000_000, content=root),
    ]  # fmt: skip
    services.traces.log_spans(place.actor, place.project, "0", [SpanBatch(spans)])
    return [f"tr-{number}" for number in range(3)]


def test_traces_are_listed_in_pages_and_filtered(place: Place, traced: list[str]) -> None:
    first = place.call("GET", "/traces?limit=2").get_json()
    assert [item["id"] for item in first["items"]] == ["tr-2", "tr-1"]
    second = place.call("GET", f"/traces?limit=2&cursor={first['next_cursor']}").get_json()
    assert ([item["id"] for item in second["items"]], second["next_cursor"]) == (["tr-0"], None)
    query = {"filter": "status = 'ERROR'", "order_by": "timestamp_ms ASC", "experiment": "0"}
    (found,) = place.call("GET", "/traces", query_string=query).get_json()["items"]
    assert (found["name"], found["status"], found["duration_seconds"]) == ("t1", "ERROR", 0.25)
    assert found["experiment"] == {"id": "0", "name": "Default"}
    assert found["started_at"] == "1970-01-01T00:00:01.000Z"
    problem(place.call("GET", "/traces", query_string={"filter": "color = 'red'"}), 422, "invalid_input")


def test_a_trace_is_shown_with_its_tree_of_spans(place: Place, traced: list[str]) -> None:
    shown = place.call("GET", "/traces/tr-2").get_json()
    root, child = shown["spans"]
    assert (root["name"], root["depth"], root["parent_id"], root["type"]) == ("root", 0, None, "CHAIN")
    assert root["attributes"] == {"a": {"b": [1]}}
    assert root["events"] == [{"name": "seen", "at": "1970-01-01T00:00:02.500Z", "attributes": {"k": 1}}]
    assert (root["duration_seconds"], child["duration_seconds"]) == (0.25, None)
    assert (child["depth"], child["parent_id"], child["status_message"]) == (1, root["id"], "no")


def test_a_trace_is_deleted_for_good(place: Place, traced: list[str]) -> None:
    assert place.call("DELETE", "/traces/tr-1").status_code == 204
    problem(place.call("GET", "/traces/tr-1"), 404, "not_found")
    problem(place.call("DELETE", "/traces/tr-1"), 404, "not_found")
    assert [item["id"] for item in place.call("GET", "/traces").get_json()["items"]] == ["tr-2", "tr-0"]


def test_a_project_that_keeps_traces_elsewhere_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TracingService, "are_kept", lambda self, project: False)
    problem(place.call("GET", "/traces"), 409, "conflict")
    prefix = f"/mlflow/{place.project.organization.slug}/{place.project.slug}"
    for method, path in (
        ("POST", "v1/traces"),
        ("GET", "api/3.0/mlflow/traces/tr-1"),
        ("GET", "api/3.0/mlflow/traces/tr-1/assessments/a-1"),
        ("PATCH", "api/2.0/mlflow/traces/tr-1/tags?key=k"),
    ):
        answer = place.client.open(f"{prefix}/{path}", method=method, headers=place.headers)
        assert (answer.status_code, answer.get_json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND"), path
