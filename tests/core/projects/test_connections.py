"""Connections: providers with settings, and the secrets that never come back out."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from flask.testing import FlaskClient

from modelyard.core.bootstrap import Services
from modelyard.core.db import database, now_ms
from modelyard.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    ModelyardError,
    NotFound,
    PermissionDenied,
    PluginNotFound,
)
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects import connections as module
from modelyard.core.projects.models import Connection, Project
from tests.core.projects.conftest import Shelf, Stuck
from tests.factories import Factories, system_owner

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
pytestmark = pytest.mark.usefixtures("fakes")
SECRET = "hunter2-é"
PAGER: dict[str, Any] = {"name": "night", "kind": "notifier", "provider": "pager"}


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def admin(factories: Factories, project: Project) -> Actor:
    return factories.actor(factories.member(project, "admin"))


@pytest.fixture
def root(services: Services, factories: Factories, project: Project) -> Actor:
    """An instance administrator who is also one of the project's."""
    user = factories.user(is_instance_admin=True)
    owner = factories.actor(system_owner(project))
    services.organizations.set_member(owner, project.organization.slug, user.username, "admin")
    return factories.actor(user)


@pytest.fixture
def night(services: Services, admin: Actor, project: Project) -> Connection:
    settings = {"number": 110, "token": SECRET, "pin": 424242}
    return services.connections.create(admin, project, **PAGER, settings=settings)


def everything_in_sql() -> str:
    rows = [database.execute_sql(f"SELECT * FROM {table}").fetchall() for table in ("connection", "event", "delivery")]
    return repr(rows)


def no_secret_in(text: str) -> bool:
    return not any(form in text for form in (SECRET, "hunter2", "424242"))


def address(project: Project, path: str = "") -> str:
    return f"/api/v1/organizations/{project.organization.slug}/projects/{project.slug}/connections{path}"


def test_secrets_are_encrypted_and_the_rest_is_not(
    services: Services, admin: Actor, project: Project, night: Connection
) -> None:
    stored = database.execute_sql("SELECT settings, encrypted_secrets FROM connection").fetchone()
    assert stored[0] == '{"number":110}'
    assert re.match(r"[0-9a-f]{8}\.gAAAA", stored[1]), "it names its key"
    assert no_secret_in(everything_in_sql())
    bound = services.connections.bound(night)
    assert bound.provider.settings == {"number": 110, "token": SECRET, "pin": 424242}


