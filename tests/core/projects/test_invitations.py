"""Invitations: good once, for some time, and no longer than the right of who made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity.actor import ANONYMOUS, Actor
from modelyard.core.identity.models import User
from modelyard.core.notifications.models import Event
from modelyard.core.projects.invitations import NewAccount, state_of
from modelyard.core.projects.models import (
    Invitation,
    Organization,
    OrganizationMember,
    Project,
    ProjectMember,
)
from tests.core.projects.test_leaving import at_once
from tests.factories import CHEAP_HASH, PASSWORD, Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
ADA = NewAccount("Ada", PASSWORD, "Ada L.")


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.core.identity.credentials.hash_password", lambda password: CHEAP_HASH)


@pytest.fixture
def owner(factories: Factories) -> Actor:
    user = factories.user("owner")
    factories.organization("acme", owner=user)
    return factories.actor(user)


@pytest.fixture
def project(services: Services, owner: Actor) -> Project:
    return services.projects.create(owner, "acme", slug="churn", name="Churn")


@pytest.fixture
def invite(services: Services, owner: Actor) -> Callable[..., str]:
    def make(actor: Actor = owner, **wish: Any) -> str:
        return services.invitations.create(actor, "acme", **{"role": "member", **wish})[1]

    return make


Invite = Callable[..., str]


def join(services: Services, factories: Factories, owner: Actor, username: str, role: str) -> Actor:
    user = factories.user(username)
    services.organizations.set_member(owner, "acme", username, role)
    return factories.actor(user)


def roles() -> dict[str, str]:
    return {row.user.username: row.role for row in OrganizationMember.select()}


def states(services: Services, actor: Actor) -> list[str]:
    return [state_of(row) for row in services.invitations.list(actor, "acme")]


def test_somebody_with_an_account_joins(
    services: Services, factories: Factories, owner: Actor, project: Project, invite: Invite
) -> None:
    token = invite(project="churn", project_role="editor", email="bo@example.com")
    offer = services.invitations.find(token)
    assert (offer.organization.name, offer.project.slug, offer.invited_by.username) == ("Acme", "churn", "owner")
    bo = factories.user("bo")
    services.invitations.accept(factories.actor(bo), token)
    assert roles() == {"owner": "owner", "bo": "member"}
    assert ProjectMember.get().role == "editor"
    event = Event.select().order_by(Event.id.desc()).first()
    assert (event.action, event.actor_name, event.before) == ("invitation.accepted", "bo", {"role": None})
    assert event.after == {"role": "member", "project": "churn", "project_role": "editor"}
    (row,) = services.invitations.list(owner, "acme")
    assert (state_of(row), row.accepted_by.username) == ("accepted", "bo")
    for again in (factories.actor(bo), factories.actor()):
        with pytest.raises(NotFound):
            services.invitations.accept(again, token)


def test_somebody_new_gets_an_account(services: Services, owner: Actor, invite: Invite) -> None:
    token = invite(role="admin")
    _, user = services.invitations.accept(ANONYMOUS, token, ADA)
    assert (user.username, user.display_name, user.is_instance_admin) == ("ada", "Ada L.", False)
    assert roles() == {"owner": "owner", "ada": "admin"}
    told = [(row.action, row.actor_name) for row in Event.select().order_by(Event.id.desc()).limit(2)]
    assert told == [("invitation.accepted", "ada"), ("user.created", "ada")]


def test_a_refused_account_uses_nothing_up(
    services: Services, factories: Factories, owner: Actor, invite: Invite
) -> None:
    factories.user("ada")
    token = invite()
    users = User.select().count()
    for account, error in (
        (ADA, AlreadyExists), (None, InvalidInput), (NewAccount("a b", PASSWORD), InvalidInput),
        (NewAccount("bo", PASSWORD, "\0"), InvalidInput),
    ):  # fmt: skip
        with pytest.raises(error):
            services.invitations.accept(ANONYMOUS, token, account)
    assert (states(services, owner), User.select().count()) == (["open"], users)


def test_of_two_who_come_at_once_one_joins(
    services: Services, factories: Factories, owner: Actor, invite: Invite
) -> None:
    for number in range(3):
        token = invite()
        guests = [factories.actor(factories.user(f"guest-{number}-{which}")) for which in "ab"]
        refusals = at_once(
            *[lambda guest=guest, token=token: services.invitations.accept(guest, token) for guest in guests]
        )
        assert [type(refused) for refused in refusals] == [NotFound]
        assert OrganizationMember.select().count() == number + 2


def test_of_two_new_ones_at_once_no_account_is_left_over(services: Services, owner: Actor, invite: Invite) -> None:
    token = invite()
    refusals = at_once(
        lambda: services.invitations.accept(ANONYMOUS, token, ADA),
        lambda: services.invitations.accept(ANONYMOUS, token, NewAccount("bo", PASSWORD)),
    )
    assert [type(refused) for refused in refusals] == [NotFound]
    assert User.select().where(User.username.in_(["ada", "bo"])).count() == 1


def test_a_larger_role_is_never_lowered(
    services: Services, factories: Factories, owner: Actor, project: Project, invite: Invite
) -> None:
    bo = join(services, factories, owner, "bo", "admin")
    services.projects.set_member(owner, project, "bo", "admin")
    services.invitations.accept(bo, invite(role="member", project="churn", project_role="viewer"))
    services.invitations.accept(owner, invite(role="admin"))
    assert roles() == {"owner": "owner", "bo": "admin"}
    assert ProjectMember.get().role == "admin"
    services.invitations.accept(bo, invite(role="owner"))
    assert roles()["bo"] == "owner"


def test_what_is_over_is_as_unknown(
    services: Services, factories: Factories, owner: Actor, project: Project, invite: Invite
) -> None:
    stale, revoked = invite(), invite()
    Invitation.update(expires_at_ms=1).where(Invitation.id == 1).execute()
    last = Invitation.select().order_by(Invitation.id.desc()).first()
    services.invitations.revoke(owner, "acme", last.public_id)
    guest = factories.actor()
    told = set()
    for token in (stale, revoked, "", "x" * 43, "\0", "\ud800", "ä" * 5000):
        for act in (
            lambda token=token: services.invitations.find(token),
            lambda token=token: services.invitations.accept(guest, token),
            lambda token=token: services.invitations.accept(ANONYMOUS, token, ADA),
        ):
            with pytest.raises(NotFound) as refused:
                act()
            told.add(str(refused.value))
    assert len(told) == 1
    assert states(services, owner) == ["revoked", "expired"]
    with pytest.raises(NotFound, match="no open invitation"):
        services.invitations.revoke(owner, "acme", last.public_id)


def test_it_is_worth_no_more_than_its_makers_right(
    services: Services, factories: Factories, owner: Actor, invite: Invite
) -> None:
    second = join(services, factories, owner, "second", "owner")
    as_owner, as_admin = invite(second, role="owner"), invite(second, role="admin")
    services.organizations.set_member(owner, "acme", "second", "admin")
    assert states(services, owner) == ["open", "revoked"]
    with pytest.raises(NotFound):
        services.invitations.find(as_owner)
    services.organizations.remove_member(owner, "acme", "second")
    for token in (as_owner, as_admin):  # the way back that was put aside
        with pytest.raises(NotFound):
            services.invitations.accept(second, token)
    services.organizations.set_member(owner, "acme", "second", "admin")
    User.update(disabled_at_ms=1).where(User.username == "second").execute()
    with pytest.raises(NotFound):
        services.invitations.find(as_admin)
    assert "second" in roles()


def test_it_leads_into_nothing_that_is_deleted_or_archived(
    services: Services, factories: Factories, owner: Actor, project: Project, invite: Invite
) -> None:
    token, plain = invite(project="churn", project_role="viewer"), invite()
    services.projects.edit(owner, project, {"archived": True})
    guest = factories.actor(factories.user("guest"))
    with pytest.raises(Conflict, match="archived"):
        services.invitations.accept(guest, token)
    assert roles() == {"owner": "owner"}
    services.projects.delete(owner, project, confirm="churn")
    with pytest.raises(NotFound):
        services.invitations.find(token)
    assert services.invitations.find(plain).role == "member"
    services.organizations.delete(owner, "acme", confirm="acme")
    with pytest.raises(NotFound):
        services.invitations.find(plain)


@on_sqlite
def test_who_may_invite_whom(services: Services, factories: Factories, owner: Actor, invite: Invite) -> None:
    admin, member = (join(services, factories, owner, role, role) for role in ("admin", "member"))
    invite(admin, role="admin")
    with pytest.raises(PermissionDenied, match="'owner'"):
        invite(admin, role="owner")
    for act in (
        lambda: invite(member), lambda: list(services.invitations.list(member, "acme")),
        lambda: services.invitations.revoke(member, "acme", "f" * 32),
    ):  # fmt: skip
        with pytest.raises(PermissionDenied, match="'admin'"):
            act()
    with pytest.raises(NotFound):
        invite(factories.actor())
    token = invite()
    with pytest.raises(PermissionDenied, match="scope"):
        services.invitations.accept(Actor(kind="token", user_id=1, scopes=frozenset({"write"})), token)
    with pytest.raises(InvalidInput, match="one project"):
        services.invitations.accept(Actor(kind="token", user_id=1, scopes=frozenset({"admin"}), project_id=1), token)


@on_sqlite
@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"role": "king"}, "role"), ({"expires_in_days": 31}, "expires_in_days"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"project": "churn"}, "project_role"), ({"project_role": "viewer"}, "project"),
        ({"project": "churn", "project_role": "king"}, "project_role"), ({"email": "x" * 400}, "email"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_makes_nothing(
    services: Services, project: Project, invite: Invite, wish: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        invite(**wish)
    assert (refused.value.details["field"], Invitation.select().count()) == (field, 0)


@on_sqlite
def test_the_secret_is_nowhere_but_in_the_link(
    services: Services, owner: Actor, project: Project, invite: Invite
) -> None:
    from modelyard.core.db import database

    token = invite()
    with pytest.raises(NotFound):
        invite(project="nope", project_role="viewer")
    dump = "\n".join(database.connection().iterdump())
    assert token not in dump
    assert Organization.get().slug in dump
