from __future__ import annotations

from typing import Any

import pytest

from modelyard.client import Client, DeploymentFailedError, DeploymentTimeoutError
from tests.fake_api import PROJECT, FakeApi

PATH = f"{PROJECT}/deployments/live"


def state(status: str, ready: int = 0, **more: Any) -> dict[str, Any]:
    known = {"status": status, "ready_replicas": ready, "replicas": 2, "desired_status": "running", "message": ""}
    return {**known, **more}


def test_waits_and_tells_each_change_once(api: FakeApi, client: Client, slept: list[float]) -> None:
    states = [state("pending"), state("starting"), state("starting"), state("ready", 2)]
    api.put("GET", PATH, *states)
    seen: list[str] = []
    deployments = client.project("acme", "churn").deployments
    ready = deployments.wait_until_ready("live", on_change=lambda deployment: seen.append(deployment["status"]))
    assert ready["ready_replicas"] == 2
    assert seen == ["pending", "starting", "ready"]
    assert slept == sorted(slept)


def test_a_failure_ends_the_wait(api: FakeApi, client: Client) -> None:
    api.put("GET", PATH, state("failed", message="No module named xgboost"))
    with pytest.raises(DeploymentFailedError, match="No module named xgboost") as caught:
        client.project("acme", "churn").deployments.wait_until_ready("live")
    assert caught.value.deployment["status"] == "failed"


def test_a_stopped_one_is_not_waited_for(api: FakeApi, client: Client) -> None:
    api.put("GET", PATH, state("stopping", desired_status="stopped"))
    with pytest.raises(DeploymentFailedError, match="is stopped"):
        client.project("acme", "churn").deployments.wait_until_ready("live")


def test_a_return_to_an_older_revision_is_no_success(api: FakeApi, client: Client) -> None:
    api.put("GET", PATH, state("starting", revision=2), state("ready", 2, revision=3))
    note = "returned from revision 2: not ready within 300 s"
    api.put("GET", f"{PATH}/revisions", {"items": [{"number": 3, "note": note}], "next_cursor": None})
    with pytest.raises(DeploymentFailedError, match="returned from revision 2"):
        client.project("acme", "churn").deployments.wait_until_ready("live")


def test_a_newer_wish_of_somebody_else_is_waited_for(api: FakeApi, client: Client) -> None:
    api.put("GET", PATH, state("starting", revision=2), state("ready", 2, revision=3))
    api.put("GET", f"{PATH}/revisions", {"items": [{"number": 3, "note": "edited"}], "next_cursor": None})
    assert client.project("acme", "churn").deployments.wait_until_ready("live")["revision"] == 3


def test_the_deadline(api: FakeApi, client: Client) -> None:
    api.put("GET", PATH, state("starting"))
    with pytest.raises(DeploymentTimeoutError, match="still starting after 0 seconds"):
        client.project("acme", "churn").deployments.wait_until_ready("live", deadline_seconds=0)


@pytest.mark.parametrize(
    ("data", "kind", "body"),
    [
        (b"a,b\n1,2\n", "text/csv", b"a,b\n1,2\n"),
        ("a\n1\n", "text/csv", b"a\n1\n"),
        ([{"a": 1}], "application/json", b'{"dataframe_records": [{"a": 1}]}'),
        ([[1, 2]], "application/json", b'{"inputs": [[1, 2]]}'),
        ([], "application/json", b'{"inputs": []}'),
        ({"instances": [1]}, "application/json", b'{"instances": [1]}'),
    ],
)
def test_predict(api: FakeApi, client: Client, data: Any, kind: str, body: bytes) -> None:
    api.put("POST", "/serve/acme/churn/live/invocations", {"predictions": [0.5]})
    assert client.project("acme", "churn").predict("live", data) == {"predictions": [0.5]}
    assert (api.last.headers["Content-Type"], api.last.body) == (kind, body)


def test_infer(api: FakeApi, client: Client) -> None:
    api.put("POST", "/serve/acme/churn/live/v2/models/risk/infer", {"outputs": []})
    tensor = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1.0]}
    client.infer("acme", "churn", "live", "risk", [tensor])
    assert api.last.json == {"inputs": [tensor]}
    client.infer("acme", "churn", "live", "risk", {"id": "1", "inputs": [tensor]})
    assert api.last.json == {"id": "1", "inputs": [tensor]}
