"""The endpoints, called as a client would: answers, refusals, limits."""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import pytest

from modelyard.core.errors import ModelyardError
from modelyard.web.mlflow import errors, router
from tests.factories import Factories
from tests.web.mlflow.conftest import Wire

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
_EXPECTED = """
DELETE logged-models/{model_id}
DELETE logged-models/{model_id}/tags/{tag_key}
GET artifacts/list
GET experiments/get
GET experiments/get-by-name
GET experiments/search
GET logged-models/{model_id}
GET logged-models/{model_id}/artifacts/directories
GET metrics/get-history
GET runs/get
PATCH logged-models/{model_id}
PATCH logged-models/{model_id}/tags
POST experiments/create
POST experiments/delete
POST experiments/delete-experiment-tag
POST experiments/restore
POST experiments/search
POST experiments/set-experiment-tag
POST experiments/update
POST logged-models
POST logged-models/search
POST logged-models/{model_id}/params
POST runs/create
POST runs/delete
POST runs/delete-tag
POST runs/log-batch
POST runs/log-inputs
POST runs/log-metric
POST runs/log-model
POST runs/log-parameter
POST runs/outputs
POST runs/restore
POST runs/search
POST runs/set-tag
POST runs/update
"""


def test_every_tracking_endpoint_is_there() -> None:
    paths = {f"{method} {path}" for method, path in router.paths()}
    assert set(_EXPECTED.strip().split("\n")) <= paths


def test_every_error_of_ours_has_a_code_of_mlflows() -> None:
    from mlflow.protos.databricks_pb2 import ErrorCode

    known: set[type[ModelyardError]] = set()
    waiting = [ModelyardError]
    while waiting:
        known.add(found := waiting.pop())
        waiting += found.__subclasses__()
    ours = {found for found in known if found.__module__ == "modelyard.core.errors"}
    assert ours == set(errors.ERRORS)
    for _, code in errors.ERRORS.values():
        assert code in ErrorCode.keys()  # noqa: SIM118 - protobuf's enumeration is no mapping


def test_the_shapes_of_answers(wire: Wire) -> None:
    made = wire.post("experiments/create", name="a", tags=[{"key": "k", "value": "v"}])
    assert made == {"experiment_id": "1"}
    experiment = wire.get("experiments/get", experiment_id="1")["experiment"]
    assert experiment | {"creation_time": 0, "last_update_time": 0} == {
        "experiment_id": "1",
        "name": "a",
        "artifact_location": "mlflow-artifacts:/1",
        "lifecycle_stage": "active",
        "creation_time": 0,
        "last_update_time": 0,
        "tags": [{"key": "k", "value": "v"}],
    }
    run = wire.post("runs/create", experiment_id="1", start_time="5", run_name="r", user_id="u")["run"]
    run_id = run["info"]["run_id"]
    assert run["info"] == {
        "run_id": run_id,
        "run_uuid": run_id,
        "run_name": "r",
        "experiment_id": "1",
        "user_id": "u",
        "status": "RUNNING",
        "start_time": 5,
        "artifact_uri": f"mlflow-artifacts:/1/{run_id}/artifacts",
        "lifecycle_stage": "active",
    }
    assert wire.post("runs/update", run_uuid=run_id, status=3, end_time=9)["run_info"]["status"] == "FINISHED"
    assert wire.get("runs/get", run_uuid=run_id)["run"]["info"]["end_time"] == 9
    assert wire.post("runs/log-metric", run_id=run_id, key="m", value="NaN", timestamp=1.0) == {}
    assert wire.get("runs/get", run_id=run_id)["run"]["data"]["metrics"] == [
        {"key": "m", "value": "NaN", "timestamp": 1, "step": 0}
    ]
    model = wire.post("logged-models", experiment_id="1", name="line", source_run_id=run_id)["model"]
    model_id = model["info"]["model_id"]
    assert model["info"]["status"] == "LOGGED_MODEL_PENDING"
    assert model["info"]["artifact_uri"] == f"mlflow-artifacts:/1/models/{model_id}/artifacts"
    ready = wire.call("PATCH", f"logged-models/{model_id}", {"status": 2}).get_json()
    assert ready["model"]["info"]["status"] == "LOGGED_MODEL_READY"


