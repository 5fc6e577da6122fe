"""Service accounts: programs as members of one organization, in the hands of its admins."""

from __future__ import annotations

from dataclasses import replace
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
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.identity.tokens import actor_of_token
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import find_organization, find_project
from modelyard.core.projects.models import Organization, Project
from tests.factories import PASSWORD, SYSTEM, Factories, system_owner

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def project(factories: Factories) -> Project:
    factories.organization("acme", owner=factories.user("ada"))
    return factories.services.projects.create(
        factories.actor(User.get(User.username == "ada")), "acme", slug="churn", name="Churn"
    )


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


def token_of(services: Services, owner: Actor, name: str = "ci", **wish: Any) -> str:
    wish = {"name": "t", "scopes": ["read", "write"], "project": None, "expires_in_days": None, **wish}
    return services.service_accounts.create_token(owner, "acme", name, **wish)[1]


def program(services: Services, token: str) -> Actor | None:
    found = services.tokens.find(token)
    return actor_of_token(*found, request_id="", address="") if found else None


def test_one_works_with_the_roles_that_it_is_given(services: Services, owner: Actor, project: Project) -> None:
    made = services.service_accounts.create(owner, "acme", name="ci", display_name="Build machine")
    assert (made.username, made.kind, made.password_hash) == ("ci@acme", "service", "")
    actor = program(services, token_of(services, owner))
    assert actor is not None
    with pytest.raises(NotFound):
        find_project(actor, "acme", "churn")
    services.projects.set_member(owner, project, "ci@acme", "editor")
    actor = program(services, token_of(services, owner))
    assert actor is not None
    assert find_project(actor, "acme", "churn", "run.write") == project
    with pytest.raises(PermissionDenied):
        find_project(actor, "acme", "churn", "project.edit")
    members = {row.user.username: (row.user.kind, row.role) for row in services.organizations.members(owner, "acme")}
    assert members == {"ada": ("person", "owner"), "ci@acme": ("service", "member")}
    actions = [row.action for row in Event.select().where(Event.object_name == "ci@acme").order_by(Event.id)]
    assert actions == ["service_account.created", "project.member_set"]
    token_made = Event.get(Event.action == "token.created")
    assert (token_made.organization.slug, token_made.after["user"]) == ("acme", "ci@acme")


def test_it_signs_in_nowhere(services: Services, owner: Actor) -> None:
    services.service_accounts.create(owner, "acme", name="ci")
    for password in ("", PASSWORD):
        with pytest.raises(AuthenticationRequired):
            services.sessions.sign_in("ci@acme", password, address="", user_agent="", request_id="")
    with pytest.raises(Conflict, match="service account"):
        services.passwords.create_link(SYSTEM, "ci@acme")
    actor = program(services, token_of(services, owner, scopes=["admin"]))
    assert actor is not None
    with pytest.raises(Conflict, match="service account"):
        services.passwords.change(actor, current_password="", password=PASSWORD)
    with pytest.raises(Conflict, match="Only people"):
        services.users.edit(SYSTEM, "ci@acme", {"is_instance_admin": True})


def test_a_disabled_or_deleted_one_is_out_at_once(services: Services, owner: Actor) -> None:
    services.service_accounts.create(owner, "acme", name="ci")
    token = token_of(services, owner)
    services.service_accounts.edit(owner, "acme", "ci", {"disabled": True, "display_name": "Off"})
    assert program(services, token) is None
    event = Event.get(Event.action == "service_account.updated")
    assert event.after == {"disabled": True, "display_name": "Off"}
    services.service_accounts.edit(owner, "acme", "ci", {"disabled": False})
    assert program(services, token) is not None
    services.service_accounts.delete(owner, "acme", "ci")
    assert program(services, token) is None
    assert [row.user.username for row in services.organizations.members(owner, "acme")] == ["ada"]
    with pytest.raises(NotFound):
        services.service_accounts.get(owner, "acme", "ci")
    services.service_accounts.create(owner, "acme", name="ci")
    assert program(services, token) is None


def test_its_tokens_are_its_admins_affair(services: Services, factories: Factories, owner: Actor) -> None:
    for name in ("ci", "nightly"):
        services.service_accounts.create(owner, "acme", name=name)
    token, other = token_of(services, owner), token_of(services, owner, "nightly")
    assert [row.public_id for row in services.service_accounts.tokens(owner, "acme", "ci")] == [token.split("_")[1]]
    with pytest.raises(NotFound):
        services.service_accounts.revoke_token(owner, "acme", "ci", other.split("_")[1])
    with pytest.raises(NotFound):
        services.tokens.revoke(owner, token.split("_")[1])
    assert list(services.tokens.list(owner)) == []
    services.service_accounts.revoke_token(owner, "acme", "ci", token.split("_")[1])
    assert (program(services, token), program(services, other) is None) == (None, False)
    assert Event.get(Event.action == "token.revoked").organization.slug == "acme"
    member = factories.user("bo")
    services.organizations.set_member(owner, "acme", "bo", "member")
    assert [row.username for row in services.service_accounts.list(factories.actor(member), "acme")] == [
        "ci@acme",
        "nightly@acme",
    ]
    for act in (
        lambda actor: services.service_accounts.tokens(actor, "acme", "ci"),
        lambda actor: token_of(services, actor),
        lambda actor: services.service_accounts.create(actor, "acme", name="x"),
        lambda actor: services.service_accounts.edit(actor, "acme", "ci", {"disabled": True}),
        lambda actor: services.service_accounts.delete(actor, "acme", "ci"),
        lambda actor: services.service_accounts.revoke_token(actor, "acme", "nightly", other.split("_")[1]),
    ):
        with pytest.raises(PermissionDenied, match="'admin'"):
            act(factories.actor(member))
        with pytest.raises(NotFound, match="organization 'acme'"):
            act(factories.actor())
    assert User.select().where(User.kind == "service").count() == 2


