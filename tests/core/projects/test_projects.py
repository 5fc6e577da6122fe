"""Projects: who finds them, who works in them, and what an archived one refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.errors import (
    AlreadyExists,
    AuthenticationRequired,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
)
from modelyard.core.identity import policy
from modelyard.core.identity.actor import ANONYMOUS, Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import authorize, find_project
from modelyard.core.projects.models import Project, ProjectMember
from modelyard.core.tracking.entities import NewRun
from tests.factories import Factories, system_owner

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


def find(actor: Actor, project: Project, permission: str) -> Project:
    return find_project(actor, project.organization.slug, project.slug, permission)


def last_event() -> Any:
    return Event.select().order_by(Event.id.desc()).first()


@pytest.mark.parametrize("role", policy.PROJECT_ROLES)
def test_a_role_may_what_the_table_says(factories: Factories, project: Project, role: str) -> None:
    actor = factories.actor(factories.member(project, role))
    for permission, (needed, _) in policy.PROJECT_POLICY.items():
        if policy.PROJECT_ROLES.index(role) >= policy.PROJECT_ROLES.index(needed):
            assert find(actor, project, permission) == project
        else:
            with pytest.raises(PermissionDenied, match=f"'{needed}'") as refused:
                find(actor, project, permission)
            assert refused.value.details == {"needed_role": needed}


@pytest.mark.parametrize("office", ["owner", "admin"])
def test_an_office_in_the_organization_is_admin_in_its_projects(
    services: Services, factories: Factories, project: Project, owner: Actor, office: str
) -> None:
    user = factories.user()
    services.organizations.set_member(owner, project.organization.slug, user.username, office)
    for permission in policy.PROJECT_POLICY:
        assert find(factories.actor(user), project, permission) == project


def test_a_stranger_finds_nothing(services: Services, factories: Factories, project: Project, owner: Actor) -> None:
    member = factories.user()
    services.organizations.set_member(owner, project.organization.slug, member.username, "member")
    root = factories.user(is_instance_admin=True)
    far = system_owner(factories.project())
    for user in (member, root, far):
        actor = factories.actor(user)
        for permission in policy.PROJECT_POLICY:
            told = set()
            for organization, slug in [
                (project.organization.slug, "churn"), (project.organization.slug, "nope"), ("nope", "churn"),
                ("a\0", "churn"), (project.organization.slug, "\ud800"),
            ]:  # fmt: skip
                with pytest.raises(NotFound) as refused:
                    find_project(actor, organization, slug, permission)
                told.add(str(refused.value).replace(f"{organization}/{slug}", "it"))
            assert told == {"There is no project 'it'."}
    with pytest.raises(AuthenticationRequired):
        find(ANONYMOUS, project, "project.read")


def test_members_see_their_projects_only(
    services: Services, factories: Factories, project: Project, owner: Actor
) -> None:
    slug = project.organization.slug
    services.projects.create(owner, slug, slug="other", name="Other")
    viewer = factories.actor(factories.member(project, "viewer"))
    assert [row.slug for row in services.projects.list(viewer, slug)] == ["churn"]
    assert [row.slug for row in services.projects.list(owner, slug)] == ["churn", "other"]


def test_a_slug_is_taken_once_in_an_organization(
    services: Services, factories: Factories, project: Project, owner: Actor
) -> None:
    events = Event.select().count()
    with pytest.raises(AlreadyExists, match="'churn'"):
        services.projects.create(owner, project.organization.slug, slug="churn", name="Again")
    assert (Project.select().count(), Event.select().count()) == (1, events)
    assert factories.project("churn").organization_id != project.organization_id


@on_sqlite
@pytest.mark.parametrize(
    "wish",
    [
        {"slug": "-", "name": "A"}, {"slug": "runs-", "name": "A"}, {"slug": "api", "name": "A"},
        {"slug": "a", "name": ""},
        {"slug": "a", "name": "a\0"}, {"slug": "a", "name": "A", "description": "x" * 10_001},
        {"slug": "a", "name": "A", "description": "\ud800"},
    ],
)  # fmt: skip
def test_what_cannot_be_taken_makes_nothing(
    services: Services, owner: Actor, project: Project, wish: dict[str, Any]
) -> None:
    before = (Project.select().count(), Event.select().count())
    with pytest.raises(InvalidInput):
        services.projects.create(owner, project.organization.slug, **wish)
    assert (Project.select().count(), Event.select().count()) == before


def test_an_edit_tells_what_changed(services: Services, owner: Actor, project: Project) -> None:
    edited = services.projects.edit(owner, project, {"name": "New", "description": project.description})
    assert edited.name == "New"
    event = last_event()
    assert (event.action, event.before, event.after) == ("project.updated", {"name": "Churn"}, {"name": "New"})
    services.projects.edit(owner, edited, {"name": "New"})
    assert last_event().id == event.id
    with pytest.raises(InvalidInput):
        services.projects.edit(owner, edited, {"description": "d", "name": "\0"})
    assert Project.get().description == project.description


def test_local_deployments_are_the_instance_administrators_affair(
    services: Services, factories: Factories, owner: Actor, project: Project
) -> None:
    with pytest.raises(PermissionDenied, match="instance administrators"):
        services.projects.edit(owner, project, {"name": "New", "allow_local_deployments": True})
    assert (Project.get().name, Project.get().allow_local_deployments) == ("Churn", False)
    root = factories.user(is_instance_admin=True)
    with pytest.raises(NotFound):
        services.projects.edit(factories.actor(root), project, {"allow_local_deployments": True})
    services.organizations.set_member(owner, project.organization.slug, root.username, "admin")
    assert services.projects.edit(
        factories.actor(root), project, {"allow_local_deployments": True}
    ).allow_local_deployments


def test_an_archived_project_is_read_and_not_changed(
    services: Services, factories: Factories, owner: Actor, project: Project
) -> None:
    services.models.create(owner, project, name="risk")
    archived = services.projects.edit(owner, project, {"archived": True})
    since = archived.archived_at_ms
    assert services.projects.edit(owner, archived, {"archived": True}).archived_at_ms == since
    for permission in policy.PROJECT_POLICY:
        if permission.endswith(".read") or permission in {"project.edit", "project.leave"}:
            authorize(owner, archived, permission)
        else:
            with pytest.raises(Conflict, match="archived"):
                authorize(owner, archived, permission)
    writes: list[Callable[[], Any]] = [
        lambda: services.models.create(owner, archived, name="more"),
        lambda: services.models.delete(owner, archived, "risk"),
        lambda: services.experiments.create(owner, archived, name="e"),
        lambda: services.runs.create(owner, archived, NewRun(experiment_id="0", user_id="", start_time_ms=1)),
        lambda: services.artifacts.write(owner, archived, "a", [b"x"]),
        lambda: services.projects.set_member(owner, archived, "x", "viewer"),
        lambda: services.connections.create(owner, archived, name="l", kind="notifier", provider="log", settings={}),
    ]
    events = Event.select().count()
    for write in writes:
        with pytest.raises(Conflict, match="archived"):
            write()
    assert Event.select().count() == events
    assert [model.name for model in services.models.list(owner, archived)] == ["risk"]
    restored = services.projects.edit(owner, archived, {"archived": False})
    assert restored.archived_at_ms is None
    services.models.create(owner, restored, name="more")


def test_members_come_and_go(services: Services, factories: Factories, owner: Actor, project: Project) -> None:
    user = factories.member(project, "viewer")
    services.projects.set_member(owner, project, user.username.upper(), "editor")
    assert (last_event().action, last_event().before, last_event().after) == (
        "project.member_set",
        {"role": "viewer"},
        {"role": "editor"},
    )
    assert find(factories.actor(user), project, "run.write") == project
    assert [(row.user.username, row.role) for row in services.projects.members(owner, project)] == [
        (user.username, "editor")
    ]
    services.projects.remove_member(owner, project, user.username)
    with pytest.raises(NotFound):
        find(factories.actor(user), project, "project.read")
    with pytest.raises(NotFound, match="is no member"):
        services.projects.remove_member(owner, project, user.username)


def test_only_members_of_the_organization_get_a_role(
    services: Services, factories: Factories, owner: Actor, project: Project
) -> None:
    stranger = factories.user()
    told = set()
    for username in (stranger.username, "nobody"):
        with pytest.raises(InvalidInput, match="no member of the organization") as refused:
            services.projects.set_member(owner, project, username, "viewer")
        told.add(str(refused.value).replace(username, "it"))
    assert len(told) == 1  # who is on this server stays untold
    with pytest.raises(InvalidInput, match="no role 'owner'"):
        services.projects.set_member(owner, project, stranger.username, "owner")
    assert ProjectMember.select().count() == 0


@on_sqlite
def test_a_project_begins_with_its_default_experiment(services: Services, owner: Actor, project: Project) -> None:
    experiment = services.experiments.get(owner, project, "0")
    assert experiment.name == "Default"
