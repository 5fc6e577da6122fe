"""Passwords change by who knows the present one, or by a link that works once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import (
    AuthenticationRequired,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    TooManyRequests,
)
from modelyard.core.identity import passwords
from modelyard.core.identity.actor import ANONYMOUS, Actor
from modelyard.core.identity.models import OneTimeLink, Session, User
from modelyard.core.identity.sessions import actor_of_user
from modelyard.core.notifications.models import Event
from tests.core.identity.conftest import stored
from tests.factories import PASSWORD, SYSTEM, Factories

pytestmark = pytest.mark.usefixtures("cheap")
on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
NEW = "another sensible password"
WHERE: dict[str, Any] = {"address": "192.0.2.1", "user_agent": "", "request_id": ""}


def by_browser(services: Services, user: User) -> Actor:
    """Act by a session of one's own."""
    found = services.sessions.find(services.sessions.open(user, **WHERE))
    assert found is not None
    return actor_of_user(user, request_id="", address="192.0.2.1", session_id=found[1].public_id)


def secret_of(url: str) -> str:
    return url.rpartition("/")[2]


def use(services: Services, secret: str, password: str = NEW) -> None:
    services.passwords.use_link(secret, password, request_id="", address="192.0.2.1")


def can_sign_in(services: Services, password: str, username: str = "ada") -> bool:
    try:
        services.sessions.sign_in(username, password, **WHERE)
    except AuthenticationRequired:
        return False
    return True


def test_a_changed_password_ends_the_other_sessions(services: Services, ada: User) -> None:
    actor, other = by_browser(services, ada), by_browser(services, ada)
    services.passwords.create_link(SYSTEM, "ada")
    services.passwords.change(actor, current_password=PASSWORD, password=NEW)
    assert [row.public_id for row in Session.select()] == [actor.session_id] != [other.session_id]
    assert OneTimeLink.select().count() == 0
    assert (can_sign_in(services, PASSWORD), can_sign_in(services, NEW)) == (False, True)
    event = Event.get(Event.action == "user.password_changed")
    assert (event.actor_name, event.object_name, event.before, event.after) == ("ada", "ada", {}, {})
    assert PASSWORD not in stored("event")
    assert NEW not in stored("event")


def test_guessing_the_present_password_is_slow(services: Services, ada: User) -> None:
    actor = by_browser(services, ada)
    for _ in range(5):
        with pytest.raises(InvalidInput) as refused:
            services.passwords.change(actor, current_password="wrong", password=NEW)
        assert refused.value.details == {"field": "current_password"}
    with pytest.raises(TooManyRequests):
        services.passwords.change(actor, current_password=PASSWORD, password=NEW)
    assert User.get_by_id(ada.id).password_hash == ada.password_hash


@on_sqlite
def test_a_bad_new_password_changes_nothing(services: Services, ada: User) -> None:
    actor = by_browser(services, ada)
    other = by_browser(services, ada)
    with pytest.raises(InvalidInput, match="9 characters") as refused:
        services.passwords.change(actor, current_password=PASSWORD, password="123456789")
    assert refused.value.details["field"] == "password"
    assert {row.public_id for row in Session.select()} == {actor.session_id, other.session_id}


@on_sqlite
def test_a_small_token_changes_no_password(services: Services, factories: Factories, ada: User) -> None:
    program = replace(factories.actor(ada), kind="token", scopes=frozenset({"read", "write", "deploy", "metrics"}))
    for actor, error in (
        (program, PermissionDenied), (ANONYMOUS, AuthenticationRequired),
        (replace(program, scopes=frozenset({"admin"}), project_id=1), PermissionDenied),
    ):  # fmt: skip
        with pytest.raises(error):
            services.passwords.change(actor, current_password=PASSWORD, password=NEW)


def test_a_link_sets_the_password_once(services: Services, factories: Factories, ada: User, root: User) -> None:
    by_browser(services, ada)
    link = services.passwords.create_link(factories.actor(root), "Ada")
    secret = secret_of(link.url)
    assert link.url == f"{services.settings.public_url}/reset-password/{secret}"
    assert secret not in stored("one_time_link") + stored("event")
    assert abs(link.expires_at_ms - db.now_ms() - 24 * 3600 * 1000) < 60_000
    use(services, secret)
    assert Session.select().where(Session.user == ada).count() == 0
    assert (can_sign_in(services, PASSWORD), can_sign_in(services, NEW)) == (False, True)
    with pytest.raises(NotFound):
        use(services, secret, PASSWORD)
    assert can_sign_in(services, NEW)
    actions = [row.action for row in Event.select().where(Event.object_kind == "user").order_by(Event.id)]
    assert actions == ["user.password_link_created", "user.password_reset"]


