"""Organizations: who makes them, who belongs to them, and the owner who stays."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import (
    AlreadyExists,
    AuthenticationRequired,
    Conflict,
    InvalidInput,
    ModelyardError,
    NotFound,
    PermissionDenied,
)
from modelyard.core.identity.actor import ANONYMOUS, Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import find_organization
from modelyard.core.projects.models import Organization, OrganizationMember, ProjectMember
from tests.factories import Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def owner(factories: Factories) -> Actor:
    return factories.actor(factories.user("owner"))


@pytest.fixture
def acme(factories: Factories, owner: Actor) -> Organization:
    from modelyard.core.identity.models import User

    made: Organization = factories.organization("acme", owner=User.get(User.username == "owner"))
    return made


def roles(organization: Organization) -> dict[str, str]:
    rows = OrganizationMember.select().where(OrganizationMember.organization == organization)
    return {row.user.username: row.role for row in rows}


def join(services: Services, factories: Factories, owner: Actor, username: str, role: str) -> Actor:
    user = factories.user(username)
    services.organizations.set_member(owner, "acme", username, role)
    return factories.actor(user)


def test_an_instance_administrator_makes_one_for_its_owner(services: Services, factories: Factories) -> None:
    root, ada = factories.actor(factories.user("r", is_instance_admin=True)), factories.user("ada")
    made = services.organizations.create(root, slug="acme", name="Acme", owner="Ada")
    assert roles(made) == {"ada": "owner"}
    event = Event.get()
    assert (event.action, event.organization_id, event.after["owner"]) == ("organization.created", made.id, "ada")
    with pytest.raises(NotFound):  # the office alone opens nothing
        find_organization(root, "acme")
    assert find_organization(factories.actor(ada), "acme") == (made, "owner")
    with pytest.raises(AlreadyExists, match="'acme'"):
        services.organizations.create(root, slug="acme", name="Another")
    assert (Organization.select().count(), OrganizationMember.select().count(), Event.select().count()) == (1, 1, 1)


@on_sqlite
def test_what_cannot_be_taken_makes_nothing(services: Services, factories: Factories) -> None:
    root = factories.actor(factories.user(is_instance_admin=True))
    for wish in [
        {"slug": "Acme", "name": "A"}, {"slug": "api", "name": "A"}, {"slug": "acme", "name": ""},
        {"slug": "acme", "name": "x" * 201}, {"slug": "acme", "name": "a\0"},
        {"slug": "acme", "name": "A", "owner": "no"},
    ]:  # fmt: skip
        with pytest.raises(InvalidInput) as refused:
            services.organizations.create(root, **wish)
        assert refused.value.details["field"] in wish
    assert (Organization.select().count(), Event.select().count()) == (0, 0)
    with pytest.raises(PermissionDenied, match="instance administrators"):
        services.organizations.create(factories.actor(), slug="acme", name="A")
    with pytest.raises(AuthenticationRequired):
        services.organizations.create(ANONYMOUS, slug="acme", name="A")


def test_a_stranger_finds_nothing(services: Services, factories: Factories, acme: Organization) -> None:
    stranger = factories.actor()
    acts: list[Callable[[str], Any]] = [
        lambda slug: find_organization(stranger, slug),
        lambda slug: services.organizations.members(stranger, slug),
        lambda slug: services.organizations.set_member(stranger, slug, "owner", "member"),
        lambda slug: services.organizations.remove_member(stranger, slug, "owner"),
        lambda slug: services.projects.list(stranger, slug),
        lambda slug: services.projects.create(stranger, slug, slug="x", name="X"),
    ]
    for act in acts:
        told = []
        for slug in ("acme", "nope", "a\0b", "\ud800", "A" * 500):
            with pytest.raises(NotFound) as refused:
                act(slug)
            told.append(str(refused.value).replace(repr(slug), "it"))
        assert len(set(told)) == 1
    assert list(services.organizations.list(stranger)) == []


def test_a_member_reads_and_changes_nothing(
    services: Services, factories: Factories, owner: Actor, acme: Organization
) -> None:
    member = join(services, factories, owner, "member", "member")
    assert find_organization(member, "acme")[1] == "member"
    assert [row.user.username for row in services.organizations.members(member, "acme")] == ["member", "owner"]
    for act in (
        lambda: services.organizations.set_member(member, "acme", "member", "admin"),
        lambda: services.organizations.remove_member(member, "acme", "member"),
        lambda: services.projects.create(member, "acme", slug="x", name="X"),
    ):
        with pytest.raises(PermissionDenied, match="'admin'") as refused:
            act()
        assert refused.value.details == {"needed_role": "admin"}
    assert roles(acme) == {"owner": "owner", "member": "member"}


def test_only_an_owner_makes_and_unmakes_owners(
    services: Services, factories: Factories, owner: Actor, acme: Organization
) -> None:
    admin = join(services, factories, owner, "admin", "admin")
    factories.user("new")
    services.organizations.set_member(admin, "acme", "new", "admin")
    for act in (
        lambda: services.organizations.set_member(admin, "acme", "new", "owner"),
        lambda: services.organizations.set_member(admin, "acme", "admin", "owner"),
        lambda: services.organizations.set_member(admin, "acme", "owner", "member"),
        lambda: services.organizations.remove_member(admin, "acme", "owner"),
    ):
        with pytest.raises(PermissionDenied, match="'owner'"):
            act()
    services.organizations.set_member(owner, "acme", "new", "owner")
    assert roles(acme) == {"owner": "owner", "admin": "admin", "new": "owner"}


def test_the_last_owner_stays(services: Services, factories: Factories, owner: Actor, acme: Organization) -> None:
    join(services, factories, owner, "admin", "admin")
    for act in (
        lambda: services.organizations.set_member(owner, "acme", "owner", "admin"),
        lambda: services.organizations.remove_member(owner, "acme", "owner"),
    ):
        with pytest.raises(Conflict, match="last owner"):
            act()
    assert roles(acme) == {"owner": "owner", "admin": "admin"}
    services.organizations.set_member(owner, "acme", "owner", "owner")
    services.organizations.set_member(owner, "acme", "admin", "owner")
    services.organizations.remove_member(owner, "acme", "owner")
    assert roles(acme) == {"admin": "owner"}


def demote(
    services: Services, start: threading.Barrier, refusals: list[ModelyardError], actor: Actor, whom: str
) -> None:
    with db.connection():
        start.wait()
        try:
            services.organizations.set_member(actor, "acme", whom, "member")
        except ModelyardError as refused:
            refusals.append(refused)


def test_of_two_owners_who_remove_each_other_at_once_one_stays(
    services: Services, factories: Factories, owner: Actor, acme: Organization
) -> None:
    other = join(services, factories, owner, "other", "owner")
    for _ in range(5):
        start = threading.Barrier(2)
        refusals: list[ModelyardError] = []
        threads = [
            threading.Thread(target=demote, args=(services, start, refusals, *pair))
            for pair in ((owner, "other"), (other, "owner"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(roles(acme).values()) == ["member", "owner"]
        assert [type(refused) in (Conflict, PermissionDenied) for refused in refusals] == [True]
        OrganizationMember.update(role="owner").execute()


def test_who_leaves_the_organization_leaves_its_projects(services: Services, factories: Factories) -> None:
    project, elsewhere = factories.project(), factories.project()
    user = factories.member(project, "editor")
    slug, owner = project.organization.slug, factories.actor(project.organization.members[0].user)
    other_owner = factories.actor(elsewhere.organization.members[0].user)
    services.organizations.set_member(other_owner, elsewhere.organization.slug, user.username, "member")
    services.projects.set_member(other_owner, elsewhere, user.username, "viewer")
    services.organizations.remove_member(owner, slug, user.username)
    assert [row.project_id for row in ProjectMember.select().where(ProjectMember.user == user)] == [elsewhere.id]
    event = Event.select().order_by(Event.id.desc()).first()
    assert (event.action, event.object_name, event.before) == (
        "organization.member_removed",
        user.username,
        {"role": "member"},
    )
    with pytest.raises(NotFound, match="is no member"):
        services.organizations.remove_member(owner, slug, user.username)


@on_sqlite
def test_roles_and_users_that_are_none(services: Services, owner: Actor, acme: Organization) -> None:
    with pytest.raises(InvalidInput, match="owner") as refused:
        services.organizations.set_member(owner, "acme", "owner", "king")
    assert refused.value.details["field"] == "role"
    with pytest.raises(InvalidInput, match="'nobody'"):
        services.organizations.set_member(owner, "acme", "nobody", "member")
    with pytest.raises(InvalidInput):
        services.organizations.remove_member(owner, "acme", "nobody")
