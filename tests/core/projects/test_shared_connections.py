"""Connections of organizations, their health, and secrets that go nowhere but where they were given for."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from marshmallow import Schema, fields, validate
from peewee import IntegrityError

from modelyard import Health, PluginUnavailable
from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PermissionDenied
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Delivery
from modelyard.core.projects.models import Connection, Organization, Project
from modelyard.core.provider_settings import free_keys
from tests.core.projects.conftest import Pager
from tests.factories import Factories, system_owner

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
pytestmark = pytest.mark.usefixtures("fakes")
PAGER: dict[str, Any] = {"kind": "notifier", "provider": "pager", "settings": {"number": 110, "token": "hunter2"}}
RACK: dict[str, Any] = {"kind": "deployment_target", "provider": "rack", "settings": {}}


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.fixture
def organization(project: Project) -> Organization:
    return project.organization


@pytest.fixture
def officer(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def shared(services: Services, officer: Actor, organization: Organization) -> Connection:
    return services.connections.create(officer, organization, name="all", **PAGER)


def address(organization: Organization, path: str = "") -> str:
    return f"/api/v1/organizations/{organization.slug}{path}"


def test_a_projects_own_comes_before_the_organizations(
    services: Services, officer: Actor, organization: Organization, project: Project, factories: Factories
) -> None:
    elsewhere = factories.project("churn")
    for place, names in ((organization, ("a", "b")), (project, ("b", "c"))):
        for name in names:
            services.connections.create(officer, place, name=name, **RACK)

    seen = [(row.name, row.project_id) for row in services.connections.list(officer, project)]
    assert seen == [("a", None), ("b", project.id), ("c", project.id)]
    assert [row.name for row in services.connections.list(officer, organization)] == ["a", "b"]
    stranger = factories.actor(system_owner(elsewhere))
    assert list(services.connections.list(stranger, elsewhere)) == []

    own = Connection.get(Connection.name == "b", Connection.project == project.id)
    assert services.connections.target(project, "b") is services.connections.bound(own)
    assert services.connections.target(project, "a").entry.name == "rack"
    services.connections.delete(officer, project, own.public_id)
    assert [row.project_id for row in services.connections.list(officer, project)] == [None, None, project.id]


def test_a_name_is_the_organizations_once(services: Services, officer: Actor, organization: Organization) -> None:
    services.connections.create(officer, organization, name="all", **RACK)
    with pytest.raises(AlreadyExists, match="organization has a connection 'all'"):
        services.connections.create(officer, organization, name="all", **RACK)
    with pytest.raises(IntegrityError), database.atomic():
        Connection.create(organization=organization, name="all", kind="notifier", provider="log", settings={})


@on_sqlite
def test_a_project_uses_and_does_not_change_it(
    services: Services, officer: Actor, project: Project, shared: Connection, factories: Factories
) -> None:
    for change in (
        lambda: services.connections.edit(officer, project, shared.public_id, {"enabled": False}),
        lambda: services.connections.delete(officer, project, shared.public_id),
    ):
        with pytest.raises(Conflict, match="the organization's"):
            change()
    editor = factories.actor(factories.member(project, "editor"))
    assert services.connections.health(editor, project, shared.public_id).health_ok
    for refused in (
        lambda: services.connections.create(editor, project.organization, name="x", **RACK),
        lambda: services.connections.edit(editor, project.organization, shared.public_id, {"enabled": False}),
        lambda: services.connections.health(editor, project.organization, shared.public_id),
    ):
        with pytest.raises(PermissionDenied):
            refused()
    with pytest.raises(NotFound):
        services.connections.get(factories.actor(system_owner(factories.project())), project, shared.public_id)


def test_events_of_all_projects_are_told_unless_hidden(
    services: Services, officer: Actor, organization: Organization, project: Project, shared: Connection
) -> None:
    def told() -> list[str | None]:
        Delivery.delete().execute()
        services.models.create(officer, project, name=f"m{Delivery.select().count()}{Connection.select().count()}")
        return [row.connection.project_id for row in Delivery.select().where(Delivery.connection.is_null(False))]

    assert isinstance(services.events, Events)
    assert told() == [None]
    services.connections.create(officer, project, name="all", **PAGER)
    assert told() == [project.id]
    Connection.update(enabled=False).where(Connection.project == project.id).execute()
    services.connections.create(officer, project, name="more", **PAGER)
    assert told() == [project.id]


def test_what_is_in_use_stays(
    services: Services, officer: Actor, organization: Organization, project: Project, factories: Factories
) -> None:
    rack = services.connections.create(officer, organization, name="rack-1", **RACK)
    services.models.create(officer, project, name="risk")
    services.model_versions.create(officer, project, "risk", source="mlflow-artifacts:/m")
    services.deployments.create(officer, project, name="live", model="risk", version="1", target="rack-1")
    with pytest.raises(Conflict, match="in use by the deployment 'live'"):
        services.connections.delete(officer, organization, rack.public_id)
    with pytest.raises(Conflict, match="'live' runs at another target 'rack-1'"):
        services.connections.create(officer, project, name="rack-1", **RACK)
    services.connections.create(officer, project, name="rack-1", **PAGER)
    assert services.connections.target(project, "rack-1").entry.name == "rack"
    Deployment.delete().execute()
    services.connections.delete(officer, organization, rack.public_id)

    shelf = services.connections.create(
        officer, organization, name="shelf", kind="storage", provider="shelf", settings={}
    )
    project = services.connections.use_storage(officer, project, shelf.public_id)
    assert project.storage_connection_id == shelf.id
    with pytest.raises(Conflict, match="in use"):
        services.connections.delete(officer, organization, shelf.public_id)


def test_a_projects_connections_go_with_it(services: Services, officer: Actor, project: Project) -> None:
    made = services.connections.create(officer, project, name="shelf", kind="storage", provider="shelf", settings={})
    services.connections.use_storage(officer, project, made.public_id)
    Project.delete().where(Project.id == project.id).execute()
    assert Connection.select().count() == 0


@on_sqlite
class TestApi:
    def test_its_settings_are_for_the_organizations_admins(
        self, client: FlaskClient, factories: Factories, project: Project, shared: Connection
    ) -> None:
        owner = factories.headers(system_owner(project))
        admin_here = factories.headers(factories.member(project, "admin"))
        path = address(project.organization)
        for headers, settings in ((owner, {"number": 110}), (admin_here, {})):
            for one in (
                f"{path}/connections/{shared.public_id}",
                f"{path}/projects/churn/connections/{shared.public_id}",
            ):
                shown = client.get(one, headers=headers).get_json()
                assert shown["settings"] == settings, one
                assert bool(shown["secrets"]) is bool(settings), "names, too, are for the admins of its place"
                assert (shown["scope"], shown["managed_by"], shown["has_secrets"]) == ("organization", "api", True)
        listed = client.get(f"{path}/projects/churn/connections", headers=admin_here).get_json()["items"]
        assert [item["scope"] for item in listed] == ["organization"]

    def test_health_is_asked_kept_and_shown(
        self, client: FlaskClient, factories: Factories, project: Project, shared: Connection,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:  # fmt: skip
        owner, editor = (
            factories.headers(user) for user in (system_owner(project), factories.member(project, "editor"))
        )
        viewer = factories.headers(factories.member(project, "viewer"))
        one = address(project.organization, f"/projects/churn/connections/{shared.public_id}")
        assert client.get(one, headers=owner).get_json()["health"] is None

        shown = client.get(f"{one}/health", headers=owner).get_json()["health"]
        assert (shown["ok"], shown["message"]) == (True, "called 110 with ***")
        assert shown["checked_at"].endswith("Z")
        assert client.get(one, headers=editor).get_json()["health"] == {**shown, "message": ""}
        assert client.get(f"{one}/health", headers=viewer).status_code == 403

        def dead(self: Pager) -> Health:
            raise PluginUnavailable(f"no line for {self.settings['token']}")

        monkeypatch.setattr(Pager, "health", dead)
        answer = client.get(f"{one}/health", headers=owner)
        assert (answer.status_code, answer.get_json()["health"]["message"]) == (200, "no line for ***")
        assert client.get(one, headers=owner).get_json()["health"]["ok"] is False
        monkeypatch.undo()

    def test_new_settings_have_no_health_yet(
        self, services: Services, officer: Actor, organization: Organization, shared: Connection
    ) -> None:
        services.connections.health(officer, organization, shared.public_id)
        edited = services.connections.edit(officer, organization, shared.public_id, {"settings": {"number": 7}})
        assert (edited.health_ok, edited.health_checked_at_ms) == (None, None)

    def test_wrong_settings_are_said_by_field(
        self, client: FlaskClient, factories: Factories, project: Project
    ) -> None:
        wish = {**PAGER, "name": "x", "settings": {"number": 0, "token": 7, "odd": "hunter2"}}
        path = address(project.organization, "/projects/churn/connections")
        answer = client.post(path, json=wish, headers=factories.headers(system_owner(project)))
        assert answer.status_code == 422
        assert set(answer.get_json()["errors"]) == {"settings.number", "settings.token", "settings.odd"}


class HookSettings(Schema):
    url = fields.String(required=True)
    port = fields.Integer(load_default=443, metadata={"secret_goes_to": True})
    retries = fields.Integer(load_default=1)
    style = fields.String(load_default="plain", validate=validate.OneOf(["plain", "rich"]))
    label = fields.String(load_default="", metadata={"secret_goes_to": False})
    headers = fields.Dict(load_default=dict)
    token = fields.String(load_default="", metadata={"secret": True})
    pin = fields.String(load_default="", metadata={"secret": True})


class Hook(Pager):
    """Sends its secrets somewhere."""

    name = "hook"
    settings_schema = HookSettings


def test_only_settings_that_decide_nothing_are_free() -> None:
    assert free_keys(HookSettings) == {"retries", "style", "label", "token", "pin"}


@on_sqlite
class TestWhereSecretsGo:
    @pytest.fixture
    def hook(self, services: Services, officer: Actor, project: Project, offer: Any) -> Connection:
        offer("notifier", Hook)
        settings = {"url": "https://good", "token": "hunter2", "pin": "4242"}
        return services.connections.create(
            officer, project, name="hook", kind="notifier", provider="hook", settings=settings
        )

    @pytest.mark.parametrize(
        "change",
        [{"url": "https://evil"}, {"port": 4444}, {"headers": {"Host": "evil"}}, {"url": "https://evil", "pin": "1"}],
    )
    def test_a_new_place_asks_for_them_again(
        self, services: Services, officer: Actor, project: Project, hook: Connection, change: dict[str, Any],
        client: FlaskClient, factories: Factories,
    ) -> None:  # fmt: skip
        wish = {"settings": {"url": "https://good", **change}}
        with pytest.raises(InvalidInput, match="to be given again") as caught:
            services.connections.edit(officer, project, hook.public_id, wish)
        missing = {"settings.token", "settings.pin"} - ({"settings.pin"} if "pin" in change else set())
        assert set(caught.value.details["errors"]) == missing
        answer = client.patch(
            address(project.organization, f"/projects/churn/connections/{hook.public_id}"),
            json=wish,
            headers=factories.headers(system_owner(project)),
        )
        assert (answer.status_code, set(answer.get_json()["errors"])) == (422, missing)
        assert Connection.get().settings == {"url": "https://good"}

        given = {"settings": {"url": "https://good", **change, "token": "new", "pin": "1"}}
        services.connections.edit(officer, project, hook.public_id, given)
        assert services.connections.bound(Connection.get()).provider.settings["token"] == "new"

    def test_what_decides_nothing_keeps_them(
        self, services: Services, officer: Actor, project: Project, hook: Connection
    ) -> None:
        change = {"url": "https://good", "retries": 3, "style": "rich", "label": "new"}
        services.connections.edit(officer, project, hook.public_id, {"settings": change})
        assert services.connections.bound(Connection.get()).provider.settings["token"] == "hunter2"

    def test_changes_are_tried_with_the_kept_secrets_and_not_saved(
        self, services: Services, officer: Actor, project: Project, hook: Connection, monkeypatch: pytest.MonkeyPatch,
        client: FlaskClient, factories: Factories,
    ) -> None:  # fmt: skip
        tried = []

        def listen(hook: Hook) -> Health:
            tried.append(dict(hook.settings))
            return Health(ok=hook.settings["retries"] < 3)

        monkeypatch.setattr(Hook, "health", listen)
        path = address(project.organization, f"/projects/churn/connections/{hook.public_id}/test")
        headers = factories.headers(system_owner(project))

        def ask(**change: Any) -> Any:
            return client.post(path, json={"settings": {"url": "https://good", **change}}, headers=headers)

        assert ask(retries=2, pin="1").get_json() == {"ok": True, "message": ""}
        assert (tried[0]["token"], tried[0]["pin"], tried[0]["retries"]) == ("hunter2", "1", 2)
        assert ask(retries=3).get_json()["ok"] is False
        moved = ask(url="https://evil")
        assert (moved.status_code, set(moved.get_json()["errors"])) == (422, {"settings.token", "settings.pin"})
        assert ask(retries="many").get_json()["errors"].keys() == {"settings.retries"}
        assert len(tried) == 2
        assert client.post(path, headers=headers).get_json()["ok"] is True
        stored = Connection.get()
        assert (stored.settings, stored.health_ok) == ({"url": "https://good"}, True)
        assert services.connections.given_settings(stored)["pin"] == "4242"

    def test_changes_of_the_organizations_own_are_not_tried_in_a_project(
        self, services: Services, officer: Actor, project: Project, organization: Organization, shared: Connection
    ) -> None:
        with pytest.raises(Conflict, match="the organization's"):
            services.connections.test_changes(officer, project, shared.public_id, {"number": 7})
        assert services.connections.test_changes(officer, organization, shared.public_id, {"number": 7}).ok