def test_pages_of_everything(wire: Wire) -> None:
    for number in range(5):
        wire.post("experiments/create", name=f"e{number}")
        run_id = wire.new_run()
    wire.post("runs/log-batch", run_id=run_id, metrics=[{"key": "m", "value": n, "timestamp": n} for n in range(5)])
    for call, path, name, query in (
        (wire.post, "experiments/search", "experiments", {"max_results": 2, "filter": "name LIKE 'e%'"}),
        (wire.get, "experiments/search", "experiments", {"max_results": 2, "filter": "name LIKE 'e%'"}),
        (wire.post, "runs/search", "runs", {"max_results": "2", "experiment_ids": ["0"]}),
        (wire.get, "metrics/get-history", "metrics", {"max_results": 2, "run_id": run_id, "metric_key": "m"}),
    ):
        sizes, token = [], None
        while True:
            more: dict[str, Any] = {"page_token": token} if token else {}
            answer = call(path, **query, **more)
            sizes.append(len(answer[name]))
            token = answer.get("next_page_token")
            if token is None:
                break
        assert sizes == [2, 2, 1], path


def test_refusals(wire: Wire) -> None:
    run_id = wire.new_run()
    wire.post("experiments/create", name="taken")
    wire.post("runs/log-parameter", run_id=run_id, key="p", value="1")
    many = [{"key": f"k{number}", "value": "v"} for number in range(101)]
    cases: list[tuple[str, str, dict[str, Any], int, str, str]] = [
        ("POST", "experiments/create", {"name": "taken"}, 400, "RESOURCE_ALREADY_EXISTS", "taken"),
        ("POST", "experiments/create", {}, 400, "INVALID_PARAMETER_VALUE", "'name'"),
        ("POST", "experiments/create", {"name": " "}, 400, "INVALID_PARAMETER_VALUE", "empty"),
        ("POST", "experiments/delete", {"experiment_id": "77"}, 404, "RESOURCE_DOES_NOT_EXIST", "77"),
        ("POST", "experiments/delete", {"experiment_id": "x"}, 400, "INVALID_PARAMETER_VALUE", "'x'"),
        ("POST", "runs/create", {"experiment_id": "77"}, 404, "RESOURCE_DOES_NOT_EXIST", "77"),
        ("POST", "runs/update", {"status": "FINISHED"}, 400, "INVALID_PARAMETER_VALUE", "'run_id'"),
        ("POST", "runs/update", {"run_id": run_id, "status": "DONE"}, 400, "INVALID_PARAMETER_VALUE", "DONE"),
        ("POST", "runs/update", {"run_id": run_id, "status": 9}, 400, "INVALID_PARAMETER_VALUE", "9"),
        (
            "POST",
            "runs/log-parameter",
            {"run_id": run_id, "key": "p", "value": "2"},
            400,
            "INVALID_PARAMETER_VALUE",
            "'p'",
        ),
        ("POST", "runs/log-parameter", {"run_id": run_id, "key": "a,b"}, 400, "INVALID_PARAMETER_VALUE", "a,b"),
        (
            "POST",
            "runs/log-batch",
            {"run_id": run_id, "params": many},
            400,
            "INVALID_PARAMETER_VALUE",
            "at most 100 params",
        ),
        ("POST", "runs/search", {"max_results": 50001}, 400, "INVALID_PARAMETER_VALUE", "max_results"),
        ("POST", "runs/search", {"filter": "a b c"}, 400, "INVALID_PARAMETER_VALUE", "character 0"),
        ("POST", "runs/search", {"run_view_type": "SOME"}, 400, "INVALID_PARAMETER_VALUE", "SOME"),
        ("POST", "runs/search", {"page_token": "x"}, 400, "INVALID_PARAMETER_VALUE", "page token"),
        (
            "POST",
            "runs/outputs",
            {"run_id": run_id, "models": [{"model_id": "m-1"}]},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "m-1",
        ),
        (
            "POST",
            "runs/log-inputs",
            {"run_id": run_id, "datasets": [{}]},
            400,
            "INVALID_PARAMETER_VALUE",
            "datasets[0].dataset",
        ),
        ("GET", "logged-models/m-1", {}, 404, "RESOURCE_DOES_NOT_EXIST", "m-1"),
        ("PATCH", "logged-models/m-1", {"status": 7}, 400, "INVALID_PARAMETER_VALUE", "7"),
        ("POST", "nothing/here", {}, 404, "ENDPOINT_NOT_FOUND", "nothing/here"),
        ("GET", "runs/create", {}, 404, "ENDPOINT_NOT_FOUND", "GET runs/create"),
        ("POST", "traces", {}, 404, "ENDPOINT_NOT_FOUND", "traces"),
        ("DELETE", "logged-models//tags/a", {}, 404, "ENDPOINT_NOT_FOUND", "logged-models"),
    ]
    for method, path, body, status, code, part in cases:
        refused = wire.refusal(method, path, body)
        assert refused[:2] == (status, code), (path, body, refused)
        assert part in refused[2], (path, body, refused)


