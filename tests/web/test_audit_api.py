"""The audit log and the log of deliveries over HTTP: filters, who sees addresses, files, telling again."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from modelyard.core.bootstrap import Services
from modelyard.core.db import database, is_postgresql
from modelyard.core.identity.models import User
from modelyard.core.notifications import audit
from modelyard.core.notifications.models import Delivery, DeliveryAttempt, Event
from modelyard.core.projects.models import Project
from tests.factories import Factories, system_owner
from tests.web.conftest import Place
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def models(place: Place) -> list[str]:
    """Models that were made over HTTP, the newest first."""
    for name in ("risk", "churn", "fraud"):
        assert (
            place.call("POST", "/models", {"name": name}, headers={"X-Request-ID": f"made-{name}"}).status_code == 201
        )
    assert place.call("PATCH", "/models/risk", {"description": "new"}).status_code == 200
    return ["fraud", "churn", "risk"]


def shown(place: Place, **query: str) -> list[str]:
    answer = place.call("GET", "/events", query_string=query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [f"{item['action']} {item['object']['name']}" for item in answer.get_json()["items"]]


def test_an_event_says_all_that_is_known(place: Place, models: list[str]) -> None:
    (item,) = place.call("GET", "/events", query_string={"action": "model.updated"}).get_json()["items"]
    assert item["actor"] == {"kind": "token", "id": place.user.public_id, "name": place.user.username}
    assert (item["object"]["kind"], item["object"]["name"]) == ("model", "risk")
    assert (item["organization"], item["project"]) == (place.project.organization.slug, "churn")
    assert (item["before"], item["after"]) == ({"description": ""}, {"description": "new"})
    assert (item["address"], bool(item["request_id"])) == ("127.0.0.1", True)
    assert item["occurred_at"].endswith("Z")


def test_the_query_narrows_the_list(place: Place, models: list[str]) -> None:
    made = [f"model.created {name}" for name in models]
    assert shown(place, action="model.created") == made
    assert shown(place, action="model.*") == ["model.updated risk", *made]
    assert shown(place, object_kind="model", actor=place.user.username) == ["model.updated risk", *made]
    assert shown(place, request_id="made-churn") == ["model.created churn"]
    assert shown(place, action="model.*", address="127.0.0.1", q="frau") == ["model.created fraud"]
    assert shown(place, action="model.created", order_by="occurred_at") == made[::-1]
    moment = place.call("GET", "/events?action=model.created&q=churn").get_json()["items"][0]["occurred_at"]
    assert "model.created churn" in shown(place, **{"from": moment, "action": "model.created"})
    assert "model.created churn" not in shown(place, to=moment)
    assert shown(place, to="2001-01-01T00:00:00+01:00") == []
    first = place.call("GET", "/events?action=model.*&limit=2").get_json()
    second = place.call("GET", "/events", query_string={"action": "model.*", "cursor": first["next_cursor"]}).get_json()
    assert [item["object"]["name"] for item in first["items"] + second["items"]] == ["risk", *models]


@on_sqlite
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"), ({"to": "2026-01-01T00:00:00"}, "to"), ({"from": "1"}, "from"),
        ({"action": "mod*"}, "action"), ({"limit": "0"}, "limit"),
    ],
)  # fmt: skip
def test_a_filter_that_is_none_is_named(place: Place, query: dict[str, str], field: str) -> None:
    body = problem(place.call("GET", "/events", query_string=query), 422, "invalid_input")
    assert field in body["errors"]


@on_sqlite
def test_addresses_are_shown_to_admins_alone(
    place: Place, models: list[str], factories: Factories, client: Any
) -> None:
    viewer = factories.headers(factories.member(place.project, "viewer"))
    listed = client.get(f"{place.address}/events", headers=viewer).get_json()["items"]
    assert {item["address"] for item in listed} == {None}
    exported = client.get(f"{place.address}/events/export", headers=viewer).get_data(as_text=True)
    assert "127.0.0.1" not in exported
    for path in ("/events", "/events/export"):
        problem(client.get(f"{place.address}{path}?address=127.0.0.1", headers=viewer), 403, "permission_denied")


def test_the_export_is_the_whole_list_as_lines_of_json(
    place: Place, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "BATCH", 2)
    database.close()  # a connection that was open before the request stays open
    answer = place.call("GET", "/events/export", buffered=False)
    assert answer.status_code == 200
    assert answer.is_streamed
    assert answer.content_type == "application/x-ndjson; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="events.ndjson"'
    chunks = iter(answer.response)
    first = next(chunks)
    if is_postgresql():
        assert database.is_closed()
    lines = (first + b"".join(chunks)).decode().splitlines()  # type: ignore[operator, arg-type]
    listed = place.call("GET", "/events?limit=200").get_json()["items"]
    assert len(lines) > 4
    assert [json.loads(line) for line in lines] == listed


@on_sqlite
def test_a_spreadsheet_takes_nothing_for_a_formula(place: Place, services: Services) -> None:
    for name in ("=1+1", "+1", "-1", "@SUM(A1)", "plain"):
        services.models.create(place.actor, place.project, name=name, description='=cmd|"/c calc"!A0')
    answer = place.call("GET", "/events/export?format=csv&action=model.created")
    assert answer.content_type == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    assert [row["object_name"] for row in rows] == ["plain", "'@SUM(A1)", "'-1", "'+1", "'=1+1"]
    assert {row["actor_name"] for row in rows} == {place.user.username}
    assert all(row["id"] and row["occurred_at"] and row["address"] == "127.0.0.1" for row in rows)
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    assert json.loads(rows[0]["after"])["name"] == "plain"


@on_sqlite
def test_the_export_is_narrowed_and_refused_as_the_list_is(place: Place, models: list[str]) -> None:
    answer = place.call("GET", "/events/export?action=model.created&format=ndjson")
    assert [json.loads(line)["object"]["name"] for line in answer.get_data().splitlines()] == models
    problem(place.call("GET", "/events/export?action=mod*"), 422, "invalid_input")
    problem(place.call("GET", "/events/export?format=xml"), 422, "invalid_input")
    assert place.call("GET", "/events/export?actor=nobody").get_data() == b""


@on_sqlite
def test_organization_and_instance_have_lists_and_files(
    place: Place, models: list[str], factories: Factories, client: Any
) -> None:
    above = place.address.rpartition("/projects/")[0]
    listed = place.call("GET", f"{above}/events?limit=200").get_json()["items"]
    assert {item["project"] for item in listed} == {"churn", None}
    lines = place.call("GET", f"{above}/events/export").get_data().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [item["id"] for item in listed]
    root = factories.headers(User.get(User.username == "root"))
    listed = client.get("/api/v1/events?action=organization.*", headers=root).get_json()["items"]
    assert "organization.created" in {item["action"] for item in listed}
    lines = client.get("/api/v1/events/export", headers=root).get_data().splitlines()
    assert {json.loads(line)["project"] for line in lines} == {None}


@pytest.fixture
def failed(place: Place) -> Delivery:
    """A delivery to the log that has failed, with two attempts."""
    wish = {"kind": "notifier", "provider": "log", "settings": {}, "name": "log", "subscriptions": ["model.*"]}
    place.call("POST", "/connections", wish)
    place.call("POST", "/models", {"name": "risk"})
    row = Delivery.get(Delivery.subscriber == "log")
    Delivery.update(state="failed", attempts=2, last_error="no").where(Delivery.id == row.id).execute()
    for outcome in ("failed", "refused"):
        DeliveryAttempt.note(row, started_at_ms=1_760_000_000_000, outcome=outcome, error=outcome)
    return row


@on_sqlite
def test_a_delivery_shows_its_attempts_and_is_told_again(place: Place, failed: Delivery) -> None:
    path = f"/deliveries/{failed.public_id}"
    body = place.call("GET", path).get_json()
    assert (body["state"], body["attempts"], body["subscriber"]) == ("failed", 2, "log")
    assert [(one["outcome"], one["error"]) for one in body["log"]] == [("refused", "refused"), ("failed", "failed")]
    assert body["log"][0]["started_at"] == "2025-10-09T08:53:20.000Z"
    assert body["log"][0]["duration_seconds"] > 0
    again = place.call("POST", f"{path}/redeliver")
    assert (again.status_code, again.get_json()["state"], again.get_json()["attempts"]) == (202, "queued", 0)
    assert again.get_json()["next_attempt_at"] is not None
    problem(place.call("POST", f"{path}/redeliver"), 409, "invalid_transition")
    assert Event.select().where(Event.action == "delivery.redelivered").count() == 1
    problem(place.call("GET", "/deliveries/nonsense"), 404, "not_found")


@on_sqlite
def test_deliveries_are_found(place: Place, failed: Delivery) -> None:
    above = place.address.rpartition("/projects/")[0]
    connection = place.call("GET", "/connections").get_json()["items"][0]["id"]

    def found(**query: str) -> list[str]:
        answers = [place.call("GET", path, query_string=query) for path in ("/deliveries", f"{above}/deliveries")]
        mine, all_of_it = ([item["id"] for item in answer.get_json()["items"]] for answer in answers)
        assert set(mine) <= set(all_of_it)
        return mine

    mine = [failed.public_id]
    for query in (
        {"state": "failed"}, {"subscriber": "log"}, {"action": "model.created", "subscriber": "log"},
        {"connection_id": connection}, {"event_id": failed.event.public_id, "state": "failed"},
    ):  # fmt: skip
        assert found(**query) == mine, query
    assert found(state="done") == found(subscriber="other") == found(connection_id="f" * 32) == []
    problem(place.call("GET", "/deliveries?state=lost"), 422, "invalid_input")
    assert place.call("GET", f"{above}/deliveries/{failed.public_id}").get_json()["id"] == failed.public_id
    assert place.call("POST", f"{above}/deliveries/{failed.public_id}/redeliver").status_code == 202


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_what_a_receiver_said_is_for_those_who_may_see_its_settings(
    services: Services, factories: Factories, client: FlaskClient
) -> None:
    project = factories.project("churn")
    owner = factories.actor(system_owner(project))
    log = {"kind": "notifier", "provider": "log", "settings": {}}
    for place, name in ((project, "own"), (project.organization, "shared")):
        services.connections.create(owner, place, name=name, **log)
    services.projects.edit(owner, project, {"name": "Other"})
    Delivery.update(last_error="302 to https://inner.example/SECRET").execute()
    sees = {}
    for role in ("viewer", "admin"):
        headers = factories.headers(factories.member(project, role))
        found = client.get(f"{address_of(project)}/deliveries", headers=headers).get_json()["items"]
        sees[role] = {row["subscriber"]: "SECRET" in row["last_error"] for row in found if row["last_error"]}
    assert sees["viewer"] == {"own": False, "shared": False}
    assert sees["admin"] == {"own": True, "shared": False}
    headers = factories.headers(system_owner(project))
    found = client.get(f"{address_of(project)}/deliveries", headers=headers).get_json()["items"]
    told = {row["subscriber"]: "SECRET" in row["last_error"] for row in found if row["last_error"]}
    assert told == {"own": True, "shared": True}


def address_of(project: Project) -> str:
    return f"/api/v1/organizations/{project.organization.slug}/projects/{project.slug}"