def test_a_secret_leaves_by_no_door(
    factories: Factories, client: FlaskClient, project: Project, night: Connection
) -> None:
    headers = factories.headers(system_owner(project))
    one = address(project, f"/{night.public_id}")
    answers = [
        client.get(one, headers=headers),
        client.get(address(project), headers=headers),
        client.patch(one, headers=headers, json={"settings": {"number": 111}}),
        client.patch(one, headers=headers, json={"settings": {"number": 0, "token": SECRET}}),
        client.patch(one, headers=headers, json={"settings": {"number": 1, "pin": "424242x" + SECRET}}),
        client.post(address(project), headers=headers, json={**PAGER, "settings": {"number": 1, "token": SECRET}}),
        client.post(address(project), headers=headers, json={**PAGER, "settings": {"token": SECRET}}),
        client.post(f"{one}/test", headers=headers),
        client.get(address(project).replace("connections", "events"), headers=headers),
        client.get(address(project).replace("connections", "deliveries"), headers=headers),
        client.get("/api/v1/providers", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 422, 422, 409, 422, 200, 200, 200, 200]
    assert all(no_secret_in(answer.get_data(as_text=True)) for answer in answers)
    assert answers[0].json is not None
    assert (answers[0].json["has_secrets"], answers[0].json["settings"]) == (True, {"number": 110})
    assert answers[0].json["secrets"] == ["pin", "token"]
    assert answers[7].json == {"ok": True, "message": "called 111 with ***"}


def test_the_values_of_settings_are_in_no_event(
    services: Services, admin: Actor, project: Project, night: Connection
) -> None:
    services.connections.edit(admin, project, night.public_id, {"settings": {"number": 98765}})
    events = [(event.before, event.after) for event in Event.select()]
    assert "98765" not in str(events)
    assert events[-1] == ({}, {"settings": ["number"]})


def test_an_edit_keeps_the_secrets_that_it_does_not_name(
    services: Services, admin: Actor, project: Project, night: Connection
) -> None:
    def settings() -> Any:
        return services.connections.bound(Connection.get()).provider.settings

    services.connections.edit(admin, project, night.public_id, {"settings": {"number": 112}})
    assert settings() == {"number": 112, "token": SECRET, "pin": 424242}
    services.connections.edit(admin, project, night.public_id, {"settings": {"number": 112, "token": "new"}})
    assert settings() == {"number": 112, "token": "new", "pin": 424242}
    services.connections.edit(admin, project, night.public_id, {"enabled": False, "subscriptions": ["run.*"]})
    assert settings() == {"number": 112, "token": "new", "pin": 424242}
    assert (Connection.get().enabled, Connection.get().subscriptions) == (False, ["run.*"])
    assert no_secret_in(everything_in_sql())
    event = Event.select().order_by(Event.id.desc()).first()
    assert (event.before, event.after) == (
        {"subscriptions": ["*"], "enabled": True},
        {"subscriptions": ["run.*"], "enabled": False},
    )
    count = Event.select().count()
    services.connections.edit(admin, project, night.public_id, {})
    assert Event.select().count() == count


@on_sqlite
def test_what_is_used_is_what_was_saved_last(
    services: Services, admin: Actor, project: Project, night: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = now_ms()
    monkeypatch.setattr(module, "now_ms", lambda: at_once)
    for number in (1, 2, 3):
        edited = services.connections.edit(admin, project, night.public_id, {"settings": {"number": number}})
        assert services.connections.bound(edited).provider.settings["number"] == number


@on_sqlite
def test_wrong_settings_name_their_fields_and_save_nothing(services: Services, admin: Actor, project: Project) -> None:
    for settings, said in [
        ({}, "number: Missing data"), ({"number": 0}, "number: Must be greater"),
        ({"number": "x"}, "number: Not a valid"),
        ({"number": 1, "tokn": SECRET}, "tokn: Unknown field"), ({"number": 1, "token": 5}, "token: Not a valid"),
    ]:  # fmt: skip
        for act in (
            lambda settings=settings: services.connections.create(admin, project, **PAGER, settings=settings),
            lambda settings=settings: services.connections.test(
                admin, project, kind="notifier", provider="pager", settings=settings
            ),
        ):
            with pytest.raises(InvalidInput, match=said) as refused:
                act()
            assert no_secret_in(repr(refused.value) + repr(refused.value.details))
    assert Connection.select().count() == 0


@on_sqlite
def test_the_settings_of_no_provider_are_refused(services: Services, admin: Actor, project: Project) -> None:
    create = services.connections.create
    with pytest.raises(PluginNotFound, match=r"There are: .*webhook"):
        create(admin, project, name="x", kind="notifier", provider="pigeon_post", settings={})
    with pytest.raises(InvalidInput):
        create(admin, project, name="x", kind="oven", provider="log", settings={})
    with pytest.raises(InvalidInput, match="not a slug"):
        create(admin, project, name="No Slug", kind="notifier", provider="log", settings={})
    for pattern in ("", "x" * 101, "a\0", "\ud800"):
        with pytest.raises(InvalidInput, match="subscriptions"):
            create(admin, project, name="x", kind="notifier", provider="log", settings={}, subscriptions=[pattern])
    assert Connection.select().count() == 0


def test_a_name_is_taken_once_in_a_project(
    services: Services, factories: Factories, admin: Actor, project: Project, night: Connection
) -> None:
    with pytest.raises(AlreadyExists, match="'night'"):
        services.connections.create(admin, project, **PAGER, settings={"number": 1})
    other = factories.project()
    assert services.connections.create(
        factories.actor(system_owner(other)), other, **PAGER, settings={"number": 1}
    ).name == ("night")


@on_sqlite
def test_without_subscriptions_it_is_told_all_and_with_none_nothing(
    services: Services, admin: Actor, project: Project
) -> None:
    def told(name: str, **more: Any) -> Any:
        wish = {**PAGER, "name": name, "settings": {"number": 1}, **more}
        return services.connections.create(admin, project, **wish).subscriptions

    assert told("all") == ["*"]
    assert told("none", subscriptions=[]) == []
    assert told("some", subscriptions=["run.*"]) == ["run.*"]
    assert told("shelf", kind="storage", provider="shelf", settings={}, subscriptions=["*"]) == []


def test_another_projects_connection_is_not_there(
    services: Services, factories: Factories, admin: Actor, project: Project, night: Connection
) -> None:
    other = factories.project()
    actor = factories.actor(system_owner(other))
    for wrong in (night.public_id, "0" * 32):
        for act in (
            lambda wrong=wrong: services.connections.get(actor, other, wrong),
            lambda wrong=wrong: services.connections.edit(actor, other, wrong, {"enabled": False}),
            lambda wrong=wrong: services.connections.delete(actor, other, wrong),
            lambda wrong=wrong: services.connections.test_saved(actor, other, wrong),
            lambda wrong=wrong: services.connections.test_changes(actor, other, wrong, {"number": 1}),
            lambda wrong=wrong: services.connections.use_storage(actor, other, wrong),
        ):
            with pytest.raises(NotFound, match=f"no connection '{wrong}'"):
                act()
    assert Connection.get().enabled


@on_sqlite
def test_editors_look_and_admins_change(
    services: Services, factories: Factories, project: Project, night: Connection
) -> None:
    editor = factories.actor(factories.member(project, "editor"))
    assert [row.name for row in services.connections.list(editor, project)] == ["night"]
    for act in (
        lambda: services.connections.create(editor, project, **PAGER, settings={"number": 1}),
        lambda: services.connections.edit(editor, project, night.public_id, {"enabled": False}),
        lambda: services.connections.delete(editor, project, night.public_id),
        lambda: services.connections.test_saved(editor, project, night.public_id),
        lambda: services.connections.test_changes(editor, project, night.public_id, {"number": 1}),
        lambda: services.connections.test(editor, project, kind="notifier", provider="log", settings={}),
        lambda: services.connections.use_storage(editor, project, None),
    ):
        with pytest.raises(PermissionDenied, match="'admin'"):
            act()


def test_a_storage_in_use_cannot_be_deleted(services: Services, admin: Actor, project: Project) -> None:
    shelf = services.connections.create(admin, project, name="shelf", kind="storage", provider="shelf", settings={})
    used = services.connections.use_storage(admin, project, shelf.public_id)
    events = Event.select().count()
    with pytest.raises(Conflict, match="in use"):
        services.connections.delete(admin, used, shelf.public_id)
    assert (Connection.select().count(), Event.select().count()) == (1, events)
    services.connections.use_storage(admin, used, None)
    services.connections.delete(admin, project, shelf.public_id)
    assert Connection.select().count() == 0
    assert Event.select().order_by(Event.id.desc()).first().before == {"name": "shelf"}


def test_a_target_in_use_cannot_be_deleted(services: Services, admin: Actor, project: Project) -> None:
    rack = services.connections.create(
        admin, project, name="rack-1", kind="deployment_target", provider="rack", settings={}
    )
    services.models.create(admin, project, name="risk")
    services.model_versions.create(admin, project, "risk", source="mlflow-artifacts:/m")
    services.deployments.create(admin, project, name="live", model="risk", version="1", target="rack-1")
    with pytest.raises(Conflict, match="'rack-1' is in use by the deployment 'live'"):
        services.connections.delete(admin, project, rack.public_id)
    assert Connection.select().count() == 1


def test_the_storage_is_chosen_before_the_first_artifact(services: Services, admin: Actor, project: Project) -> None:
    shelf = services.connections.create(admin, project, name="shelf", kind="storage", provider="shelf", settings={})
    used = services.connections.use_storage(admin, project, shelf.public_id)
    event = Event.select().order_by(Event.id.desc()).first()
    assert (event.before, event.after) == ({"storage_connection": None}, {"storage_connection": "shelf"})
    services.artifacts.write(admin, used, "a.txt", [b"one"])
    assert Shelf.files == {f"{project.public_id}/a.txt": b"one"}
    with pytest.raises(Conflict, match="artifacts in its present storage"):
        services.connections.use_storage(admin, used, None)
    assert services.connections.use_storage(admin, used, shelf.public_id).storage_connection_id == shelf.id


@on_sqlite
def test_only_a_storage_is_taken_for_one(services: Services, admin: Actor, project: Project, night: Connection) -> None:
    with pytest.raises(InvalidInput, match="is a notifier, no storage") as refused:
        services.connections.use_storage(admin, project, night.public_id)
    assert refused.value.details["field"] == "storage_connection_id"


@on_sqlite
@pytest.mark.parametrize(
    ("kind", "provider", "given"),
    [("storage", "local_files", {"root": "/"}), ("deployment_target", "host_rack", {})],
)
def test_the_servers_own_host_is_its_administrators_to_connect(
    services: Services, admin: Actor, root: Actor, project: Project, kind: str, provider: str, given: Any
) -> None:
    wish = {"name": "host", "kind": kind, "provider": provider, "settings": given}
    test = {key: wish[key] for key in ("kind", "provider", "settings")}
    for act in (
        lambda: services.connections.create(admin, project, **wish),
        lambda: services.connections.test(admin, project, **test),
    ):
        with pytest.raises(PermissionDenied, match=r"connection\.host") as refused:
            act()
        assert refused.value.details["needed_role"] == "instance administrator"
    assert Connection.select().count() == 0
    assert services.connections.test(root, project, **test).ok
    made = services.connections.create(root, project, **wish)
    for changes in ({"settings": given}, {"enabled": False}):
        with pytest.raises(PermissionDenied, match=r"connection\.host"):
            services.connections.edit(admin, project, made.public_id, changes)
        services.connections.edit(root, project, made.public_id, changes)
    with pytest.raises(PermissionDenied, match=r"connection\.host"):
        services.connections.test_changes(admin, project, made.public_id, given)


@on_sqlite
def test_a_connection_whose_secrets_no_key_opens_is_still_shown(
    client: FlaskClient, factories: Factories, project: Project, night: Connection
) -> None:
    Connection.update(encrypted_secrets="0badc0de.gAAAA").execute()
    shown = client.get(address(project, f"/{night.public_id}"), headers=factories.headers(system_owner(project)))
    assert (shown.status_code, shown.get_json()["has_secrets"], shown.get_json()["secrets"]) == (200, True, [])


@on_sqlite
def test_a_connection_whose_plugin_is_gone_can_still_be_switched_off(
    services: Services, admin: Actor, project: Project, night: Connection
) -> None:
    Connection.update(provider="uninstalled").execute()
    assert not services.connections.edit(admin, project, night.public_id, {"enabled": False}).enabled
    with pytest.raises(PluginNotFound, match="uninstalled"):
        services.connections.test_saved(admin, project, night.public_id)
    services.connections.delete(admin, project, night.public_id)


@on_sqlite
def test_a_provider_that_cannot_be_built_holds_up_nobody_else(
    services: Services, admin: Actor, project: Project, night: Connection
) -> None:
    stuck = services.connections.create(admin, project, name="s", kind="notifier", provider="stuck", settings={})
    ended: list[Any] = []

    def build() -> None:
        try:
            ended.append(services.connections.bound(stuck))
        except ModelyardError as error:
            ended.append(error)

    thread = threading.Thread(target=build)
    thread.start()
    assert Stuck.begun.wait(10)
    assert services.connections.bound(night).health().ok
    assert ended == []
    Stuck.go.set()
    thread.join()
    assert services.connections.bound(stuck) is ended[0]
