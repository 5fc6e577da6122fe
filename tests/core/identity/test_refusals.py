"""Refused sign-ins in the audit log: who it claimed to be and from where, never what was typed, and never a flood."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import AuthenticationRequired, PermissionDenied, TooManyRequests
from modelyard.core.identity import refusals
from modelyard.core.identity.models import User
from modelyard.core.identity.oidc import ProvedIdentity
from modelyard.core.jobs import Job
from modelyard.core.notifications.models import Event
from modelyard.core.worker import Worker
from tests.core.identity.conftest import stored
from tests.factories import PASSWORD, Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
pytestmark = pytest.mark.usefixtures("cheap")
AWAY = "203.0.113.9"
QUIET_SECONDS = 900


def refuse(services: Services, username: str = "ada", *, address: str = AWAY, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises((AuthenticationRequired, TooManyRequests)):
            services.sessions.sign_in(username, "wr0ng-guess", address=address, user_agent="", request_id="r1")


def told() -> list[tuple[str, str, int]]:
    events = Event.select().where(Event.action == "session.refused").order_by(Event.id)
    return [(event.object_name, event.address, event.after["attempts"]) for event in events]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Move the clock of refusals."""

    def move(seconds: float) -> None:
        monkeypatch.setattr(refusals, "now_ms", lambda: db.now_ms() + int(seconds * 1000))

    return move


def work_off(services: Services) -> None:
    Job.update(run_after_ms=1).where(Job.state == "queued").execute()
    worker = Worker(services, threads=1, lease_seconds=60, max_attempts=3)
    assert worker.run_once(jobs_only=True)


def test_a_flood_is_one_event_and_then_its_count(services: Services, ada: User, later: Any) -> None:
    refuse(services, times=9)  # from the sixth on they are held back
    assert told() == [("ada", AWAY, 1)]
    event = Event.get(Event.action == "session.refused")
    assert (event.object_kind, event.object_id) == ("session", ada.public_id)
    assert (event.organization, event.project) == (None, None)
    assert (event.actor_kind, event.actor_id, event.request_id) == ("anonymous", "", "r1")
    job = Job.get()
    assert QUIET_SECONDS - 60 < (job.run_after_ms - db.now_ms()) / 1000 <= QUIET_SECONDS
    later(QUIET_SECONDS + 1)
    work_off(services)
    assert told() == [("ada", AWAY, 1), ("ada", AWAY, 8)]
    refuse(services)
    assert len(told()) == 2  # the quiet time began again
    later(3 * QUIET_SECONDS)
    refuse(services)
    assert told()[2:] == [("ada", AWAY, 2)]
    work_off(services)  # there is nothing left to tell
    assert len(told()) == 3


@on_sqlite
def test_an_account_that_does_not_exist_is_not_named(services: Services, ada: User) -> None:
    for typed in ("correct horse battery", "mallory", "bob"):
        refuse(services, typed)
    assert told() == [("unknown account", AWAY, 1)]
    refuse(services, "mallory", address="2001:db8::1")
    refuse(services, "mallory", address="2001:db8::2")
    refuse(services, "ADA", address="192.0.2.4")
    assert told()[1:] == [("unknown account", "2001:db8::1", 1), ("ada", "192.0.2.4", 1)]
    kept = stored("event") + stored("job") + stored("sign_in_count")
    for secret in ("correct horse", "mallory", "wr0ng-guess"):
        assert secret not in kept


@on_sqlite
def test_a_disabled_account_is_told_by_its_name(services: Services, ada: User) -> None:
    User.update(disabled_at_ms=1).execute()
    refuse(services)
    assert told() == [("ada", AWAY, 1)]


@on_sqlite
def test_a_refusal_after_the_providers_sign_in_is_told_too(services: Services) -> None:
    where: dict[str, Any] = {"address": AWAY, "user_agent": "", "request_id": "r1"}
    identity = ProvedIdentity("https://id.example", "s1", "grace", "Grace", frozenset())
    services.oidc.sign_in(identity, **where)
    User.update(disabled_at_ms=1).execute()
    with pytest.raises(PermissionDenied):
        services.oidc.sign_in(identity, **where)
    assert told() == [("grace", AWAY, 1)]


@on_sqlite
def test_instance_administrators_read_it(services: Services, factories: Factories, client: FlaskClient) -> None:
    factories.user("ada")
    credentials = {"username": "ada", "password": "wr0ng-guess"}
    assert client.post("/api/v1/session", json=credentials).status_code == 401
    assert client.post("/api/v1/session", json={**credentials, "password": PASSWORD}).status_code == 201
    client.delete_cookie("modelyard_session")
    headers = factories.headers(factories.user(is_instance_admin=True))
    (event,) = client.get("/api/v1/events?action=session.refused", headers=headers).get_json()["items"]
    assert (event["object"]["name"], event["address"], event["after"]) == ("ada", "127.0.0.1", {"attempts": 1})
