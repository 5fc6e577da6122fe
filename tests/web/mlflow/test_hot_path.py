"""Hot requests: past Flask where all is plain, and never with another answer than Flask's own."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import flask
import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY
from werkzeug.test import TestResponse

from modelyard.core import bootstrap, db
from modelyard.core.interfaces import Tracker
from modelyard.plugins.sql_tracker.batches import LoggingVerbs
from modelyard.web.app import create_app
from modelyard.web.mlflow.hot_path import MOST_BYTES
from tests.factories import Factories
from tests.web.mlflow.conftest import Wire

POINT = {"key": "loss", "value": 0.5, "timestamp": 1, "step": 0}


@pytest.fixture
def in_flask(app: Flask) -> Iterator[list[str]]:
    """The paths of requests that reached Flask."""
    seen: list[str] = []

    def note(sender: Flask, **_: Any) -> None:
        seen.append(flask.request.path.rpartition("/mlflow/")[2])

    with flask.request_started.connected_to(note, app):
        yield seen


@pytest.fixture
def warm(wire: Wire) -> Wire:
    """A project whose owner has asked for something already."""
    wire.post("runs/search", experiment_ids=["0"])
    return wire


def by_flask(wire: Wire, path: str, body: Any) -> TestResponse:
    """Send what would be hot with Basic in place of Bearer."""
    token = wire.headers["Authorization"].removeprefix("Bearer ")
    basic = base64.b64encode(f"anyone:{token}".encode()).decode()
    slow = Wire(wire.client, wire.project, wire.owner, {"Authorization": f"Basic {basic}"})
    return slow.call("POST", path, body)


def names(response: TestResponse) -> dict[str, str]:
    return {key: value for key, value in response.headers if key != "X-Request-ID"}


def test_a_known_token_goes_past_flask_and_reads_what_flask_would_answer(warm: Wire, in_flask: list[str]) -> None:
    run_id = warm.new_run()
    del in_flask[:]
    for path, body in (
        ("runs/log-metric", {"run_id": run_id, **POINT}),
        ("runs/log-batch", {"run_id": run_id, "metrics": [POINT], "params": [{"key": "p", "value": "1"}]}),
        ("runs/log-parameter", {"run_id": run_id, "key": "p", "value": "1"}),
        ("runs/set-tag", {"run_id": run_id, "key": "t", "value": "ä"}),
        ("runs/search", {"experiment_ids": ["0"], "filter": "metrics.loss = 0.5"}),
    ):
        hot = warm.call("POST", path, body)
        assert in_flask == [], path
        slow = by_flask(warm, path, body)
        assert in_flask == [path]
        assert (hot.status_code, hot.get_json(), names(hot)) == (200, slow.get_json(), names(slow))
        assert len(hot.headers["X-Request-ID"]) == 32
        del in_flask[:]
    run = warm.get("runs/get", run_id=run_id)["run"]["data"]
    assert [len(run[part]) for part in ("metrics", "params")] == [1, 1]
    assert {"key": "t", "value": "ä"} in run["tags"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("runs/log-metric", {"run_id": "none", **POINT}),
        ("runs/log-metric", {"run_id": "deleted", **POINT}),
        ("runs/log-metric", {"run_id": "run", "key": "loss"}),
        ("runs/log-metric", {}),
        ("runs/log-metric", b'{"run_id": "run", '),
        ("runs/log-metric", b"\xff"),
        ("runs/log-metric", b""),
        ("runs/log-batch", {"run_id": "run", "metrics": [POINT] * 1001}),
        ("runs/log-batch", {"run_id": "run", "metrics": [POINT], "params": [{"key": "p", "value": "other"}]}),
        ("runs/log-parameter", {"run_id": "run", "key": "p", "value": "other"}),
        ("runs/set-tag", {"run_id": "run", "key": "x" * 300, "value": "1"}),
        ("runs/search", {"experiment_ids": ["0"], "filter": "metrics.loss >"}),
        ("runs/search", {"experiment_ids": ["0"], "page_token": "?"}),
    ],
)
def test_what_is_refused_is_refused_in_flasks_words(warm: Wire, path: str, body: Any) -> None:
    runs = {"run": warm.new_run(), "deleted": warm.new_run()}
    warm.post("runs/log-parameter", run_id=runs["run"], key="p", value="1")
    warm.post("runs/delete", run_id=runs["deleted"])
    if isinstance(body, dict) and body.get("run_id") in runs:
        body = {**body, "run_id": runs[body["run_id"]]}
    hot, slow = warm.call("POST", path, body), by_flask(warm, path, body)
    assert hot.status_code >= 400
    assert (hot.status_code, hot.get_json(), names(hot)) == (slow.status_code, slow.get_json(), names(slow))
    assert warm.get("runs/get", run_id=runs["run"])["run"]["data"].get("metrics", []) == []


def test_a_body_too_large_for_it_is_flasks(warm: Wire, in_flask: list[str]) -> None:
    body = {"run_id": warm.new_run(), "tags": [{"key": f"t{number}", "value": "x" * 5000} for number in range(99)]}
    warm.post("runs/log-batch", **body)
    del in_flask[:]
    large = b" " * MOST_BYTES + b"{}"
    assert warm.call("POST", "runs/log-batch", large).status_code == 400
    assert in_flask == ["runs/log-batch"]


def test_what_counts_of_the_token_counts_at_once(
    factories: Factories, warm: Wire, services: bootstrap.Services, in_flask: list[str]
) -> None:
    body = {"run_id": warm.new_run(), **POINT}
    reader = Wire(warm.client, warm.project, warm.owner, factories.headers(warm.owner, scopes=["read"]))
    stranger = Wire(warm.client, warm.project, warm.owner, factories.headers(factories.user()))
    reader.post("runs/search", experiment_ids=["0"])
    assert reader.call("POST", "runs/log-metric", body).status_code == 403
    assert stranger.call("POST", "runs/log-metric", body).status_code == 404
    assert stranger.call("POST", "runs/log-metric", body).status_code == 404

    assert warm.call("POST", "runs/log-metric", body).status_code == 200
    session = warm.client.get("/api/v1/tokens", headers=warm.headers).get_json()
    for token in session["items"]:
        warm.client.delete(f"/api/v1/tokens/{token['id']}", headers=warm.headers)
    assert warm.call("POST", "runs/log-metric", body).status_code == 401
    assert reader.call("POST", "runs/search", {"experiment_ids": ["0"]}).status_code == 401


def test_a_verb_that_fails_by_surprise_is_tried_once_more_and_told_by_flask(
    warm: Wire, in_flask: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"run_id": warm.new_run(), **POINT}
    asked: list[int] = []

    def fail(self: Tracker, *_: Any, **__: Any) -> None:
        asked.append(1)
        raise RuntimeError("a surprise")

    monkeypatch.setattr(LoggingVerbs, "log_batch", fail)
    del in_flask[:]
    answer = warm.call("POST", "runs/log-metric", body)
    assert (answer.status_code, len(asked), in_flask) == (500, 2, ["runs/log-metric"])
    assert "surprise" not in answer.get_data(as_text=True)


def test_each_request_counts_once(warm: Wire) -> None:
    body = {"run_id": warm.new_run(), **POINT}

    def counted(status: str) -> float:
        labels = {"method": "POST", "endpoint": "mlflow runs/log-metric", "status": status}
        return REGISTRY.get_sample_value("modelyard_http_requests_total", labels) or 0

    before = counted("200"), counted("404"), REGISTRY.get_sample_value("modelyard_http_requests_in_progress")
    warm.call("POST", "runs/log-metric", body)
    warm.call("POST", "runs/log-metric", {**body, "run_id": "none"})
    after = counted("200"), counted("404"), REGISTRY.get_sample_value("modelyard_http_requests_in_progress")
    assert after == (before[0] + 1, before[1] + 1, before[2])


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("name", ["tracking", "address"])
def test_limits_count_each_request_once(override: Any, name: str) -> None:
    limits = dict.fromkeys(("address", "reads", "writes", "tracking", "predictions", "sign_in"), "1000000/day")
    services = bootstrap.build(override(limits={**limits, name: "6/day"}), process="web")
    factories = Factories(services)
    owner = factories.user()
    project = factories.project(owner=owner)
    wire = Wire(create_app(services).test_client(), project, owner, factories.headers(owner))
    body = {"run_id": wire.new_run(), **POINT}
    answers = [wire.call("POST", "runs/log-metric", {**body, **more}) for more in ({}, {"run_id": "none"}) * 4]
    assert [answer.status_code for answer in answers] == [200, 404, 200, 404, 200, 429, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    db.close_database()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_callers_request_id_is_kept(warm: Wire, in_flask: list[str]) -> None:
    body = {"run_id": warm.new_run(), **POINT}
    del in_flask[:]
    named = Wire(warm.client, warm.project, warm.owner, {**warm.headers, "X-Request-ID": "mine-1"})
    assert named.call("POST", "runs/log-metric", body).headers["X-Request-ID"] == "mine-1"
    client: FlaskClient = warm.client
    origin = {**warm.headers, "Origin": "https://elsewhere.example"}
    assert in_flask == []
    Wire(client, warm.project, warm.owner, origin).post("runs/log-metric", **body)
    assert in_flask == ["runs/log-metric"]
