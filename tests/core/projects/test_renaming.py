"""Slugs that were had before: they lead to their tenant until another one takes them, and tell strangers nothing."""

from __future__ import annotations

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.errors import AlreadyExists, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import find_organization, find_project
from modelyard.core.projects.models import Organization, OrganizationFormerSlug, Project, ProjectFormerSlug
from tests.factories import Factories, system_owner

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def acme(services: Services, owner: Actor, project: Project) -> Organization:
    return services.organizations.edit(owner, project.organization.slug, {"slug": "acme"})


def test_old_addresses_lead_to_the_present_one(
    services: Services, owner: Actor, project: Project, acme: Organization
) -> None:
    old = project.organization.slug
    renamed = services.projects.edit(owner, project, {"slug": "leavers"})
    assert renamed.slug == "leavers"
    for organization in (old, "acme"):
        assert find_organization(owner, organization)[0].slug == "acme"
        for slug in ("churn", "leavers"):
            assert find_project(owner, organization, slug).id == project.id
    event = Event.select().order_by(Event.id.desc()).first()
    assert (event.action, event.before, event.after) == ("project.updated", {"slug": "churn"}, {"slug": "leavers"})
    services.projects.edit(owner, renamed, {"slug": "churn"})
    assert find_project(owner, "acme", "leavers").slug == "churn"
    assert [row.slug for row in ProjectFormerSlug.select()] == ["leavers"]


def test_a_slug_that_another_takes_leads_to_that_one(
    services: Services, factories: Factories, owner: Actor, project: Project, acme: Organization
) -> None:
    old = project.organization.slug
    services.projects.edit(owner, project, {"slug": "leavers"})
    other = services.projects.create(owner, "acme", slug="churn", name="Other")
    assert find_project(owner, old, "churn").id == other.id
    services.projects.edit(owner, other, {"slug": "third"})
    assert find_project(owner, "acme", "churn").id == other.id
    taking = factories.organization(old)
    with pytest.raises(NotFound):
        find_organization(owner, old)
    with pytest.raises(NotFound):
        find_project(owner, old, "churn")
    assert OrganizationFormerSlug.select().count() == 0
    services.organizations.edit(factories.actor(taking.members[0].user), old, {"slug": "elsewhere"})
    with pytest.raises(NotFound):
        find_organization(owner, old)


def test_renaming_to_a_taken_slug_changes_nothing(services: Services, owner: Actor, project: Project) -> None:
    slug = project.organization.slug
    services.projects.create(owner, slug, slug="other", name="Other")
    with pytest.raises(AlreadyExists, match="'other'"):
        services.projects.edit(owner, project, {"slug": "other", "name": "N"})
    with pytest.raises(InvalidInput, match="reserved"):
        services.organizations.edit(owner, slug, {"slug": "api"})
    assert (Project.get_by_id(project.id).name, ProjectFormerSlug.select().count()) == ("Churn", 0)


def test_an_organizations_taken_slug_stays_its_owners(
    services: Services, factories: Factories, owner: Actor, project: Project
) -> None:
    factories.organization("taken")
    with pytest.raises(AlreadyExists, match="'taken'"):
        services.organizations.edit(owner, project.organization.slug, {"slug": "taken"})
    edited = services.organizations.edit(owner, project.organization.slug, {"name": "New"})
    assert edited.name == "New"
    assert services.organizations.edit(owner, edited.slug, {"name": "New"}).id == edited.id
    assert Event.select().where(Event.action == "organization.updated").count() == 1


def test_old_slugs_tell_a_stranger_nothing(
    services: Services, factories: Factories, owner: Actor, project: Project, acme: Organization
) -> None:
    old = project.organization.slug
    services.projects.edit(owner, project, {"slug": "leavers"})
    member = factories.user()
    services.organizations.set_member(owner, "acme", member.username, "member")
    for actor, places in (
        (factories.actor(), [(old, "churn"), ("acme", "churn"), (old, "leavers"), (old, "nope"), ("nope", "nope")]),
        (factories.actor(member), [(old, "churn"), ("acme", "leavers"), ("acme", "nope")]),
    ):
        told = set()
        for organization, slug in places:
            with pytest.raises(NotFound) as refused:
                find_project(actor, organization, slug)
            told.add(str(refused.value).replace(f"{organization}/{slug}", "it"))
        assert told == {"There is no project 'it'."}
    for slug in (old, "acme", "nope"):
        with pytest.raises(NotFound, match=f"no organization '{slug}'"):
            find_organization(factories.actor(), slug)


@on_sqlite
def test_only_owners_rename_organizations(
    services: Services, factories: Factories, owner: Actor, project: Project
) -> None:
    slug, admin = project.organization.slug, factories.user()
    services.organizations.set_member(owner, slug, admin.username, "admin")
    with pytest.raises(PermissionDenied, match="'owner'"):
        services.organizations.edit(factories.actor(admin), slug, {"slug": "mine"})
    renamed = services.projects.edit(factories.actor(admin), project, {"slug": "leavers"})
    assert renamed.slug == "leavers"