def test_links_that_are_not_good_read_the_same(
    services: Services, factories: Factories, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = factories.actor(factories.user(is_instance_admin=True))
    replaced = secret_of(services.passwords.create_link(actor, "ada").url)
    used = secret_of(services.passwords.create_link(actor, "ada").url)
    use(services, used)
    expired = secret_of(services.passwords.create_link(actor, "ada").url)
    setup = secret_of(str(_setup_link(services)))
    real = passwords.now_ms
    monkeypatch.setattr(passwords, "now_ms", lambda: real() + 24 * 3600 * 1000 + 1000)
    told = set()
    for secret in (replaced, used, expired, setup, "", "never was", "\ud800", OneTimeLink.get().secret_hash):
        for password in (PASSWORD, "short"):
            with pytest.raises(NotFound) as refused:
                use(services, secret, password)
            told.add(str(refused.value))
    assert len(told) == 1
    assert can_sign_in(services, NEW)
    assert ada


def _setup_link(services: Services) -> str | None:
    """A link for a first administrator that is left over."""
    from modelyard.core.identity import credentials

    OneTimeLink.create(user=None, secret_hash=credentials.hash_secret("left-over"), expires_at_ms=None)
    return f"{services.settings.public_url}/setup/left-over"


@on_sqlite
def test_a_bad_password_leaves_the_link_good(services: Services, ada: User) -> None:
    secret = secret_of(services.passwords.create_link(SYSTEM, "ada").url)
    with pytest.raises(InvalidInput):
        use(services, secret, "short")
    use(services, secret)
    assert can_sign_in(services, NEW)
    assert ada


@on_sqlite
def test_a_link_lets_in_an_owner_who_was_slowed_down(services: Services, ada: User) -> None:
    from modelyard.core.identity import throttle

    for number in range(throttle.ACCOUNT.free):
        throttle.begin_attempt("ada", f"203.0.113.{number}")
    with pytest.raises(TooManyRequests):
        can_sign_in(services, PASSWORD)
    use(services, secret_of(services.passwords.create_link(SYSTEM, "ada").url))
    assert can_sign_in(services, NEW)
    for _ in range(throttle.PAIR.free):
        assert not can_sign_in(services, PASSWORD)
    with pytest.raises(TooManyRequests):
        can_sign_in(services, NEW)
    use(services, secret_of(services.passwords.create_link(SYSTEM, "ada").url))
    assert can_sign_in(services, NEW)
    assert ada


@on_sqlite
def test_only_administrators_make_links(services: Services, factories: Factories, ada: User) -> None:
    for username in ("ada", "nobody"):
        with pytest.raises(PermissionDenied):
            services.passwords.create_link(factories.actor(ada), username)
    with pytest.raises(NotFound, match="'nobody'"):
        services.passwords.create_link(SYSTEM, "nobody")


def test_a_user_without_a_password_gets_in_by_the_link(services: Services) -> None:
    services.users.create(SYSTEM, username="new", password=None)
    assert not can_sign_in(services, "", "new")
    use(services, secret_of(services.passwords.create_link(SYSTEM, "new").url))
    assert can_sign_in(services, NEW, "new")


@on_sqlite
def test_two_changes_at_once_are_not_both_done(services: Services, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    actor = by_browser(services, ada)
    matches = passwords.credentials.password_matches

    def meanwhile(given: str, kept: str | None) -> bool:
        answer = matches(given, kept)
        User.update(password_hash="hash of what somebody else set").where(User.id == ada.id).execute()
        return answer

    monkeypatch.setattr(passwords.credentials, "password_matches", meanwhile)
    with pytest.raises(Conflict, match="meanwhile"):
        services.passwords.change(actor, current_password=PASSWORD, password=NEW)
    assert User.get_by_id(ada.id).password_hash == "hash of what somebody else set"
