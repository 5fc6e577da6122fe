"""Users: names, passwords, and who may make them."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from modelyard.core import bootstrap, db
from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import (
    AlreadyExists,
    AuthenticationRequired,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
)
from modelyard.core.identity.actor import ANONYMOUS
from modelyard.core.identity.models import User
from modelyard.core.notifications.models import Event
from tests.factories import PASSWORD, SYSTEM, Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


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
    assert [user.username for user in services.users.list(SYSTEM)] == sorted(user.username for user in User.select())


@pytest.mark.usefixtures("cheap")
def test_a_user_is_edited_with_an_event(services: Services, factories: Factories, root: User) -> None:
    factories.user("ada")
    actor = factories.actor(root)
    edited = services.users.edit(
        actor, "Ada", {"display_name": "Ada L.", "email": "ada@example.com", "disabled": False}
    )
    assert (edited.display_name, edited.email) == ("Ada L.", "ada@example.com")
    row = database.execute_sql("SELECT display_name, email FROM user_account WHERE username = 'ada'").fetchone()
    assert tuple(row) == ("Ada L.", "ada@example.com")
    event = Event.get(Event.action == "user.updated")
    assert event.before == {"display_name": "", "email": ""}
    assert event.after == {"display_name": "Ada L.", "email": "ada@example.com"}
    services.users.edit(actor, "ada", {"display_name": "Ada L."})
    assert Event.select().where(Event.action == "user.updated").count() == 1


@on_sqlite
@pytest.mark.parametrize(
    "email", ["ada", "@", "a@", "@b", "a b@c", "a@b@c", "a@b c", "a@\0", "a@b\n", "\ud800@b", "a@" + "b" * 253]
)
def test_bad_addresses_are_refused(services: Services, factories: Factories, ada: User, email: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.users.edit(factories.actor(ada), "ada", {"email": email})
    assert refused.value.details["field"] == "email"
    assert User.get_by_id(ada.id).email == ""


@on_sqlite
def test_people_change_their_own_name_and_address_only(services: Services, factories: Factories, ada: User) -> None:
    other, actor = factories.user("bo"), factories.actor(ada)
    assert services.users.edit(actor, "ADA", {"display_name": "A", "email": "a@b"}).email == "a@b"
    assert services.users.get(actor, "ada") == ada
    for username, changes in [
        ("ada", {"is_instance_admin": True}), ("ada", {"disabled": False}), ("bo", {"display_name": "x"}),
        ("ada", {"display_name": "x", "is_instance_admin": False}), ("nobody", {"display_name": "x"}),
    ]:  # fmt: skip
        with pytest.raises(PermissionDenied, match="instance administrators"):
            services.users.edit(actor, username, changes)
    for act in (lambda: services.users.get(actor, "bo"), lambda: services.users.get(actor, "nobody")):
        with pytest.raises(PermissionDenied):
            act()
    with pytest.raises(PermissionDenied):
        services.users.delete(actor, "ada")
    assert (User.get_by_id(ada.id).is_instance_admin, User.get_by_id(other.id).display_name) == (False, "")


def test_a_disabled_user_is_out_everywhere_at_once(services: Services, factories: Factories, root: User) -> None:
    ada, actor = factories.user("ada"), factories.actor(root)
    token = factories.token(ada)
    secret = services.sessions.open(ada, address="", user_agent="", request_id="")
    link = services.passwords.create_link(actor, "ada").url.rpartition("/")[2]
    services.users.edit(actor, "ada", {"disabled": True})
    db.close_database()
    other_process = bootstrap.build(services.settings, process="web")
    assert (other_process.sessions.find(secret), other_process.tokens.find(token)) == (None, None)
    with pytest.raises(NotFound):
        services.passwords.use_link(link, PASSWORD, request_id="", address="")
    with pytest.raises(Conflict, match="disabled"):
        services.passwords.create_link(actor, "ada")
    services.users.edit(actor, "ada", {"disabled": False})
    assert services.sessions.find(secret) is None
    found = services.tokens.find(token)
    assert found is not None
    assert found[0] == ada


@pytest.mark.parametrize("changes", [{"is_instance_admin": False}, {"disabled": True}, None])
def test_the_last_administrator_stays(
    services: Services, factories: Factories, root: User, changes: dict[str, Any] | None
) -> None:
    factories.user("was-one", is_instance_admin=True)
    actor = factories.actor(root)
    services.users.edit(actor, "was-one", {"disabled": True})

    def act(username: str) -> None:
        if changes is None:
            services.users.delete(SYSTEM, username)
        else:
            services.users.edit(actor, username, changes)

    with pytest.raises(Conflict, match="last active instance administrator"):
        act("root")
    assert User.get(User.username == "root").is_instance_admin
    assert User.get(User.username == "root").disabled_at_ms is None
    factories.user("second", is_instance_admin=True)
    act("root")
    with pytest.raises(Conflict, match="last active"):
        services.users.edit(SYSTEM, "second", {"disabled": True})


def test_two_administrators_cannot_end_each_other_at_once(services: Services, factories: Factories) -> None:
    names = ["one", "two"]
    actors = {name: factories.actor(factories.user(name, is_instance_admin=True)) for name in names}
    barrier = threading.Barrier(2)
    refused: list[str] = []

    def demote(name: str) -> None:
        with db.connection():
            barrier.wait(30)
            try:
                services.users.edit(actors[name], names[name == "one"], {"is_instance_admin": False})
            except Conflict as error:
                refused.append(error.message)
            finally:
                if not db.is_postgresql():
                    db.database.close()

    threads = [threading.Thread(target=demote, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert User.select().where(User.is_instance_admin).count() == 1
    assert len(refused) == 1


def test_a_deleted_user_leaves_events_and_nothing_else(services: Services, factories: Factories, root: User) -> None:
    project = factories.project()
    leaver = factories.member(project, "editor")
    factories.token(leaver)
    services.users.delete(factories.actor(root), leaver.username)
    for table in ("session", "api_token", "organization_member", "project_member"):
        rows = database.execute_sql(f'SELECT count(*) FROM "{table}" WHERE user_id = {leaver.id}').fetchone()
        assert rows[0] == 0, table
    assert User.get_or_none(User.id == leaver.id) is None
    event = Event.get(Event.action == "user.deleted")
    assert (event.object_id, event.object_name) == (leaver.public_id, leaver.username)
    assert Event.select().where(Event.actor_id == leaver.public_id, Event.action == "token.created").count() == 1
    again = factories.user(leaver.username)
    assert again.public_id != leaver.public_id
    assert list(again.tokens) == []


def test_an_owner_is_not_deleted_before_there_is_another(services: Services, factories: Factories, root: User) -> None:
    ada = factories.user("ada")
    organization = factories.organization("acme", owner=ada)
    actor = factories.actor(root)
    with pytest.raises(Conflict, match="last owner of 'acme'"):
        services.users.delete(actor, "ada")
    factories.user("bo")
    services.organizations.set_member(factories.actor(ada), organization.slug, "bo", "owner")
    services.users.delete(actor, "ada")
    assert User.get_or_none(User.username == "ada") is None
    with pytest.raises(Conflict, match="yourself"):
        services.users.delete(actor, "root")
    with pytest.raises(NotFound):
        services.users.delete(actor, "ada")