def test_a_batch_at_the_limits(wire: Wire) -> None:
    run_id = wire.new_run()
    metrics = [{"key": f"m{number % 7}", "value": number / 3, "timestamp": number} for number in range(800)]
    params = [{"key": f"p{number}", "value": "ü" * 6000} for number in range(100)]
    tags = [{"key": f"t{number}", "value": "v"} for number in range(100)]
    wire.post("runs/log-batch", run_id=run_id, metrics=metrics, params=params, tags=tags)
    run = wire.get("runs/get", run_id=run_id)["run"]["data"]
    assert (len(run["metrics"]), len(run["params"]), len(run["tags"])) == (7, 100, 101)


def test_searches_at_the_databases_limits(wire: Wire) -> None:
    run_id = wire.new_run()
    wire.post("runs/set-tag", run_id=run_id, key="a", value="a" * 8000)
    every = " AND ".join(["metrics.m != 1", "start_time > 0", "tags.a LIKE 'a%'", "params.p IS NULL"] * 25)
    ids = ", ".join(f"'{number:032}'" for number in range(5000))
    order = [f"{entity}.k{number} DESC" for number in range(7) for entity in ("metrics", "params")]
    wire.post("runs/search", experiment_ids=[str(n) for n in range(10_000)], filter=every, order_by=order)
    assert wire.post("runs/search", experiment_ids=["0"], filter=f"run_id NOT IN ({ids})")["runs"]
    pattern = "%a" * 2000 + "b"
    for operator in ("LIKE", "ILIKE"):
        assert wire.post("runs/search", experiment_ids=["0"], filter=f"tags.a {operator} '{pattern}'") == {"runs": []}
    glob = "[" * 4000
    assert wire.post("runs/search", experiment_ids=["0"], filter=f"tags.a LIKE '{glob}'") == {"runs": []}
    for body in (
        {"experiment_ids": ["0"] * 10_001},
        {"experiment_ids": ["0"], "filter": "status = 'x' AND " * 100 + "status = 'x'"},
    ):
        assert wire.refusal("POST", "runs/search", body)[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_tokens_made_up_by_clients_are_refused(wire: Wire) -> None:
    run_id = wire.new_run()
    metrics = [{"key": "m", "value": value, "timestamp": 1} for value in (1, 2, "-Infinity", "Infinity", "NaN")]
    wire.post("runs/log-batch", run_id=run_id, metrics=metrics)
    values, token = [], ""
    while True:
        more = {"page_token": token} if token else {}
        answer = wire.get("metrics/get-history", run_id=run_id, metric_key="m", max_results=1, **more)
        values.append(answer["metrics"][0]["value"])
        if "next_page_token" not in answer:
            break
        token = answer["next_page_token"]
    assert values == ["-Infinity", "NaN", 1.0, 2.0, "Infinity"]
    search = json.loads(base64.urlsafe_b64decode(token))[0]
    for position in ([], [1], [1, 1, "abc", 0], [2**63, 1, 1.0, 0], [1, 1, 1.0, 7], [1, 1, None, 0], "x"):
        made = base64.urlsafe_b64encode(json.dumps([search, *position]).encode()).decode()
        query = {"run_id": run_id, "metric_key": "m", "page_token": made}
        assert wire.refusal("GET", "metrics/get-history", **query)[:2] == (400, "INVALID_PARAMETER_VALUE")
    first = wire.post("runs/search", experiment_ids=["0"], max_results=1)
    assert "next_page_token" not in first
    wire.new_run()
    token = wire.post("runs/search", experiment_ids=["0"], max_results=1)["next_page_token"]
    search = json.loads(base64.urlsafe_b64decode(token))[0]
    made = base64.urlsafe_b64encode(json.dumps([search, 0, None, 0, "\0"]).encode()).decode()
    for token in ("e30=", "W10=", "bnVsbA==", "\u00e9", "x" * 5000, made):
        refused = wire.refusal("POST", "runs/search", {"experiment_ids": ["0"], "page_token": token})
        assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")


def test_long_texts_are_refused_or_cut(wire: Wire) -> None:
    run_id = wire.new_run(run_name="n" * 9000)
    assert len(wire.get("runs/get", run_id=run_id)["run"]["info"]["run_name"]) == 8000
    wide = "\U0001f98a"
    name = wide * 500
    wire.post("experiments/create", name=name)
    assert wire.get("experiments/get-by-name", experiment_name=name)["experiment"]["name"] == name
    dataset = {
        "name": name,
        "digest": wide * 36,
        "source_type": "local",
        "source": "s" * 65_535,
        "schema": "x" * 100_000,
    }
    wire.post("runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset, "tags": []}])
    model_id = wire.post("logged-models", experiment_id="0", name="n" * 500)["model"]["info"]["model_id"]
    long_names = {
        "run_id": run_id,
        "value": 1,
        "timestamp": 1,
        "model_id": model_id,
        "key": "k" * 250,
        "dataset_name": name,
    }
    wire.post("runs/log-metric", **{**long_names, "dataset_digest": wide * 36})
    for path, body in (
        ("runs/log-metric", {**long_names, "key": "\u6f22" * 250}),
        ("logged-models", {"experiment_id": "0", "name": "n" * 501}),
        ("logged-models", {"experiment_id": "0", "params": [{"key": f"p{n}", "value": ""} for n in range(1001)]}),
        ("runs/create", {"user_id": "u" * 257}),
    ):
        assert wire.refusal("POST", path, body)[:2] == (400, "INVALID_PARAMETER_VALUE"), path


@on_sqlite
def test_a_body_that_is_too_large_is_refused(wire: Wire) -> None:
    status, code, message = wire.refusal("POST", "runs/log-batch", b" " * (4 * 1024 * 1024 + 1))
    assert (status, code) == (413, "INVALID_PARAMETER_VALUE")
    assert "4194304" in message


def test_numbers_of_every_kind_come_back(wire: Wire) -> None:
    run_id = wire.new_run()
    values = {"nan": "NaN", "up": "Infinity", "down": "-Infinity", "tiny": 5e-324, "big": 1.7976931348623157e308}
    metrics = [{"key": key, "value": value, "timestamp": 1} for key, value in values.items()]
    wire.post("runs/log-batch", run_id=run_id, metrics=metrics)
    found = wire.get("runs/get", run_id=run_id)["run"]["data"]["metrics"]
    assert {metric["key"]: metric["value"] for metric in found} == values
    (point,) = wire.get("metrics/get-history", run_id=run_id, metric_key="down")["metrics"]
    assert float(point["value"]) == -math.inf


@on_sqlite
def test_roles_and_credentials(wire: Wire, factories: Factories) -> None:
    run_id = wire.new_run()
    wire.headers.clear()
    assert wire.refusal("GET", "runs/get", run_id=run_id)[:2] == (401, "UNAUTHENTICATED")
    assert "WWW-Authenticate" in wire.call("GET", "runs/get", run_id=run_id).headers
    wire.headers["Authorization"] = "Bearer my_wrong_token"
    assert wire.refusal("GET", "runs/get", run_id=run_id)[:2] == (401, "UNAUTHENTICATED")
    wire.headers.update(factories.headers(factories.user()))
    assert wire.refusal("GET", "runs/get", run_id=run_id)[:2] == (404, "RESOURCE_DOES_NOT_EXIST")
    wire.headers.update(factories.headers(factories.member(wire.project, "viewer")))
    wire.get("runs/get", run_id=run_id)
    status, code, message = wire.refusal("POST", "runs/set-tag", {"run_id": run_id, "key": "a", "value": "b"})
    assert (status, code) == (403, "PERMISSION_DENIED")
    assert "editor" in message
    wire.headers.update(factories.headers(wire.owner, scopes=["read"]))
    assert wire.refusal("POST", "runs/create", {})[:2] == (403, "PERMISSION_DENIED")
