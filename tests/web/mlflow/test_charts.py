"""What MLflow's own pages ask for: histories of many runs, datasets, files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from modelyard.core import db
from modelyard.core.errors import NotFound
from modelyard.core.tracking import run_metrics
from modelyard.core.tracking.sql import execute
from tests.web.mlflow.conftest import Wire

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
FILES = "api/2.0/mlflow-artifacts/artifacts"
BULK, INTERVAL = "metrics/get-history-bulk", "metrics/get-history-bulk-interval"


def logged(wire: Wire, values: list[Any], key: str = "m") -> str:
    """Make a run with these values at steps 0, 1 ..., logged backwards in time."""
    run_id = wire.new_run()
    metrics = [
        {"key": key, "value": value, "timestamp": 9000 - step, "step": step} for step, value in enumerate(values)
    ]
    for start in range(0, len(metrics), 1000):
        wire.post("runs/log-batch", run_id=run_id, metrics=metrics[start : start + 1000])
    return run_id


def points(wire: Wire, path: str, **query: Any) -> list[tuple[str, int, Any]]:
    return [(row["run_id"], row["step"], row["value"]) for row in wire.get(path, **query)["metrics"]]


def test_histories_of_many_runs(wire: Wire) -> None:
    first, second = sorted([logged(wire, [1, "NaN", "Infinity"]), logged(wire, [1, "NaN", "Infinity"])])
    none = wire.new_run()
    found = wire.get(BULK, run_id=[second, first, none, first], metric_key="m")["metrics"]
    assert found[0] == {"key": "m", "value": "Infinity", "timestamp": 8998, "step": 2, "run_id": first}
    assert [(row["run_id"], row["timestamp"]) for row in found] == [
        (run_id, when) for run_id in (first, second) for when in (8998, 8999, 9000)
    ]
    assert points(wire, BULK, run_id=[second, first], metric_key="m", max_results=4)[3][0] == second
    assert points(wire, BULK, run_id=[first], metric_key="none") == []


@pytest.mark.parametrize("count", [0, 1, 3, 4, 6, 7])
def test_a_long_history_is_sent_in_pieces_of_the_same_bytes(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    run_id = logged(wire, ["NaN", 1, "-Infinity", 0.1, 1e300, 3, -0.0][:count])
    query = {"run_id": run_id, "metric_key": "m"}
    at_once = wire.call("GET", "metrics/get-history", **query)
    monkeypatch.setattr(run_metrics, "POINTS_AT_ONCE", 3)
    in_pieces = wire.call("GET", "metrics/get-history", **query)
    assert ("Content-Length" in at_once.headers, "Content-Length" in in_pieces.headers) == (True, count <= 3)
    assert in_pieces.get_data() == at_once.get_data()
    assert in_pieces.content_type == at_once.content_type
    if count > 1:
        token = wire.get("metrics/get-history", **query, max_results=1)["next_page_token"]
        rest = wire.get("metrics/get-history", **query, page_token=token)["metrics"]
        assert rest == json.loads(at_once.get_data())["metrics"][1:]


def test_a_history_that_is_sent_holds_no_connection(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = logged(wire, [1.0] * 9)
    monkeypatch.setattr(run_metrics, "POINTS_AT_ONCE", 3)
    if db.is_postgresql():
        db.database.close()  # that of this thread, which the request would go on with
    answer = wire.call("GET", "metrics/get-history", run_id=run_id, metric_key="m")
    for piece in answer.iter_encoded():
        assert piece
        assert db.database.transaction_depth() == 0
        assert db.database.is_closed() or not db.is_postgresql()


def test_what_is_deleted_while_it_is_sent_leaves_json_without_an_end(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = logged(wire, [1.0] * 9)
    monkeypatch.setattr(run_metrics, "POINTS_AT_ONCE", 3)
    pieces = wire.call("GET", "metrics/get-history", run_id=run_id, metric_key="m").iter_encoded()
    begun = next(pieces)
    execute("UPDATE run SET public_id = ?", ("0" * 32,))
    with pytest.raises(NotFound):
        for piece in pieces:
            begun += piece
    assert begun.startswith(b'{"metrics":[{')
    assert not begun.endswith(b"]}")


def test_a_chart_of_many_points_keeps_its_spikes(wire: Wire) -> None:
    values = [0.0] * 3000
    values[1234], values[2345] = 99.0, -99.0
    run_id, short = logged(wire, values), logged(wire, [1.0, 2.0])
    whole = points(wire, INTERVAL, run_ids=[run_id, short], metric_key="m")
    assert [row for row in whole if row[0] == short] == [(short, 0, 1.0), (short, 1, 2.0)]
    of_run = [row for row in whole if row[0] == run_id]
    assert len(of_run) <= 2500
    for most in (10, 2500):
        drawn = points(wire, INTERVAL, run_ids=[run_id], metric_key="m", max_results=most)
        assert len(drawn) <= most
        assert {(run_id, 0, 0.0), (run_id, 1234, 99.0), (run_id, 2345, -99.0), (run_id, 2999, 0.0)} <= set(drawn)
        assert drawn == sorted(drawn)
    assert points(wire, INTERVAL, run_ids=[run_id], metric_key="m", max_results=1) == [(run_id, 2999, 0.0)]
    assert [step for _, step, _ in points(wire, INTERVAL, run_ids=[run_id], metric_key="m", max_results=2)] == [0, 2999]
    part = points(wire, INTERVAL, run_ids=[run_id], metric_key="m", start_step=1233, end_step="1235")
    assert part == [(run_id, 1233, 0.0), (run_id, 1234, 99.0), (run_id, 1235, 0.0)]


WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    (BULK, {"metric_key": "m"}, "INVALID_PARAMETER_VALUE", "at least one run_id"),
    (BULK, {"run_id": ["a"]}, "INVALID_PARAMETER_VALUE", "'metric_key'"),
    (BULK, {"run_id": ["a"] * 101, "metric_key": "m"}, "INVALID_PARAMETER_VALUE", "Received 101"),
    (BULK, {"run_id": ["a"], "metric_key": "m", "max_results": "x"}, "INVALID_PARAMETER_VALUE", "'max_results'"),
    (BULK, {"run_id": ["a"], "metric_key": "m"}, "RESOURCE_DOES_NOT_EXIST", "id=a"),
    (INTERVAL, {"metric_key": "m"}, "INVALID_PARAMETER_VALUE", "at least one run_ids"),
    (INTERVAL, {"run_ids": ["a"] * 101, "metric_key": "m"}, "INVALID_PARAMETER_VALUE", "Received 101"),
    (INTERVAL, {"run_ids": ["a"], "metric_key": "m", "max_results": 2501}, "INVALID_PARAMETER_VALUE", "2500"),
    (INTERVAL, {"run_ids": ["a"], "metric_key": "m", "max_results": 0}, "INVALID_PARAMETER_VALUE", "2500"),
    (INTERVAL, {"run_ids": ["a"], "metric_key": "m", "start_step": 1}, "INVALID_PARAMETER_VALUE", "both"),
    (INTERVAL, {"run_ids": ["a"], "metric_key": "m", "start_step": 2, "end_step": 1}, "INVALID_PARAMETER_VALUE",
     "start_step=2"),
    (INTERVAL, {"run_ids": ["a"], "metric_key": "m"}, "RESOURCE_DOES_NOT_EXIST", "id=a"),
]  # fmt: skip


@on_sqlite
def test_histories_that_are_asked_for_wrongly(wire: Wire) -> None:
    for path, query, code, said in WRONG:
        _, found, message = wire.refusal("GET", path, **query)
        assert found == code, (path, query)
        assert said in message, (path, query)


def test_datasets_of_experiments(wire: Wire) -> None:
    other = wire.post("experiments/create", name="other")["experiment_id"]
    for experiment_id, context in (("0", "train"), ("0", "train"), (other, None)):
        tags = [{"key": "mlflow.data.context", "value": context}] if context else []
        dataset = {"name": "iris", "digest": "d1", "source_type": "local", "source": "{}"}
        run_id = wire.new_run(experiment_id=experiment_id)
        wire.post("runs/log-inputs", run_id=run_id, datasets=[{"dataset": dataset, "tags": tags}])
    summary = {"experiment_id": "0", "name": "iris", "digest": "d1", "context": "train"}
    assert wire.post("experiments/search-datasets", experiment_ids=["0"]) == {"dataset_summaries": [summary]}
    both = wire.post("experiments/search-datasets", experiment_ids=["0", other])["dataset_summaries"]
    assert {"experiment_id": other, "name": "iris", "digest": "d1"} in both
    assert len(both) == 2
    for wrong in ([], ["0"] * 21, ["x"]):
        refused = wire.refusal("POST", "experiments/search-datasets", {"experiment_ids": wrong})
        assert refused[:2] == (400, "INVALID_PARAMETER_VALUE")


@on_sqlite
def test_files_by_their_owners(wire: Wire, client: FlaskClient) -> None:
    run_id = wire.new_run()
    model_id = wire.post("logged-models", experiment_id="0")["model"]["info"]["model_id"]
    query = {"run_uuid": run_id, "path": "plots/a.html"}
    assert wire.call("POST", "upload-artifact", b"<b>", **query).get_json() == {}
    fetched = client.get(f"{wire.prefix}/get-artifact?run_id={run_id}&path=plots/a.html", headers=wire.headers)
    assert (fetched.data, fetched.content_type) == (b"<b>", "text/plain; charset=utf-8")
    place = f"{wire.prefix}/{FILES}/0/models/{model_id}/artifacts/MLmodel"
    client.put(place, data=b"flavors", headers=wire.headers)
    fetched = wire.call("GET", f"logged-models/{model_id}/artifacts/files", artifact_file_path="MLmodel")
    assert (fetched.data, fetched.headers["X-Content-Type-Options"]) == (b"flavors", "nosniff")
    wire.post("registered-models/create", name="risk")
    source = f"mlflow-artifacts:/0/models/{model_id}/artifacts"
    wire.post("model-versions/create", name="risk", source=source)
    address = f"{wire.prefix}/model-versions/get-artifact"
    fetched = client.get(
        address, query_string={"name": "risk", "version": "1", "path": "MLmodel"}, headers=wire.headers
    )
    assert fetched.data == b"flavors"
    assert fetched.headers["Content-Disposition"].startswith("attachment")
    for refused, code in (
        ({"name": "risk", "version": "1", "path": "../x"}, "INVALID_PARAMETER_VALUE"),
        ({"name": "risk", "version": "1"}, "INVALID_PARAMETER_VALUE"),
        ({"name": "a\0", "version": "1", "path": "MLmodel"}, "INVALID_PARAMETER_VALUE"),
        ({"name": "risk", "version": "\0", "path": "MLmodel"}, "INVALID_PARAMETER_VALUE"),
        ({"name": "none", "version": "1", "path": "MLmodel"}, "RESOURCE_DOES_NOT_EXIST"),
        ({"name": "risk", "version": "1", "path": "none"}, "RESOURCE_DOES_NOT_EXIST"),
    ):
        answer = client.get(address, query_string=refused, headers=wire.headers)
        assert answer.get_json()["error_code"] == code, refused
    for refused in ({"path": "a"}, {"run_uuid": run_id}, {"run_uuid": run_id, "path": "../a"}):
        assert wire.refusal("POST", "upload-artifact", b"x", **refused)[:2] == (400, "INVALID_PARAMETER_VALUE")
    assert wire.refusal("GET", f"logged-models/{model_id}/artifacts/files")[:2] == (400, "INVALID_PARAMETER_VALUE")
