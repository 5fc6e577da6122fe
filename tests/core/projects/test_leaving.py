"""Leaving, handing over, and the instance administrator who takes a role."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import Conflict, InvalidInput, ModelyardError, NotFound, PermissionDenied
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.identity.tokens import actor_of_token
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import find_organization, find_project
from modelyard.core.projects.models import OrganizationMember, ProjectMember
from tests.factories import Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def owner(factories: Factories) -> Actor:
    user = factories.user("owner")
    factories.organization("acme", owner=user)
    return factories.actor(user)


def join(services: Services, factories: Factories, owner: Actor, username: str, role: str) -> Actor:
    user = factories.user(username)
    services.organizations.set_member(owner, "acme", username, role)
    return factories.actor(user)


def roles() -> dict[str, str]:
    return {row.user.username: row.role for row in OrganizationMember.select()}


def last_event() -> Any:
    return Event.select().order_by(Event.id.desc()).first()


def test_a_member_leaves_with_all_roles_in_projects(services: Services, factories: Factories, owner: Actor) -> None:
    member = join(services, factories, owner, "bo", "member")
    project = services.projects.create(owner, "acme", slug="churn", name="Churn")
    services.projects.set_member(owner, project, "bo", "editor")
    services.organizations.leave(member, "acme")
    assert (roles(), ProjectMember.select().count()) == ({"owner": "owner"}, 0)
    assert (last_event().action, last_event().object_name) == ("organization.member_left", "bo")
    with pytest.raises(NotFound):
        services.organizations.leave(member, "acme")


def test_a_token_of_somebody_who_left_opens_nothing(services: Services, factories: Factories, owner: Actor) -> None:
    member = join(services, factories, owner, "bo", "member")
    project = services.projects.create(owner, "acme", slug="churn", name="Churn")
    services.projects.set_member(owner, project, "bo", "editor")
    token = factories.token(User.get(username="bo"), project=project)

    def by_token() -> Actor:
        found = services.tokens.find(token)
        assert found is not None
        return actor_of_token(*found, request_id="", address="")

    assert find_project(by_token(), "acme", "churn", "run.write") == project
    services.organizations.leave(member, "acme")
    with pytest.raises(NotFound):
        find_project(by_token(), "acme", "churn")


def test_the_last_owner_cannot_leave(services: Services, factories: Factories, owner: Actor) -> None:
    join(services, factories, owner, "admin", "admin")
    with pytest.raises(Conflict, match="last owner"):
        services.organizations.leave(owner, "acme")
    join(services, factories, owner, "other", "owner")
    services.organizations.leave(owner, "acme")
    assert roles() == {"admin": "admin", "other": "owner"}


def at_once(*acts: Any) -> list[ModelyardError]:
    """Do all at the same time; what was refused."""
    start, refusals = threading.Barrier(len(acts)), []

    def run(act: Any) -> None:
        with db.connection():
            start.wait()
            try:
                act()
            except ModelyardError as refused:
                refusals.append(refused)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refusals


def test_of_two_owners_who_leave_at_once_one_stays(services: Services, factories: Factories, owner: Actor) -> None:
    other = join(services, factories, owner, "other", "owner")
    for _ in range(3):
        refusals = at_once(
            lambda: services.organizations.leave(owner, "acme"), lambda: services.organizations.leave(other, "acme")
        )
        assert list(roles().values()) == ["owner"]
        assert [type(refused) for refused in refusals] == [Conflict]
        left = {"owner", "other"} - set(roles())
        services.organizations.set_member(factories.actor(OrganizationMember.get().user), "acme", left.pop(), "owner")


def test_a_transfer_is_one_step(services: Services, factories: Factories, owner: Actor) -> None:
    join(services, factories, owner, "bo", "member")
    services.organizations.transfer(owner, "acme", "BO", "admin")
    assert roles() == {"owner": "admin", "bo": "owner"}
    event = last_event()
    assert (event.action, event.before) == ("organization.transferred", {"owner": "owner"})
    assert event.after == {"owner": "bo", "keep_role": "admin"}
    with pytest.raises(PermissionDenied, match="'owner'"):
        services.organizations.transfer(owner, "acme", "owner", None)
    services.organizations.transfer(factories.actor(User.get(username="bo")), "acme", "owner", None)
    assert roles() == {"owner": "owner"}


def test_an_owner_hands_over_once(services: Services, factories: Factories, owner: Actor) -> None:
    for name in ("ann", "bo"):
        join(services, factories, owner, name, "member")
    refusals = at_once(
        lambda: services.organizations.transfer(owner, "acme", "ann", "member"),
        lambda: services.organizations.transfer(owner, "acme", "bo", "member"),
    )
    assert sorted(roles().values()) == ["member", "member", "owner"]
    assert [type(refused) for refused in refusals] == [PermissionDenied]


@on_sqlite
def test_only_another_member_who_may_come_in_is_an_heir(services: Services, factories: Factories, owner: Actor) -> None:
    factories.user("stranger")
    join(services, factories, owner, "gone", "member")
    User.update(disabled_at_ms=1).where(User.username == "gone").execute()
    told = set()
    for name in ("stranger", "nobody", "gone", "owner"):
        with pytest.raises(InvalidInput) as refused:
            services.organizations.transfer(owner, "acme", name, "admin")
        told.add(str(refused.value).replace(repr(name), "it"))
    assert len(told) == 1
    with pytest.raises(InvalidInput, match="'owner'") as refused:
        services.organizations.transfer(owner, "acme", "stranger", "owner")
    assert refused.value.details["field"] == "keep_role"
    assert roles() == {"owner": "owner", "gone": "member"}


def test_an_instance_administrator_takes_a_role_on_the_record(
    services: Services, factories: Factories, owner: Actor
) -> None:
    root = factories.actor(User.get(username="root"))
    with pytest.raises(NotFound):
        find_organization(root, "acme")
    factories.user("friend")
    for name in ("friend", "owner"):  # the office lets nobody else in, and nobody out
        with pytest.raises(NotFound):
            services.organizations.set_member(root, "acme", name, "member")
    with pytest.raises(NotFound):
        services.organizations.set_member(root, "nope", "root", "admin")
    services.organizations.set_member(root, "acme", "root", "admin")
    assert find_organization(root, "acme")[1] == "admin"
    event = last_event()
    assert (event.action, event.actor_name, event.object_name) == ("organization.role_taken", "root", "root")
    assert (event.before, event.after, event.organization.slug) == ({"role": None}, {"role": "admin"}, "acme")
    small = Actor(kind="token", name="root", user_id=root.user_id, is_instance_admin=True, scopes=frozenset({"write"}))
    with pytest.raises(PermissionDenied, match="scope"):
        services.organizations.set_member(small, "acme", "root", "owner")


@on_sqlite
def test_a_role_in_a_project_is_given_up(services: Services, factories: Factories, owner: Actor) -> None:
    project = services.projects.create(owner, "acme", slug="churn", name="Churn")
    member = join(services, factories, owner, "bo", "member")
    services.projects.set_member(owner, project, "bo", "viewer")
    archived = services.projects.edit(owner, project, {"archived": True})
    services.projects.leave(member, archived)
    assert (last_event().action, last_event().project_id) == ("project.member_left", project.id)
    assert ProjectMember.select().count() == 0
    with pytest.raises(NotFound, match="no role of your own"):
        services.projects.leave(owner, archived)


@on_sqlite
def test_all_organizations_are_listed_for_the_instances_administrators(
    services: Services, factories: Factories, owner: Actor
) -> None:
    join(services, factories, owner, "bo", "member")
    factories.organization("zebra", owner=User.get(username="root"))
    root = factories.actor(User.get(username="root"))
    found = [(row.slug, row.member_count, row.own_role) for row in services.organizations.list_all(root)]
    assert found == [("acme", 2, None), ("zebra", 1, "owner")]
    with pytest.raises(PermissionDenied):
        services.organizations.list_all(owner)
