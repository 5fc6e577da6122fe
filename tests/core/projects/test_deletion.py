"""Deleting with a way back: what is deleted is nowhere, and comes back whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity.actor import Actor
from modelyard.core.jobs import Job
from modelyard.core.notifications.models import Delivery, Event
from modelyard.core.projects.access import bound_project, find_organization, find_project
from modelyard.core.projects.models import Organization, Project
from tests.factories import Factories, system_owner

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn", local=True)


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def place(project: Project) -> str:
    slug: str = project.organization.slug
    return slug


def deploy(services: Services, owner: Actor, project: Project, *names: str) -> None:
    services.models.create(owner, project, name="risk")
    services.model_versions.create(owner, project, "risk", source="mlflow-artifacts:/m")
    for name in names:
        services.deployments.create(owner, project, name=name, model="risk", version="1", target="local_process")


def actions() -> list[str]:
    return [row.action for row in Event.select().order_by(Event.id)]


@pytest.mark.parametrize("confirm", [None, "", "CHURN", "churn "])
@on_sqlite
def test_the_slug_is_asked_for(services: Services, owner: Actor, project: Project, confirm: str | None) -> None:
    before = actions()
    with pytest.raises(InvalidInput, match="'churn'") as refused:
        services.projects.delete(owner, project, confirm=confirm)
    assert refused.value.details["field"] == "confirm"
    with pytest.raises(InvalidInput):
        services.organizations.delete(owner, project.organization.slug, confirm=confirm)
    assert (actions(), Project.get().deleted_at_ms, Organization.get().deleted_at_ms) == (before, None, None)


def test_a_deleted_project_is_nowhere_and_comes_back(
    services: Services, factories: Factories, owner: Actor, project: Project, place: str
) -> None:
    editor = factories.actor(factories.member(project, "editor"))
    bound = Actor(kind="token", user_id=owner.user_id, project_id=project.id)
    services.projects.delete(owner, project, confirm="churn")
    for actor in (owner, editor):
        with pytest.raises(NotFound, match="no project"):
            find_project(actor, place, "churn")
        assert list(services.projects.list(actor, place)) == []
    assert bound_project(bound) is None
    with pytest.raises(NotFound):
        services.projects.delete(owner, project, confirm="churn")
    assert [row.id for row in services.projects.list_deleted(owner, place)] == [project.id]
    with pytest.raises(PermissionDenied, match="'admin'"):
        services.projects.list_deleted(editor, place)
    with pytest.raises(PermissionDenied, match="'admin'"):
        services.projects.restore(editor, place, project.public_id)
    restored = services.projects.restore(owner, place, project.public_id)
    assert find_project(editor, place, "churn", "run.write") == restored
    assert bound_project(bound) == restored
    assert actions()[-2:] == ["project.deleted", "project.restored"]
    with pytest.raises(NotFound, match="no deleted project"):
        services.projects.restore(owner, place, project.public_id)


def test_its_slug_is_free_and_then_asked_for(services: Services, owner: Actor, project: Project, place: str) -> None:
    services.projects.delete(owner, project, confirm="churn")
    taking = services.projects.create(owner, place, slug="churn", name="Second")
    with pytest.raises(AlreadyExists, match="'churn'"):
        services.projects.restore(owner, place, project.public_id)
    restored = services.projects.restore(owner, place, project.public_id, slug="first")
    assert (restored.id, restored.slug) == (project.id, "first")
    services.projects.delete(owner, taking, confirm="churn")
    third = services.projects.create(owner, place, slug="churn", name="Third")
    services.projects.delete(owner, third, confirm="churn")
    assert [row.slug for row in services.projects.list_deleted(owner, place)] == ["churn", "churn"]


def test_only_an_office_of_the_organization_deletes(
    services: Services, factories: Factories, owner: Actor, project: Project, place: str
) -> None:
    admin = factories.actor(factories.member(project, "admin"))
    with pytest.raises(PermissionDenied, match="may not do project"):
        services.projects.delete(admin, project, confirm="churn")
    office = factories.user()
    services.organizations.set_member(owner, place, office.username, "admin")
    with pytest.raises(PermissionDenied, match="may not do organization"):
        services.organizations.delete(factories.actor(office), place, confirm=place)
    services.projects.delete(factories.actor(office), project, confirm="churn")


def test_what_runs_is_looked_at_and_begins_anew(services: Services, owner: Actor, project: Project, place: str) -> None:
    deploy(services, owner, project, "live", "stopped")
    services.deployments.stop(owner, project, "stopped")
    Job.update(run_after_ms=2**60).execute()
    services.projects.delete(owner, project, confirm="churn")
    assert [job.run_after_ms < 2**60 for job in Job.select()] == [True, True]
    Deployment.update(status="stopped", updated_at_ms=1).execute()
    Job.update(run_after_ms=2**60).execute()
    services.projects.restore(owner, place, project.public_id)
    found = {row.name: (row.desired_status, row.status, row.updated_at_ms > 1) for row in Deployment.select()}
    assert found == {"live": ("running", "pending", True), "stopped": ("stopped", "stopped", False)}
    assert [job.run_after_ms < 2**60 for job in Job.select()] == [True, True]


def test_its_channels_hear_of_the_deletion_and_of_nothing_after_it(
    services: Services, owner: Actor, project: Project
) -> None:
    services.connections.create(owner, project, name="log", kind="notifier", provider="log", settings={})
    services.projects.delete(owner, project, confirm="churn")
    told = [row.event.action for row in Delivery.select().order_by(Delivery.id)]
    assert told == ["connection.created", "project.deleted"]
    deploy_event = {"actor": owner, "object_id": "d", "object_name": "live", "project": Project.get()}
    from modelyard.core.db import atomic

    with atomic():
        services.events.record("deployment.stopped", **deploy_event)
    assert Delivery.select().count() == len(told)


def test_a_deleted_organization_is_nowhere_and_comes_back(
    services: Services, factories: Factories, owner: Actor, project: Project, place: str
) -> None:
    office = factories.user()
    services.organizations.set_member(owner, place, office.username, "admin")
    organization_id = project.organization.public_id
    bound = Actor(kind="token", user_id=owner.user_id, project_id=project.id)
    services.organizations.delete(owner, place, confirm=place)
    acts: list[Callable[[], Any]] = [
        lambda: find_organization(owner, place), lambda: find_project(owner, place, "churn"),
        lambda: services.organizations.delete(owner, place, confirm=place),
        lambda: services.organizations.restore(factories.actor(office), organization_id),
        lambda: services.organizations.restore(owner, "f" * 32),
    ]  # fmt: skip
    for act in acts:
        with pytest.raises(NotFound):
            act()
    assert (bound_project(bound), list(services.organizations.list(owner))) == (None, [])
    root = factories.actor(factories.user(is_instance_admin=True))
    assert place not in {row.slug for row in services.organizations.list_all(root)}
    assert list(services.organizations.list_deleted(factories.actor(office))) == []
    assert [row.organization.public_id for row in services.organizations.list_deleted(owner)] == [organization_id]
    factories.organization(place)
    with pytest.raises(AlreadyExists, match=f"'{place}'"):
        services.organizations.restore(owner, organization_id)
    services.organizations.restore(owner, organization_id, slug="again")
    assert find_project(owner, "again", "churn").id == project.id
    assert [row.organization.slug for row in services.organizations.list(owner)] == ["again"]


def test_deployments_of_a_deleted_organization_are_looked_at(
    services: Services, owner: Actor, project: Project, place: str
) -> None:
    deploy(services, owner, project, "live")
    for act in (
        lambda: services.organizations.delete(owner, place, confirm=place),
        lambda: services.organizations.restore(owner, project.organization.public_id),
    ):
        Job.update(run_after_ms=2**60).execute()
        act()
        assert [job.run_after_ms < 2**60 for job in Job.select()] == [True]


def test_a_project_that_runs_something_is_not_archived(services: Services, owner: Actor, project: Project) -> None:
    deploy(services, owner, project, "live", "second")
    with pytest.raises(Conflict, match="'live', 'second'"):
        services.projects.edit(owner, project, {"archived": True, "name": "N"})
    assert (Project.get().archived_at_ms, Project.get().name) == (None, "Churn")
    services.deployments.stop(owner, project, "live")
    services.deployments.delete(owner, project, "second")
    archived = services.projects.edit(owner, project, {"archived": True})
    for act in (
        lambda: services.deployments.start(owner, project, "live"),  # `project` is as it was before
        lambda: services.deployments.start(owner, archived, "live"),
        lambda: services.deployments.create(
            owner, project, name="more", model="risk", version="1", target="local_process"
        ),
    ):
        with pytest.raises(Conflict, match="archived"):
            act()
    assert services.deployments.get(owner, archived, "live").desired_status == "stopped"
