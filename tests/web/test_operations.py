"""Health and metrics: what a probe, a stranger and a neighbour on this host are told."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from modelyard.config.settings import Settings
from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import PluginUnavailable
from modelyard.core.jobs import Job, WorkerRow, enqueue
from modelyard.core.plugin_manager import PluginManager, PluginStatus
from modelyard.web.context import release_connection
from tests.factories import Factories
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
AWAY: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": "203.0.113.7"}}
PROXIED: list[dict[str, Any]] = [
    AWAY,
    {"headers": {"X-Forwarded-For": "203.0.113.7"}},
    {"headers": {"Forwarded": "for=203.0.113.7"}},
    {"environ_overrides": {"REMOTE_ADDR": ""}},
    {"environ_overrides": {"REMOTE_ADDR": "localhost"}},
]


def test_ready_names_its_parts_to_this_host(client: FlaskClient) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.get_json()["status"] == "degraded"
    parts = answer.get_json()["parts"]
    assert {name: part["status"] for name, part in parts.items()} == {
        "database": "ok", "storage": "ok", "worker": "failing", "plugins": "ok",
    }  # fmt: skip
    assert parts["worker"]["text"] == "none has reported"
    WorkerRow.create(name="w", host="h", pid=1)
    assert client.get("/health/ready").get_json()["parts"]["worker"] == {"status": "ok", "text": "1 at work"}
    assert client.get("/health/ready").get_json()["status"] == "ready"
    WorkerRow.update(seen_at_ms=1).execute()
    assert client.get("/health/ready").get_json()["parts"]["worker"] == {"status": "failing", "text": "silent"}
    loopback6 = client.get("/health/ready", environ_overrides={"REMOTE_ADDR": "::1"})
    assert "parts" in loopback6.get_json()


@on_sqlite
def test_a_storage_that_is_not_well_degrades_and_is_asked_now_and_then(
    client: FlaskClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = services.settings.data.directory / "artifacts"
    now = [1000.0]
    monkeypatch.setattr("modelyard.web.health.time.monotonic", lambda: now[0])
    assert client.get("/health/ready").get_json()["parts"]["storage"]["status"] == "ok"
    shutil.rmtree(root, ignore_errors=True)
    root.write_text("in the way")
    assert client.get("/health/ready").get_json()["parts"]["storage"]["status"] == "ok"
    now[0] += 6
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.get_json()["parts"]["storage"]["status"]) == (200, "failing")
    assert answer.get_json()["parts"]["storage"]["text"]


@on_sqlite
def test_what_comes_with_modelyard_and_lacks_its_extra_is_no_trouble(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = [PluginStatus("slack", "modelyard", "1", "failed", "no slack_sdk", "pip install 'modelyard[slack]'")]
    monkeypatch.setattr(PluginManager, "plugins", lambda self: statuses)
    assert client.get("/health/ready").get_json()["parts"]["plugins"]["status"] == "ok"
    statuses.append(PluginStatus("pigeon", "pigeon-dist", "1", "failed", "it is ill"))
    plugins = client.get("/health/ready").get_json()["parts"]["plugins"]
    assert plugins == {"status": "failing", "text": "failed: pigeon"}


@on_sqlite
def test_strangers_learn_the_state_and_nothing_more(client: FlaskClient, factories: Factories) -> None:
    for more in PROXIED:
        assert set(client.get("/health/ready", **more).get_json()) == {"status"}
        problem(client.get("/metrics", **more), 404, "not_found")
    member = factories.headers(factories.user())
    admin = factories.user(is_instance_admin=True)
    scraper = factories.headers(admin, scopes=["metrics"])
    for headers in (member, factories.headers(factories.user(), scopes=["metrics"]), factories.headers(admin)):
        assert "parts" not in client.get("/health/ready", headers=headers, **AWAY).get_json()
        assert client.get("/metrics", headers=headers, **AWAY).status_code == 404
    assert "parts" in client.get("/health/ready", headers=scraper, **AWAY).get_json()
    assert client.get("/metrics", headers=scraper, **AWAY).status_code == 200
    assert client.get("/api/v1/session", headers=scraper).get_json()["scopes"] == ["metrics"]
    assert client.get("/api/v1/tokens", headers=scraper).status_code == 403


@pytest.fixture
def without_database(settings: Settings, client: FlaskClient) -> FlaskClient:
    """A server whose database has gone away."""
    gone = {"sqlite": "sqlite:////nowhere/at/all.db", "postgresql": "postgresql://nobody@127.0.0.1:1/none"}
    db.close_database()
    db.open_database(gone[settings.database_url.partition(":")[0]])
    return client


def test_without_a_database_it_lives_and_is_not_ready(without_database: FlaskClient) -> None:
    client = without_database
    assert (client.get("/health/live").status_code, client.get("/health/live").get_json()) == (200, {"status": "live"})
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unavailable")
    parts = answer.get_json()["parts"]
    assert parts["database"] == {"status": "failing", "text": "does not answer"}
    assert parts["worker"]["status"] == "unknown"
    assert set(client.get("/health/ready", **AWAY).get_json()) == {"status"}
    asked = client.get("/api/v1/session", headers={"Authorization": f"Bearer my_{'0' * 32}_x"})
    assert problem(asked, 503, "unavailable")["hint"]
    assert asked.headers["Retry-After"] == "1"
    assert client.get("/api/v1/nothing").status_code == 404
    assert samples(client)["modelyard_database_up"] == 0


def samples(client: FlaskClient) -> dict[str, float]:
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


@on_sqlite
def test_requests_are_counted_under_labels_that_we_know(app: Flask, client: FlaskClient) -> None:
    before = samples(client)
    for address in (f"/api/v1/organizations/{name}" for name in ("a", "b", "c\u00fc", "x" * 300)):
        client.get(address)
    for _ in range(3):
        client.get("/no/such/page/at/all?x=1")
        client.open("/api/v1/session", method="BREW")
    after = samples(client)
    changed = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    counted = {name: value for name, value in changed.items() if name.startswith("modelyard_http_requests_total")}
    organization = 'endpoint="organizations.OrganizationView",method="GET",status="401"'
    assert counted[f"modelyard_http_requests_total{{{organization}}}"] == 4
    assert sum(value for name, value in counted.items() if 'method="OTHER"' in name) == 3
    assert not any("xxx" in name or "no/such" in name or "BREW" in name for name in after)
    endpoints = {*app.view_functions, "none"}
    import re

    assert {found for name in changed for found in re.findall(r'endpoint="([^"]*)"', name)} <= endpoints


@on_sqlite
def test_failures_of_plugins_are_counted(services: Services, client: FlaskClient) -> None:
    def fail() -> None:
        raise PluginUnavailable("no", plugin="x", operation="y")

    for _ in range(2):
        with pytest.raises(PluginUnavailable):
            services.guard.call('odd"plug\\in', "send", fail, deadline_seconds=5)
    labels = '{operation="send",outcome="plugin_unavailable",plugin="odd\\"plug\\\\in"}'
    assert samples(client)[f"modelyard_plugin_calls_total{labels}"] == 2


@on_sqlite
def test_what_waits_is_shown_as_it_is_now(client: FlaskClient) -> None:
    before = samples(client)
    assert before["modelyard_database_up"] == 1
    Job.create(kind="a", arguments={}, state="failed")
    enqueue("a", {})
    WorkerRow.create(name="w", host="h", pid=1)
    WorkerRow.create(name="old", host="h", pid=2, seen_at_ms=1)
    after = samples(client)
    assert (after['modelyard_jobs{state="failed"}'], after['modelyard_jobs{state="queued"}']) == (1, 1)
    assert (before["modelyard_workers"], after["modelyard_workers"]) == (0, 1)
    assert any(name.startswith("modelyard_build_info{") for name in after)


@on_sqlite
def test_connections_are_counted_while_they_are_held(app: Flask, client: FlaskClient) -> None:
    def held() -> float | None:
        return REGISTRY.get_sample_value("modelyard_database_connections_in_use")

    @app.get("/api/v1/release")
    def release() -> list[float | None]:
        before = held()
        release_connection()
        return [before, held()]

    assert client.get("/api/v1/release").get_json() == [1, 0]
    assert held() == 0
    assert samples(client)["modelyard_database_connections_in_use"] == 1
