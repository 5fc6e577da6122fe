"""Connections of the settings file: made at the start, read-only elsewhere, gone when they are gone from the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelyard.config.sources import SettingError, load_settings
from modelyard.core.bootstrap import Services
from modelyard.core.errors import Conflict
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Connection, Project
from modelyard.web.supervisor import child_environment
from tests.factories import Factories, system_owner

pytestmark = [pytest.mark.usefixtures("fakes"), pytest.mark.parametrize("database_kind", ["sqlite"])]


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.fixture
def officer(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def wish(project: Project) -> dict[str, Any]:
    return {
        "organization": project.organization.slug,
        "name": "night",
        "kind": "notifier",
        "provider": "pager",
        "settings": {"number": 110, "token": "env:PAGER_TOKEN"},
    }


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER_TOKEN", "hunter2")


def test_it_is_made_once_and_follows_the_file(services: Services, wish: dict[str, Any], project: Project) -> None:
    apply = services.declared_connections.apply
    assert apply([wish]) == []
    made = Connection.get()
    assert (made.managed_by, made.project_id, made.settings) == ("settings", None, {"number": 110})
    assert services.connections.bound(made).provider.settings["token"] == "hunter2"
    count = Event.select().count()
    assert apply([wish]) == []
    assert (Event.select().count(), Connection.get().updated_at_ms) == (count, made.updated_at_ms)

    changed = {**wish, "settings": {"number": 112}, "subscriptions": ["run.*"], "enabled": False}
    assert apply([changed]) == []
    now = Connection.get()
    assert (now.id, now.subscriptions, now.enabled) == (made.id, ["run.*"], False)
    assert services.connections.bound(now).provider.settings["token"] is None

    assert apply([{**wish, "kind": "storage", "provider": "shelf", "settings": {}, "project": "churn"}]) == []
    assert [(row.kind, row.project_id) for row in Connection.select()] == [("storage", project.id)]
    assert apply([]) == []
    assert Connection.select().count() == 0


def test_secrets_come_from_files(services: Services, wish: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from a file\n")
    assert services.declared_connections.apply([{**wish, "settings": {"number": 1, "token": f"file:{file}"}}]) == []
    assert services.connections.bound(Connection.get()).provider.settings["token"] == "from a file"


def test_it_is_changed_nowhere_else(services: Services, officer: Actor, wish: dict[str, Any], project: Project) -> None:
    services.declared_connections.apply([wish])
    made, place = Connection.get(), project.organization
    for change in (
        lambda: services.connections.edit(officer, place, made.public_id, {"enabled": False}),
        lambda: services.connections.delete(officer, place, made.public_id),
    ):
        with pytest.raises(Conflict, match="managed by settings"):
            change()
    assert services.connections.health(officer, place, made.public_id).health_ok


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"organization": "no-such"}, "no organization 'no-such'"),
        ({"project": "no-such"}, "no project 'no-such'"),
        ({"provider": "no_such"}, "no notifier provider 'no_such'"),
        ({"settings": {"number": 0}}, "number"),
        ({"settings": {"number": 1, "token": "env:NOT_SET"}}, "NOT_SET, which is not set"),
        ({"settings": {"number": 1, "token": "file:/no/such"}}, "cannot be read from /no/such"),
        ({"name": "Not A Slug"}, "is not a slug"),
    ],
)
def test_what_cannot_be_done_is_said_and_harms_no_other(
    services: Services, wish: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    problems = services.declared_connections.apply([{**wish, **change}, {**wish, "name": "other"}])
    assert len(problems) == 1
    assert reason in problems[0]
    assert "hunter2" not in problems[0]
    assert [row.name for row in Connection.select()] == ["other"]


def test_a_mistake_in_the_file_does_not_remove_what_was_there(services: Services, wish: dict[str, Any]) -> None:
    services.declared_connections.apply([wish])
    assert services.declared_connections.apply([{**wish, "settings": {"number": 0}}]) != []
    assert Connection.get().settings == {"number": 110}


def test_one_made_by_hand_is_not_taken_over(
    services: Services, officer: Actor, wish: dict[str, Any], project: Project
) -> None:
    by_hand = {"name": "night", "kind": "notifier", "provider": "pager", "settings": {"number": 1}}
    services.connections.create(officer, project.organization, **by_hand)
    assert "made by hand" in services.declared_connections.apply([wish])[0]
    assert Connection.get().settings == {"number": 1}
    assert services.declared_connections.apply([]) == []
    assert Connection.select().count() == 1


def test_one_in_use_stays(services: Services, officer: Actor, wish: dict[str, Any], project: Project) -> None:
    shelf = {**wish, "kind": "storage", "provider": "shelf", "settings": {}}
    services.declared_connections.apply([shelf])
    services.connections.use_storage(officer, project, Connection.get().public_id)
    assert "stays" in services.declared_connections.apply([])[0]
    assert Connection.select().count() == 1


FILE = """
[[connections]]
organization = "acme"
name = "night"
kind = "notifier"
provider = "pager"
settings = {{ number = 1 }}
{more}
"""


def test_the_file_is_read(tmp_path: Path) -> None:
    file = tmp_path / "modelyard.toml"
    file.write_text("[server]\nport = 1\n" + FILE.format(more='subscriptions = ["run.*"]'))
    settings = load_settings(file=file, environ={})
    assert settings.connections[0]["settings"] == {"number": 1}
    assert (settings.server.port, settings.file) == (1, file)


def test_a_start_carries_it_out(
    services: Services, project: Project, tmp_path: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = """
        [[connections]]
        organization = "ORG"
        project = "churn"
        name = "hook"
        kind = "notifier"
        provider = "webhook"
        settings = { url = "https://hooks.example.com/", token = "env:HOOK_TOKEN" }
    """
    file = tmp_path / "modelyard.toml"
    file.write_text(wish.replace("ORG", project.organization.slug))
    monkeypatch.setattr("modelyard.web.supervisor.shutil.rmtree", lambda *_, **__: None)
    started = child_environment(load_settings(file=file, environ={"MODELYARD_DATA_DIRECTORY": str(tmp_path / "data")}))
    assert started["MODELYARD_CONFIG"] == str(file)

    done = subprocess.run(
        [sys.executable, "-m", "modelyard.cli.main", "admin", "db", "upgrade", "--check-start"],
        env={**environment, "MODELYARD_CONFIG": str(file), "HOOK_TOKEN": "hunter2"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, "hunter2" in done.stderr) == (0, False), done.stderr
    made = Connection.get()
    assert (made.name, made.managed_by, made.project_id) == ("hook", "settings", project.id)
    assert services.connections.bound(made).provider.settings["token"] == "hunter2"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (FILE.format(more="odd = 1"), "number 1 .* unknown .'odd'"),
        (FILE.format(more="enabled = 1"), "enabled of .* number 1 .* int"),
        (FILE.format(more="").replace('name = "night"', ""), "lacks .'name'"),
        (FILE.format(more="").replace('"night"', "7"), "name of .* int"),
        ("connections = 7", "no list of tables"),
        ("connections = [7]", "no list of tables"),
    ],
)
def test_nonsense_in_the_file_stops_the_start(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "modelyard.toml"
    file.write_text(text)
    with pytest.raises(SettingError, match=reason):
        load_settings(file=file, environ={})


def moved(services: Services, factories: Factories, project: Project, *, slug: str) -> None:
    """Rename the project's organization, and let another tenant take the slug that it had."""
    before = project.organization.slug
    owner = factories.actor(system_owner(project))
    services.organizations.edit(owner, before, {"slug": slug})
    eve = factories.user("eve")
    factories.organization("evil", owner=eve)
    services.organizations.edit(factories.actor(eve), "evil", {"slug": before})


