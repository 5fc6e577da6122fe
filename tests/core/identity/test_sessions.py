"""Sign-in by browser: one answer to all that is wrong, and sessions that end."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from argon2 import PasswordHasher

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import AuthenticationRequired, NotFound, PermissionDenied
from modelyard.core.identity import credentials, sessions
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import Session, User
from modelyard.core.notifications.models import Event
from tests.factories import PASSWORD, Factories

WHERE: dict[str, Any] = {"address": "10.0.0.1", "user_agent": "a browser", "request_id": "r1"}
HOUR_MS = 3600 * 1000


def sign_in(services: Services, username: str = "ada", password: str = PASSWORD) -> str:
    return services.sessions.sign_in(username, password, **WHERE)[1]


def whose(services: Services, secret: str) -> User | None:
    """Whose live session the cookie is."""
    found = services.sessions.find(secret)
    return found[0] if found else None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Move the services' clock: `clock(hours=1)`."""

    def move(*, hours: float) -> None:
        monkeypatch.setattr(sessions, "now_ms", lambda: db.now_ms() + int(hours * HOUR_MS))

    return move


@pytest.mark.usefixtures("ada")
def test_only_a_hash_of_the_cookie_is_kept(services: Services) -> None:
    secret = sign_in(services, "Ada")
    (row,) = db.database.execute_sql('SELECT * FROM "session"').fetchall()
    assert secret not in str(row)
    assert hashlib.sha256(secret.encode()).hexdigest() in row
    event = Event.get(Event.action == "session.opened")
    assert (event.actor_name, event.address, event.request_id) == ("ada", "10.0.0.1", "r1")
    assert secret not in str(db.database.execute_sql("SELECT * FROM event").fetchall())


