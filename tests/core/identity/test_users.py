"""Users: names, passwords, and who may make them."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import AlreadyExists, AuthenticationRequired, InvalidInput, PermissionDenied
from modelyard.core.identity import credentials
from modelyard.core.identity.actor import ANONYMOUS
from modelyard.core.identity.models import User
from modelyard.core.notifications.models import Event
from tests.factories import CHEAP_HASH, PASSWORD, SYSTEM, Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash nothing: what is looked at here is everything else."""
    monkeypatch.setattr(credentials, "hash_password", lambda password: CHEAP_HASH)


def test_a_user_is_made_with_an_event_and_without_a_readable_password(services: Services) -> None:
    made = services.users.create(SYSTEM, username="Ada.Lovelace", password="a sensible password", display_name="Ada L.")
    stored = database.execute_sql("SELECT username, password_hash FROM user_account").fetchall()
    assert [row[0] for row in stored] == ["ada.lovelace"]
    assert stored[0][1].startswith("$argon2id$")
    event = Event.get()
    assert (event.action, event.object_id, event.object_name) == ("user.created", made.public_id, "ada.lovelace")
    everything = str(database.execute_sql("SELECT * FROM event").fetchall()) + str(stored)
    assert "a sensible password" not in everything


@pytest.mark.usefixtures("cheap")
def test_a_name_is_taken_in_every_spelling(services: Services) -> None:
    services.users.create(SYSTEM, username="ada", password=PASSWORD)
    with pytest.raises(AlreadyExists, match="'ada'") as refused:
        services.users.create(SYSTEM, username="ADA", password=PASSWORD)
    assert refused.value.details == {"field": "username"}
    assert (User.select().count(), Event.select().count()) == (1, 1)


BAD_NAMES = ["", "a b", "-a", "a-", "a--b", "a/b", "a@b", "ü", "a" * 64, "a\n", "a\0", "\ud800", ".", "a.", "a._b"]


@on_sqlite
@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("username", BAD_NAMES)
def test_bad_names_are_refused(services: Services, username: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.users.create(SYSTEM, username=username, password=PASSWORD)
    assert refused.value.details["field"] == "username"
    assert User.select().count() == 0


@on_sqlite
@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("username", ["a", "a" * 63, "a.b_c-d", "7of9"])
def test_good_names_are_taken(services: Services, username: str) -> None:
    assert services.users.create(SYSTEM, username=username, password=PASSWORD).username == username


@on_sqlite
@pytest.mark.parametrize("password", ["", "123456789", "x" * 1025, "with a NUL \0 in it", "half a pair \ud83d in it"])
def test_bad_passwords_are_refused_and_not_quoted(services: Services, password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.users.create(SYSTEM, username="ada", password=password)
    assert refused.value.details["field"] == "password"
    assert not password or password not in str(refused.value)
    assert User.select().count() == 0


@on_sqlite
@pytest.mark.usefixtures("cheap")
@pytest.mark.parametrize("display_name", ["x" * 201, "a\0b", "a\x1bb"])
def test_bad_display_names_are_refused(services: Services, display_name: str) -> None:
    with pytest.raises(InvalidInput, match="display_name"):
        services.users.create(SYSTEM, username="ada", password=PASSWORD, display_name=display_name)


@on_sqlite
@pytest.mark.usefixtures("cheap")
def test_only_an_instance_administrator_makes_users(services: Services, factories: Factories) -> None:
    wish: dict[str, Any] = {"username": "new", "password": PASSWORD}
    with pytest.raises(AuthenticationRequired):
        services.users.create(ANONYMOUS, **wish)
    with pytest.raises(PermissionDenied) as refused:
        services.users.create(factories.actor(), **wish)
    assert refused.value.details["needed_role"] == "instance administrator"
    root = factories.user(is_instance_admin=True)
    assert services.users.create(factories.actor(root), **wish).username == "new"
    assert [user.username for user in services.users.list()] == sorted(user.username for user in User.select())