def test_a_renamed_organization_keeps_them(
    services: Services, factories: Factories, wish: dict[str, Any], project: Project
) -> None:
    services.declared_connections.apply([wish])
    made = Connection.get()
    services.organizations.edit(factories.actor(system_owner(project)), wish["organization"], {"slug": "elsewhere"})
    assert services.declared_connections.apply([wish]) == []
    assert Connection.get() == made


def test_secrets_do_not_go_to_another_tenant_who_takes_the_slug(
    services: Services, factories: Factories, wish: dict[str, Any], project: Project
) -> None:
    services.declared_connections.apply([wish])
    made = Connection.get()
    moved(services, factories, project, slug="elsewhere")
    (problem,) = services.declared_connections.apply([wish])
    assert "'elsewhere', which the settings file does not name" in problem
    assert [row.organization_id for row in Connection.select()] in ([], [made.organization_id])
    assert services.declared_connections.apply([{**wish, "organization": "elsewhere"}]) == []
    assert Connection.get().organization_id == made.organization_id


def test_a_deleted_organization_gets_none_and_keeps_its_own(
    services: Services, factories: Factories, wish: dict[str, Any], project: Project
) -> None:
    services.declared_connections.apply([wish])
    made, slug = Connection.get(), wish["organization"]
    services.organizations.delete(factories.actor(system_owner(project)), slug, confirm=slug)
    (problem,) = services.declared_connections.apply([wish])
    assert "no organization" in problem
    assert Connection.get() == made
    living = factories.organization(slug, owner=factories.user("eve"))
    assert services.declared_connections.apply([wish]) == []
    assert {row.organization_id for row in Connection.select()} == {made.organization_id, living.id}