def test_whatever_is_wrong_reads_the_same(
    services: Services, factories: Factories, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.user("gone")
    User.update(disabled_at_ms=1).where(User.username == "gone").execute()
    compared: list[object] = []
    matches = credentials.password_matches
    monkeypatch.setattr(
        credentials, "password_matches", lambda given, stored: compared.append(stored) or matches(given, stored)
    )
    told = set()
    for username, password in [
        ("ada", "not the password"), ("nobody", PASSWORD), ("gone", PASSWORD), ("ada", ""), ("ada", PASSWORD + "x"),
        ("ada", "\ud800"), ("nobody", "\ud800"),
    ]:  # fmt: skip
        with pytest.raises(AuthenticationRequired) as refused:
            sign_in(services, username, password)
        told.add((str(refused.value), str(refused.value.details)))
    assert len(told) == 1
    assert len(compared) == 7  # a hash was compared for those who are not there, too
    assert (Session.select().count(), Event.select().where(Event.action == "session.opened").count()) == (0, 0)


def test_a_session_lives_while_it_is_used(services: Services, ada: User, clock: Any) -> None:
    hours = services.settings.server.session_hours
    secret = sign_in(services)
    clock(hours=hours - 1)
    assert whose(services, secret) == ada
    clock(hours=2 * hours - 2)
    assert whose(services, secret) == ada
    clock(hours=4 * hours)
    assert services.sessions.find(secret) is None


def test_expired_sessions_are_swept_at_the_next_sign_in(services: Services, ada: User, clock: Any) -> None:
    first = sign_in(services)
    clock(hours=services.settings.server.session_hours + 1)
    second = sign_in(services)
    assert Session.select().count() == 1
    assert (services.sessions.find(first), whose(services, second)) == (None, ada)


def test_signing_out_ends_this_session_only(services: Services, ada: User) -> None:
    first, second = sign_in(services), sign_in(services)
    services.sessions.sign_out(first)
    services.sessions.sign_out(first)
    services.sessions.sign_out("never heard of")
    assert services.sessions.find(first) is None
    assert whose(services, second) == ada


@pytest.mark.usefixtures("ada")
def test_a_disabled_user_is_out_at_once(services: Services) -> None:
    secret = sign_in(services)
    User.update(disabled_at_ms=db.now_ms()).execute()
    assert services.sessions.find(secret) is None


@pytest.mark.usefixtures("ada")
def test_a_stored_hash_is_no_key(services: Services) -> None:
    sign_in(services)
    stored = Session.get().secret_hash
    assert services.sessions.find(stored) is None
    assert services.sessions.find("") is None


def test_a_password_is_hashed_anew_when_the_parameters_have_changed(services: Services, ada: User) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    User.update(password_hash=old).execute()
    with pytest.raises(AuthenticationRequired):
        sign_in(services, password="not the password")
    assert User.get_by_id(ada.id).password_hash == old
    sign_in(services)
    renewed = User.get_by_id(ada.id).password_hash
    assert renewed != old
    assert not credentials.is_outdated(renewed)
    assert whose(services, sign_in(services)) == ada
    assert User.get_by_id(ada.id).password_hash == renewed


def test_a_session_ends_in_any_case(services: Services, ada: User, clock: Any) -> None:
    settings = services.settings.server
    secret = sign_in(services)
    for hours in range(settings.session_hours - 1, settings.session_max_hours, settings.session_hours - 1):
        clock(hours=hours)
        assert whose(services, secret) == ada
    clock(hours=settings.session_max_hours - 0.01)
    assert whose(services, secret) == ada
    clock(hours=settings.session_max_hours + 0.01)
    assert services.sessions.find(secret) is None


def actor_at(services: Services, secret: str) -> Actor:
    """Act by the session of a cookie."""
    found = services.sessions.find(secret)
    assert found is not None
    return sessions.actor_of_user(found[0], request_id="", address="", session_id=found[1].public_id)


@pytest.mark.usefixtures("cheap")
def test_ones_sessions_are_listed_and_ended(services: Services, factories: Factories, ada: User) -> None:
    here, there, elsewhere = (sign_in(services) for _ in range(3))
    stranger = services.sessions.open(factories.user("bo"), address="", user_agent="", request_id="")
    actor = actor_at(services, here)
    listed = list(services.sessions.list(actor))
    assert {(row.user_id, row.address, row.user_agent) for row in listed} == {(ada.id, "10.0.0.1", "a browser")}
    assert [row.public_id == actor.session_id for row in listed] == [False, False, True]
    services.sessions.end(actor, actor_at(services, there).session_id)
    assert [whose(services, secret) for secret in (here, there, elsewhere)] == [ada, None, ada]
    strange_id = actor_at(services, stranger).session_id
    for session_id in (strange_id, "0" * 32, ""):
        with pytest.raises(NotFound):
            services.sessions.end(actor, session_id)
    services.sessions.end_others(actor)
    services.sessions.end_others(actor)
    assert [whose(services, secret) for secret in (here, elsewhere)] == [ada, None]
    assert whose(services, stranger) is not None
    ended = list(Event.select().where(Event.action == "session.ended"))
    assert [(row.actor_name, row.after) for row in ended] == [("ada", {"sessions": 1})] * 2


@pytest.mark.usefixtures("cheap")
def test_a_token_ends_all_sessions_of_its_user(services: Services, factories: Factories, ada: User) -> None:
    secret = sign_in(services)
    with pytest.raises(PermissionDenied):
        services.sessions.end_others(replace(factories.actor(ada), scopes=frozenset({"read", "write"})))
    services.sessions.end_others(replace(factories.actor(ada), kind="token", scopes=frozenset({"admin"})))
    assert services.sessions.find(secret) is None


@pytest.mark.usefixtures("cheap", "ada")
def test_an_administrator_ends_a_users_sessions(services: Services, factories: Factories, root: User) -> None:
    secret = sign_in(services)
    with pytest.raises(PermissionDenied):
        services.sessions.end_all(factories.actor(), "ada")
    services.sessions.end_all(factories.actor(root), "ADA")
    assert services.sessions.find(secret) is None
    with pytest.raises(NotFound):
        services.sessions.end_all(factories.actor(root), "nobody")
    assert Event.get(Event.action == "session.ended").object_name == "ada"
