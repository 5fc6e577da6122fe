"""What MLflow's endpoints of traces take and refuse, request by request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.web.mlflow import otlp
from tests.web.mlflow.conftest import Wire
from tests.web.mlflow.test_otlp import TRACE_ID, export, send, span

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
PLACE = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
INFO: dict[str, Any] = {"trace_id": "tr-1", "trace_location": PLACE, "request_time": "2026-01-01T00:00:00.5Z"}
DEEP: list[Any] = json.loads("[" * 60 + "]" * 60)
GOOD: dict[str, Any] = {"assessment_name": "good", "feedback": {"value": True}}


def call(wire: Wire, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
    """Send a request below ``/api/3.0/mlflow/``; return status and answer."""
    address = f"{wire.prefix}/api/3.0/mlflow/{path}"
    answer = wire.client.open(address, method=method, json=body, query_string=query, headers=wire.headers)
    return answer.status_code, answer.get_json()


def start(wire: Wire, **more: Any) -> tuple[int, Any]:
    return call(wire, "POST", "traces", {"trace": {"trace_info": {**INFO, **more}}})


def test_a_trace_is_shown_as_it_was_told(wire: Wire) -> None:
    more = {"state": 2, "execution_duration": "61.0025s", "client_request_id": "c", "request_preview": "in"}
    status, answer = start(wire, **more, tags={"k": "v"}, trace_metadata={"m": "w"}, assessments=[GOOD])
    assert status == 200
    shown = dict(answer["trace"]["trace_info"])
    (judged,) = shown.pop("assessments")
    assert shown == {
        **INFO, **more, "state": "ERROR", "request_time": "2026-01-01T00:00:00.500Z", "execution_duration": "61.002s",
        "trace_metadata": {"m": "w"},
        "tags": {"k": "v", "mlflow.artifactLocation": "mlflow-artifacts:/0/traces/tr-1/artifacts"},
    }  # fmt: skip
    assert (judged["feedback"], judged["valid"]) == ({"value": True}, True)
    assert judged["source"] == {"source_type": "SOURCE_TYPE_UNSPECIFIED"}
    assert judged["assessment_id"].startswith("a-")
    assert call(wire, "GET", "traces/tr-1")[1] == answer
    infos = call(wire, "POST", "traces/batchGetInfos", {"trace_ids": ["tr-9", "tr-1", "tr-1"]})[1]["trace_infos"]
    assert [one["trace_id"] for one in infos] == ["tr-1"]
    assert call(wire, "POST", "traces/batchGetInfos", {"trace_ids": ["tr-1"], "experiment_ids": ["7"]})[1] == {
        "trace_infos": []
    }


def test_the_first_years_have_four_digits(wire: Wire) -> None:
    assert start(wire, request_time="0001-01-01T00:00:00.5Z")[0] == 200
    shown = call(wire, "GET", "traces/tr-1")[1]["trace"]["trace_info"]
    assert shown["request_time"] == "0001-01-01T00:00:00.500Z"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"trace_id": ""}, "Missing value for required parameter 'trace.trace_info.trace_id'"),
        ({"trace_location": {"inference_table": {}}}, "Traces are kept in experiments"),
        ({"request_time": "yesterday"}, "Invalid time 'yesterday'"),
        ({"request_time": "2026-01-01T00:00:00"}, "Invalid time"),
        ({"request_time": "0001-01-01T00:00:00+14:00"}, "Invalid time '0001-01-01"),
        ({"request_time": "9999-12-31T23:59:59-01:00"}, "Invalid time '9999-12-31"),
        ({"execution_duration": "long"}, "Invalid duration 'long'"),
        ({"state": "FINE"}, "Invalid state 'FINE'"),
        ({"state": 7}, "Invalid state 7"),
        ({"tags": {"k": "a\0b"}}, "contains NUL"),
        ({"assessments": [{"assessment_name": "a"}]}, "Exactly one of 'feedback', 'expectation' or 'issue'"),
        ({"assessments": [{**GOOD, "source": {"source_type": "CAT"}}]}, "Invalid source_type 'CAT'"),
        ({"assessments": [{**GOOD, "create_time": "0001-01-01T00:00:00+14:00"}]}, "Invalid time"),
        ({"assessments": [{"assessment_name": "a", "feedback": {"value": [10**30]}}]}, "integers of at most 64 bits"),
        ({"assessments": [{"assessment_name": "a", "feedback": {"value": DEEP}}]}, "nested at most 25 deep"),
        ({"assessments": [{"assessment_name": "a", "issue": {"id": DEEP}}]}, "nested at most 25 deep"),
        (
            {"assessments": [{"assessment_name": "a", "expectation": {"serialized_value": {"value": "{"}}}]},
            "The serialized value is not valid JSON",
        ),
        (
            {"assessments": [{"assessment_name": "a", "expectation": {"serialized_value": {
                "serialization_format": "XML", "value": "1"}}}]},
            "Unknown serialization format 'XML'",
        ),
    ],
)  # fmt: skip
def test_a_bad_trace_is_refused(wire: Wire, more: dict[str, Any], message: str) -> None:
    status, answer = start(wire, **more)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert message in answer["message"]
    assert call(wire, "GET", "traces/tr-1")[0] == 404


def test_the_mask_says_what_changes(wire: Wire) -> None:
    start(wire, assessments=[{**GOOD, "assessment_id": "a-1", "rationale": "so"}])
    address = "traces/tr-1/assessments/a-1"
    body = {"assessment": {"assessment_name": "x", "rationale": "y"}, "update_mask": "assessmentName"}
    changed = call(wire, "PATCH", address, body)[1]["assessment"]
    assert (changed["assessment_name"], changed["rationale"], changed["feedback"]) == ("x", "so", {"value": True})
    for mask, value in (
        ("feedback,expectation", GOOD),
        ("feedback", {"assessment_name": "e", "expectation": {"value": 1}}),
    ):
        status, answer = call(wire, "PATCH", address, {"assessment": value, "update_mask": mask})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_whole_traces_are_answered_together(wire: Wire) -> None:
    other = "f" * 32
    send(wire, export(span(), span(traceId=other)))
    stats = '{"num_spans": 2}'
    start(wire, trace_id=f"tr-{other}", trace_metadata={"mlflow.trace.sizeStats": stats})
    ids = [f"tr-{other}", f"tr-{TRACE_ID}"]
    whole = call(wire, "GET", "traces/batchGet", trace_ids=ids)[1]["traces"]
    assert [one["trace_info"]["trace_id"] for one in whole] == [f"tr-{TRACE_ID}"]
    status, answer = call(wire, "GET", "traces/get", trace_id=f"tr-{other}")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert "not fully exported yet" in answer["message"]
    assert len(call(wire, "GET", "traces/get", trace_id=f"tr-{other}", allow_partial="True")[1]["trace"]["spans"]) == 1


def test_pages_of_a_search_have_tokens(wire: Wire) -> None:
    for number in range(3):
        start(wire, trace_id=f"tr-{number}", request_time=f"2026-01-0{number + 1}T00:00:00Z")
    body = {"locations": [PLACE], "max_results": 2}
    first = call(wire, "POST", "traces/search", body)[1]
    second = call(wire, "POST", "traces/search", {**body, "page_token": first["next_page_token"]})[1]
    found = [one["trace_id"] for one in first["traces"] + second["traces"]]
    assert (found, "next_page_token" in second) == (["tr-2", "tr-1", "tr-0"], False)
    assert call(wire, "POST", "traces/search", {**body, "max_results": 501})[0] == 400


def test_a_request_has_so_many_spans_at_most(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otlp, "MAX_SPANS", 1)
    answer = send(wire, export(span(), span(spanId="1" * 16)))
    assert (answer.status_code, answer.get_json()["error_code"]) == (413, "INVALID_PARAMETER_VALUE")
    bytes_value = {"key": "raw", "value": {"bytesValue": "AAE="}}
    nothing = {"key": "none", "value": {}}
    assert send(wire, export(span(attributes=[bytes_value, nothing]))).status_code == 200
    trace = call(wire, "GET", "traces/get", trace_id=f"tr-{TRACE_ID}")[1]["trace"]
    values = {pair["key"]: pair["value"] for pair in trace["spans"][0]["attributes"]}
    assert (values["raw"], values["none"]) == ({"string_value": "AAE="}, {})


def test_attachments_are_no_file_of_the_spans(wire: Wire) -> None:
    address = f"{wire.prefix}/ajax-api/2.0/mlflow/get-trace-artifact"
    for query in ({}, {"request_id": "tr-1", "path": "a.png"}, {"request_id": "\0"}):
        assert wire.client.get(address, query_string=query, headers=wire.headers).status_code == 400
