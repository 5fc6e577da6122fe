"""Log lines: what a request is known by, and nothing that is secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelyard.core import bootstrap, db
from modelyard.web.app import create_app
from tests.factories import Factories, system_owner

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def lines(text: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, text.splitlines()) if line.get("event") == "request"]


def test_each_request_is_a_line_by_its_route(override: Any, capsys: pytest.CaptureFixture[str]) -> None:
    services = bootstrap.build(override(log={"access": True, "format": "json"}), process="web")
    factories = Factories(services)
    project = factories.project("churn")
    owner = system_owner(project)
    headers = factories.headers(owner)
    client = create_app(services).test_client()
    place = f"{project.organization.slug}/churn"
    address = f"/api/v1/organizations/{project.organization.slug}/projects/churn"
    client.get(f"{address}?secret=hunter2", headers={**headers, "X-Request-ID": "find-me"})
    for _ in range(2):
        client.get(f"/mlflow/{place}/api/2.0/mlflow/experiments/get?experiment_id=0", headers=headers)
    client.get(address)
    client.post("/api/v1/session", json={"username": "ada", "password": "hunter2"})
    db.close_database()
    text = capsys.readouterr().err
    shown, _, wire, anonymous, refused = lines(text)
    assert (shown["method"], shown["status"], shown["request_id"]) == ("GET", 200, "find-me")
    assert shown["route"] == "/api/v1/organizations/<organization>/projects/<project>"
    assert (shown["actor"], shown["project"]) == (owner.public_id, place)
    assert shown["seconds"] > 0
    assert (wire["route"], wire["project"]) == ("mlflow experiments/get", place)
    assert anonymous["status"] == 401
    assert not {"actor", "project"} & set(anonymous)
    assert refused["status"] == 401
    assert "hunter2" not in text
    assert headers["Authorization"].split("_", 2)[2] not in text


def test_without_the_setting_there_are_none(override: Any, capsys: pytest.CaptureFixture[str]) -> None:
    services = bootstrap.build(override(log={"format": "json"}), process="web")
    create_app(services).test_client().get("/api/v1/session")
    db.close_database()
    assert lines(capsys.readouterr().err) == []
