"""Numbers and texts as clients of all languages write them, and what they must never do: tables of cases.

Each case goes through the wire into the database and out again, on SQLite and on PostgreSQL alike.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.core.db import database
from modelyard.core.registry.models import ModelVersion
from tests.web.mlflow.conftest import Wire

REFUSED = object()
INVALID = (400, "INVALID_PARAMETER_VALUE")
TWENTY_DIGITS = "18446744073709551616"

INT64: list[tuple[str, Any]] = [
    ("12", 12),
    ("12.0", 12),
    ('"12"', 12),
    ("1.2e1", 12),
    ("-0", 0),
    ('"-12"', -12),
    ("9223372036854775807", 2**63 - 1),
    ('"9223372036854775807"', 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("null", 0),
    ("9223372036854775808", REFUSED),
    ('"9223372036854775808"', REFUSED),
    ("9.3e18", REFUSED),
    (TWENTY_DIGITS, REFUSED),
    (f'"{TWENTY_DIGITS}"', REFUSED),
    (f"-{TWENTY_DIGITS}", REFUSED),
    ("1" * 5000, REFUSED),
    ("12.5", REFUSED),
    ('"12.0"', 12),
    ('"1e3"', 1000),
    ('"1.5e0"', REFUSED),
    ('" 12"', REFUSED),
    ('"0x1"', REFUSED),
    ('""', REFUSED),
    ('"NaN"', REFUSED),
    ("1e400", REFUSED),
    ("true", REFUSED),
    ("[12]", REFUSED),
    ("{}", REFUSED),
]
DOUBLES: list[tuple[str, Any]] = [
    ("1", 1.0),
    ("1.5", 1.5),
    ('"1.5"', 1.5),
    ("-0.0", 0.0),
    ("5e-324", 5e-324),
    ("1.7976931348623157e308", 1.7976931348623157e308),
    ("9007199254740993", 9007199254740992.0),
    (TWENTY_DIGITS, float(TWENTY_DIGITS)),
    ('"NaN"', "NaN"),
    ('"Infinity"', "Infinity"),
    ('"-Infinity"', "-Infinity"),
    ("null", REFUSED),
    ("NaN", REFUSED),
    ("Infinity", REFUSED),
    ("-Infinity", REFUSED),
    ("1e400", REFUSED),
    ('"abc"', REFUSED),
    ('"1,5"', REFUSED),
    ('""', REFUSED),
    ("true", REFUSED),
    ("[1]", REFUSED),
]
TEXTS: list[tuple[str, Any]] = [
    ('"plain"', "plain"),
    ('""', ""),
    ("null", ""),
    ('" spaces "', " spaces "),
    ('"ünï \\u6f22 \\ud83e\\udd8a 🦊"', "ünï 漢 🦊 🦊"),
    ('"line\\nbreak\\ttab"', "line\nbreak\ttab"),
    ('"\\\\u0000"', "\\u0000"),
    ('"it\'s \\"50%\\" `_`"', 'it\'s "50%" `_`'),
    ('"NaN"', "NaN"),
    ('"a\\u0000b"', REFUSED),
    ('"\\u0000"', REFUSED),
    ('"\\ud800"', REFUSED),
    ('"x\\udc00y"', REFUSED),
    ('"\\udd8a\\ud83e"', REFUSED),
    ("5", REFUSED),
    ("NaN", REFUSED),
    ("true", REFUSED),
    ("[]", REFUSED),
    ("{}", REFUSED),
    ('"open', REFUSED),
]


def send(wire: Wire, path: str, fields: str) -> tuple[int, str]:
    """Post a body of which `fields` is a part as it stands; return status and error code."""
    answer = wire.call("POST", path, f"{{{fields}}}".encode("utf-8", "surrogatepass"))
    return answer.status_code, answer.get_json().get("error_code", "")


def checked(wire: Wire, path: str, fields: str, wanted: Any) -> bool:
    """Send a case, check that it is taken or refused as the table says, and say which."""
    seen = send(wire, path, fields)
    assert seen == (INVALID if wanted is REFUSED else (200, "")), fields
    return wanted is not REFUSED


def test_whole_numbers(wire: Wire) -> None:
    run_id = wire.new_run()
    for index, (given, wanted) in enumerate(INT64):
        key = f"m{index}"
        if checked(
            wire, "runs/log-metric", f'"run_id":"{run_id}","key":"{key}","value":1,"timestamp":1,"step":{given}', wanted
        ):
            assert wire.get("metrics/get-history", run_id=run_id, metric_key=key)["metrics"][0]["step"] == wanted
        batch = f'"run_id":"{run_id}","metrics":[{{"key":"b{index}","value":1,"timestamp":1,"step":{given}}}]'
        checked(wire, "runs/log-batch", batch, wanted)
        if given == "null":
            continue
        fields = f'"experiment_id":"0","start_time":{given},"run_name":"r{index}"'
        if checked(wire, "runs/create", fields, wanted):
            found = wire.post("runs/search", experiment_ids=["0"], filter=f"run_name = 'r{index}'")
            assert found["runs"][0]["info"]["start_time"] == wanted
    points = wire.get("runs/get", run_id=run_id)["run"]["data"]["metrics"]
    assert len(points) == 2 * sum(wanted is not REFUSED for _, wanted in INT64)


def test_numbers(wire: Wire) -> None:
    run_id = wire.new_run()
    for index, (given, wanted) in enumerate(DOUBLES):
        if checked(
            wire, "runs/log-metric", f'"run_id":"{run_id}","key":"m{index}","value":{given},"timestamp":1', wanted
        ):
            (point,) = wire.get("metrics/get-history", run_id=run_id, metric_key=f"m{index}")["metrics"]
            assert point["value"] == wanted, given
        batch = f'"run_id":"{run_id}","metrics":[{{"key":"b{index}","value":{given},"timestamp":1}}]'
        checked(wire, "runs/log-batch", batch, wanted)
    shown = {one["key"]: one["value"] for one in wire.get("runs/get", run_id=run_id)["run"]["data"]["metrics"]}
    taken = {
        f"{kind}{index}": wanted for index, (_, wanted) in enumerate(DOUBLES) if wanted is not REFUSED for kind in "mb"
    }
    assert shown == taken


def test_texts(wire: Wire) -> None:
    run_id = wire.new_run()
    wire.post("registered-models/create", name="risk")
    for index, (given, wanted) in enumerate(TEXTS):
        key = f"k{index}"
        for path in ("runs/log-parameter", "runs/set-tag"):
            checked(wire, path, f'"run_id":"{run_id}","key":"{key}","value":{given}', wanted)
        checked(wire, "registered-models/set-tag", f'"name":"risk","key":"{key}","value":{given}', wanted)
        checked(wire, "experiments/set-experiment-tag", f'"experiment_id":"0","key":"{key}","value":{given}', wanted)
        nested = f'"experiment_id":"0","name":"m{index}","params":[{{"key":"p","value":{given}}}]'
        checked(wire, "logged-models", nested, wanted)
    data = wire.get("runs/get", run_id=run_id)["run"]["data"]
    taken = {f"k{index}": wanted for index, (_, wanted) in enumerate(TEXTS) if wanted is not REFUSED}
    assert {one["key"]: one["value"] for one in data["params"]} == taken
    assert {one["key"]: one["value"] for one in data["tags"] if one["key"] in taken} == taken
    model = wire.get("registered-models/get", name="risk")["registered_model"]
    assert {one["key"]: one["value"] for one in model["tags"]} == taken
    experiment = wire.get("experiments/get", experiment_id="0")["experiment"]
    assert {one["key"]: one["value"] for one in experiment["tags"]} == taken
    for value in ("a\0b", "%00"):
        for path, query in (
            ("experiments/get-by-name", {"experiment_name": value}),
            ("experiments/search", {"filter": f"name = '{value}'"}),
        ):
            status = wire.call("GET", path, **query).status_code
            assert status == (400 if "\0" in value else 404 if path.endswith("by-name") else 200)


def test_what_is_null_or_unknown_is_as_if_it_were_not_there(wire: Wire) -> None:
    run_id = wire.new_run()
    unknown = {"unknown": {"deep": [1, None, "x"]}, "step": None, "model_id": None}
    wire.post("runs/log-metric", run_id=run_id, key="m", value=1, timestamp=2, **unknown)
    metrics = [{"key": "b", "value": 2, "timestamp": 3, **unknown}]
    wire.post("runs/log-batch", run_id=run_id, metrics=metrics, params=None, tags=None, more=[{}])
    tags = [{"key": "t", "value": None, "unknown": 1}]
    wire.post("runs/update", run_id=run_id, run_uuid=None, status=None, end_time=None, run_name=None, unknown=1)
    made = wire.post("experiments/create", name="e", artifact_location=None, tags=tags, unknown=None)
    data = wire.get("runs/get", run_id=run_id)["run"]["data"]
    assert [(one["key"], one["step"]) for one in data["metrics"]] == [("b", 0), ("m", 0)]
    experiment = wire.get("experiments/get", experiment_id=made["experiment_id"], unknown="x")["experiment"]
    assert experiment["tags"] == [{"key": "t", "value": ""}]
    found = wire.post(
        "runs/search", experiment_ids=["0"], filter=None, order_by=None, page_token=None, max_results=None
    )
    assert len(found["runs"]) == 1


FILTERS: list[tuple[str, list[str]]] = [
    ("metrics.m > 0", ["one", "up"]),
    ("metrics.m < 0", ["down"]),
    ("metrics.m != 1", ["down", "nan", "up"]),
    ("metrics.m = 1", ["one"]),
    ("metrics.m >= -1e308", ["one", "up"]),
    ("metrics.m <= 1e308", ["down", "one"]),
    ("params.p LIKE 'A%'", ["down", "one"]),
    ("params.p LIKE 'a%'", ["nan"]),
    ("params.p ILIKE 'a%'", ["down", "nan", "one"]),
    ("params.p LIKE 'Ä%'", ["up"]),
    ("params.p LIKE 'ä%'", []),
    ("params.p LIKE '_b_'", ["down", "nan", "up"]),
    ("params.p LIKE '_bc'", ["nan", "up"]),
    ("params.p = 'ABC'", ["one"]),
    ("params.p = 'abc'", ["nan"]),
    ("params.p IN ('ABC', 'x')", REFUSED),  # type: ignore[list-item]
    ("metrics.m = 'NaN'", REFUSED),  # type: ignore[list-item]
    ("metrics.m > NaN", REFUSED),  # type: ignore[list-item]
    ("metrics.m > Infinity", REFUSED),  # type: ignore[list-item]
    ("run_name LIKE 'ONE'", []),
    ("run_name ILIKE 'ONE'", ["one"]),
    ("metrics.M = 1", []),
    ("METRICS.m = 1", REFUSED),  # type: ignore[list-item]
]
ORDERS: list[tuple[str, list[str]]] = [
    ("metrics.m ASC", ["down", "one", "up", "nan", "none"]),
    ("metrics.m DESC", ["up", "one", "down", "nan", "none"]),
    ("params.p ASC", ["one", "down", "nan", "up", "none"]),
    ("params.p DESC", ["up", "nan", "down", "one", "none"]),
    ("run_name ASC", ["down", "nan", "none", "one", "up"]),
]


def test_filters_and_orders(wire: Wire) -> None:
    runs = {
        "one": (1, "ABC"),
        "nan": ("NaN", "abc"),
        "up": ("Infinity", "Äbc"),
        "down": ("-Infinity", "Abd"),
        "none": (None, None),
    }
    for number, (name, (value, text)) in enumerate(runs.items()):
        run_id = wire.new_run(run_name=name, start_time=number)
        metrics = [] if value is None else [{"key": "m", "value": value, "timestamp": 1}]
        params = [] if text is None else [{"key": "p", "value": text}]
        wire.post("runs/log-batch", run_id=run_id, metrics=metrics, params=params)
    for text, wanted in FILTERS:
        if wanted is REFUSED:
            assert wire.refusal("POST", "runs/search", {"experiment_ids": ["0"], "filter": text})[:2] == INVALID, text
            continue
        found = wire.post("runs/search", experiment_ids=["0"], filter=text)["runs"]
        assert sorted(run["info"]["run_name"] for run in found) == wanted, text
    for order, wanted in ORDERS:
        for most in (5, 1, 2):
            names, token = [], ""
            while True:
                page = wire.post(
                    "runs/search", experiment_ids=["0"], order_by=[order], max_results=most, page_token=token
                )
                names += [run["info"]["run_name"] for run in page["runs"]]
                token = page.get("next_page_token", "")
                if not token:
                    break
            assert names == wanted, (order, most)


def test_a_stage_that_mlflow_does_not_know(wire: Wire) -> None:
    wire.post("registered-models/create", name="risk")
    wire.post("model-versions/create", name="risk", source="mlflow-artifacts:/m")
    database.execute_sql("UPDATE model_version SET stage = 'Candidate'")
    version = wire.get("model-versions/get", name="risk", version="1")["model_version"]
    assert version["current_stage"] == "Candidate"
    latest = wire.get("registered-models/get", name="risk")["registered_model"]["latest_versions"]
    assert [one["current_stage"] for one in latest] == ["Candidate"]
    for stage in ("Live", "", "Prod uction", "\0"):
        body = {"name": "risk", "version": "1", "stage": stage, "archive_existing_versions": True}
        assert wire.refusal("POST", "model-versions/transition-stage", body)[:2] == INVALID
    assert ModelVersion.get().stage == "Candidate"


TABLES = (
    "experiment", "run", "run_param", "run_tag", "metric_series", "metric_point", "dataset", "run_input",
    "logged_model", "event",
)  # fmt: skip
NO_RUN = "0" * 32
MISSING = (404, "RESOURCE_DOES_NOT_EXIST")
METRIC: dict[str, Any] = {"key": "new", "value": 1, "timestamp": 1}
OTHER_PARAM, TWICE = [{"key": "p", "value": "other"}], [{"key": "n", "value": "1"}, {"key": "n", "value": "2"}]
NO_DIGEST = {"name": "d", "digest": "x" * 37, "source_type": "", "source": ""}


def many(count: int) -> list[dict[str, str]]:
    return [{"key": f"k{number}", "value": ""} for number in range(count)]


def searched(text: str) -> dict[str, Any]:
    return {"experiment_ids": ["0"], "filter": text}


LOGGED: list[tuple[str, Any, tuple[int, str], str]] = [
    ("log-metric", {"run_id": NO_RUN, **METRIC}, MISSING, NO_RUN),
    ("log-metric", {"run_id": "{gone}", **METRIC}, INVALID, "'active'"),
    ("log-parameter", {"run_id": "{gone}", "key": "n", "value": "v"}, INVALID, "'active'"),
    ("set-tag", {"run_id": "{gone}", "key": "n", "value": "v"}, INVALID, "'active'"),
    ("log-batch", {"run_id": "{gone}", "metrics": [METRIC]}, INVALID, "'active'"),
    ("log-metric", {**METRIC, "key": "k" * 251}, INVALID, "250"),
    ("log-parameter", {"key": "k" * 251, "value": "v"}, INVALID, "250"),
    ("set-tag", {"key": "k" * 251, "value": "v"}, INVALID, "250"),
    ("log-metric", {**METRIC, "key": "../up"}, INVALID, "../up"),
    ("log-metric", {**METRIC, "value": "much"}, INVALID, "'value'"),
    ("log-metric", {"run_id": ["{run}"], **METRIC}, INVALID, "'run_id'"),
    ("log-metric", b"", INVALID, "'key'"),
    ("log-parameter", {"key": "p", "value": "other"}, INVALID, "'p'"),
    ("log-batch", {"metrics": METRIC}, INVALID, "'metrics'"),
    ("log-batch", {"metrics": [METRIC, {**METRIC, "value": None}]}, INVALID, "metrics[1].value"),
    ("log-batch", {"metrics": [METRIC, {**METRIC, "timestamp": -1}]}, INVALID, "timestamp"),
    ("log-batch", {"metrics": [METRIC, {**METRIC, "model_id": f"m-{NO_RUN}"}]}, MISSING, "m-0"),
    ("log-batch", {"metrics": [METRIC] * 1001}, INVALID, "1000"),
    ("log-batch", {"params": many(101)}, INVALID, "100"),
    ("log-batch", {"tags": many(101)}, INVALID, "100"),
    ("log-batch", {"metrics": [METRIC] * 950, "params": many(51)}, INVALID, "1000"),
    ("log-batch", {"metrics": [METRIC], "params": OTHER_PARAM}, INVALID, "'p'"),
    ("log-batch", {"metrics": [METRIC], "params": TWICE}, INVALID, "'n'"),
    ("log-batch", {"metrics": [METRIC], "tags": [{"key": "a\0", "value": "1"}]}, INVALID, "NUL"),
    ("log-batch", b'{"run_id": "{run}", "params": [{"key": "half", "value": "x"}', INVALID, "JSON"),
    ("log-batch", b'{"run_id": "{run}", "params": [{"key": "half", "value": "x"}]} {}', INVALID, "JSON"),
    ("log-batch", b"\xff\xfe\x00", INVALID, "JSON"),
    ("log-batch", b"[1]", INVALID, ""),
    ("log-batch", b"[" * 100_000, INVALID, "JSON"),
    ("log-inputs", {"datasets": [{"dataset": NO_DIGEST}]}, INVALID, "36"),
    ("outputs", {"models": [{"model_id": f"m-{NO_RUN}"}]}, MISSING, "m-0"),
    ("update", {"run_id": NO_RUN, "status": "FINISHED"}, MISSING, NO_RUN),
    ("delete", {"run_id": NO_RUN}, MISSING, NO_RUN),
]
ASKED: list[tuple[str, Any, tuple[int, str], str]] = [
    ("runs/search", searched("params.p ~ 'x'"), INVALID, "character"),
    ("runs/search", searched("params.p = 'x' AND"), INVALID, "character"),
    ("runs/search", searched("params.p = 'x"), INVALID, "character"),
    ("runs/search", searched("a" * 200_001), INVALID, "200"),
    ("runs/search", {"experiment_ids": ["0"], "order_by": ["params.p SIDEWAYS"]}, INVALID, "SIDEWAYS"),
    ("experiments/create", {"name": "n" * 501}, INVALID, "500"),
    ("experiments/create", {"name": "Default"}, (400, "RESOURCE_ALREADY_EXISTS"), "Default"),
    ("experiments/create", {"name": "x", "tags": [{"key": "k" * 251, "value": ""}]}, INVALID, "250"),
    ("experiments/set-experiment-tag", {"experiment_id": "0", "key": "k", "value": "v" * 20_001}, INVALID, "20000"),
    ("logged-models", {"experiment_id": "77", "name": "m"}, MISSING, "77"),
    ("logged-models", {"experiment_id": "0", "name": "m", "source_run_id": 5}, INVALID, "'source_run_id'"),
]


def counts() -> dict[str, int]:
    return {table: database.execute_sql(f'SELECT count(*) FROM "{table}"').fetchone()[0] for table in TABLES}


def test_bad_input_has_mlflows_name_and_changes_nothing(wire: Wire) -> None:
    run_id, gone = wire.new_run(), wire.new_run()
    wire.post("runs/log-parameter", run_id=run_id, key="p", value="1")
    wire.post("runs/delete", run_id=gone)
    before = counts()
    for path, body, wanted, said in [*((f"runs/{path}", *more) for path, *more in LOGGED), *ASKED]:
        whole = {"run_id": "{run}", **body} if isinstance(body, dict) else body
        text = whole if isinstance(whole, bytes) else json.dumps(whole).encode()
        text = text.replace(b"{run}", run_id.encode()).replace(b"{gone}", gone.encode())
        answer = wire.call("POST", path, text)
        case = (path, text[:200], answer.get_json())
        assert (answer.status_code, answer.get_json().get("error_code")) == wanted, case
        assert said in answer.get_json()["message"], case
        assert len(answer.get_json()["message"]) < 1000, case
    assert counts() == before
    assert wire.post("runs/log-parameter", run_id=run_id, key="p", value="1") == {}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_nan_is_a_text_to_a_param(wire: Wire) -> None:
    run_id = wire.new_run()
    wire.post("runs/log-batch", run_id=run_id, params=[{"key": "a", "value": "NaN"}, {"key": "b", "value": "nan"}])
    assert wire.refusal("POST", "runs/log-parameter", {"run_id": run_id, "key": "a", "value": "nan"})[:2] == INVALID
    data = wire.get("runs/get", run_id=run_id)["run"]["data"]
    assert {one["key"]: one["value"] for one in data["params"]} == {"a": "NaN", "b": "nan"}