@on_sqlite
def test_a_token_hands_on_no_more_than_it_has(services: Services, owner: Actor) -> None:
    services.service_accounts.create(owner, "acme", name="ci")
    small = replace(owner, kind="token", scopes=frozenset({"admin", "read"}), expires_at_ms=1)
    with pytest.raises(InvalidInput, match="more scopes"):
        token_of(services, small)
    with pytest.raises(InvalidInput, match="outlives"):
        token_of(services, small, scopes=["read"], expires_in_days=1)
    assert ApiToken.select().count() == 0


def test_it_belongs_to_its_organization_alone(services: Services, factories: Factories, owner: Actor) -> None:
    services.service_accounts.create(owner, "acme", name="ci")
    elsewhere = factories.actor(factories.user("eve"))
    factories.organization("evil", owner=User.get(User.username == "eve"))
    with pytest.raises(InvalidInput, match="There is no user 'ci@acme'"):
        services.organizations.set_member(elsewhere, "evil", "ci@acme", "member")
    root = factories.actor(User.get(User.username == "root"))
    with pytest.raises(InvalidInput, match="There is no user"):
        services.organizations.create(root, slug="newer", name="N", owner="ci@acme")
    with pytest.raises(InvalidInput, match="own nothing"):
        services.organizations.set_member(owner, "acme", "ci@acme", "owner")
    assert services.service_accounts.create(elsewhere, "evil", name="ci").username == "ci@evil"
    with pytest.raises(NotFound):
        services.service_accounts.get(elsewhere, "evil", "ci@acme")
    actor = program(services, token_of(services, owner))
    assert actor is not None
    with pytest.raises(NotFound):
        find_organization(actor, "evil")
    Organization.delete().where(Organization.slug == "acme").execute()
    assert User.get_or_none(User.username == "ci@acme") is None


@on_sqlite
@pytest.mark.parametrize("name", ["", "a b", "-a", "A", "a@b", "a" * 41, "a_b", "ü", "a\0"])
def test_bad_names_are_refused(services: Services, owner: Actor, name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.service_accounts.create(owner, "acme", name=name)
    assert refused.value.details["field"] == "name"
    assert User.select().where(User.kind == "service").count() == 0


def test_a_name_is_taken_once_even_after_the_organization_is_renamed(services: Services, owner: Actor) -> None:
    services.service_accounts.create(owner, "acme", name="ci")
    with pytest.raises(AlreadyExists, match="'ci'") as refused:
        services.service_accounts.create(owner, "acme", name="ci")
    assert refused.value.details["field"] == "name"
    Organization.update(slug="apex").where(Organization.slug == "acme").execute()
    assert services.service_accounts.get(owner, "apex", "ci").username == "ci@acme"
    with pytest.raises(AlreadyExists):
        services.service_accounts.create(owner, "apex", name="ci")


@on_sqlite
def test_a_long_slug_leaves_room_for_a_name(services: Services, factories: Factories) -> None:
    ada = factories.user("ada")
    factories.organization("a" * 63, owner=ada)
    made = services.service_accounts.create(factories.actor(ada), "a" * 63, name="n" * 40)
    assert len(made.username) == 63
    assert services.service_accounts.get(factories.actor(ada), "a" * 63, "n" * 40) == made


def test_one_of_the_same_name_under_a_slug_that_another_tenant_had_gets_a_number(
    services: Services, factories: Factories
) -> None:
    ada, eve = factories.user("ada"), factories.user("eve")
    factories.organization("acme", owner=ada)
    services.service_accounts.create(factories.actor(ada), "acme", name="ci")
    services.organizations.edit(factories.actor(ada), "acme", {"slug": "acme2"})
    factories.organization("acme", owner=eve)
    assert services.service_accounts.create(factories.actor(eve), "acme", name="ci").username == "ci@acme-2"


def test_its_token_is_refused_once_its_organization_is_deleted(services: Services, factories: Factories) -> None:
    ada = factories.actor(factories.user("ada"))
    factories.organization("acme", owner=User.get(User.username == "ada"))
    services.service_accounts.create(ada, "acme", name="ci")
    wish = {"name": "t", "scopes": ["read"], "project": None, "expires_in_days": None}
    _, token = services.service_accounts.create_token(ada, "acme", "ci", **wish)
    assert services.tokens.find(token) is not None
    services.organizations.delete(ada, "acme", confirm="acme")
    assert services.tokens.find(token) is None
