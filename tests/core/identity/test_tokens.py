"""API tokens: what they may, what they may not hand on, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import AuthenticationRequired, InvalidInput, NotFound, PermissionDenied
from modelyard.core.identity import tokens
from modelyard.core.identity.actor import ANONYMOUS, Actor
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.identity.tokens import actor_of_token
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import find_organization, find_project
from modelyard.core.projects.models import Project
from tests.factories import Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
DAY_MS = 24 * 3600 * 1000


def program(services: Services, token: str) -> Actor:
    """Act as the program that shows the token."""
    found = services.tokens.find(token)
    assert found is not None
    return actor_of_token(*found, request_id="r", address="")


def make(services: Services, actor: Actor, **wish: Any) -> str:
    wish = {"name": "t", "scopes": ["read"], "project": None, "expires_in_days": None, **wish}
    return services.tokens.create(actor, **wish)[1]


def test_only_a_hash_of_the_secret_is_kept(services: Services, factories: Factories, ada: User) -> None:
    token = factories.token(ada)
    secret = token.split("_", 2)[2]
    for table in ("api_token", "event"):
        assert secret not in str(db.database.execute_sql(f"SELECT * FROM {table}").fetchall())
    found = services.tokens.find(token)
    assert found is not None
    assert found[0] == ada


@on_sqlite
def test_a_token_that_is_wrong_in_any_place_is_none(services: Services, factories: Factories, ada: User) -> None:
    token = factories.token(ada)
    prefix, public_id, secret = token.split("_", 2)
    other = factories.token(ada).split("_", 2)[2]
    stored = ApiToken.get(ApiToken.public_id == public_id).secret_hash
    for wrong in [
        "", "my", "my__", token[:-1], token + "x", f"{prefix}_{public_id}_{other}", f"{prefix}_{public_id}_{stored}",
        f"my_{'0' * 32}_{secret}", f"My_{public_id}_{secret}", f"my_{public_id}X_{secret}", f"{prefix}_{public_id}_",
    ]:  # fmt: skip
        assert services.tokens.find(wrong) is None, wrong


@pytest.mark.parametrize("public_id", ["\0" * 32, "\ud800" * 32, "'" * 32, "漢" * 32])
def test_an_odd_token_is_wrong_and_no_error(services: Services, public_id: str) -> None:
    assert services.tokens.find(f"my_{public_id}_secret") is None
    assert services.tokens.find(f"my_{'0' * 32}_\ud800") is None


def test_a_token_ends(services: Services, factories: Factories, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    short, endless = factories.token(ada, expires_in_days=1), factories.token(ada)
    real = tokens.now_ms
    monkeypatch.setattr(tokens, "now_ms", lambda: real() + DAY_MS - 60_000)
    assert services.tokens.find(short) is not None
    monkeypatch.setattr(tokens, "now_ms", lambda: real() + DAY_MS + 60_000)
    assert services.tokens.find(short) is None
    assert services.tokens.find(endless) is not None


@on_sqlite
@pytest.mark.parametrize("days", [0, -1, 3651])
def test_days_that_are_none_are_refused(services: Services, factories: Factories, ada: User, days: int) -> None:
    with pytest.raises(InvalidInput, match="expires_in_days"):
        make(services, factories.actor(ada), expires_in_days=days)
    assert ApiToken.select().count() == 0


def test_a_revoked_token_is_out_at_once(services: Services, factories: Factories, ada: User) -> None:
    actor = factories.actor(ada)
    kept, ended = factories.token(ada), factories.token(ada)
    services.tokens.revoke(actor, ended.split("_")[1])
    assert services.tokens.find(ended) is None
    assert [row.public_id for row in services.tokens.list(actor)] == [kept.split("_")[1]]
    with pytest.raises(NotFound):
        services.tokens.revoke(actor, ended.split("_")[1])
    assert Event.select().where(Event.action == "token.revoked").count() == 1


def test_nobody_elses_token_can_be_revoked_or_seen(services: Services, factories: Factories, ada: User) -> None:
    token, stranger = factories.token(ada), factories.actor()
    with pytest.raises(NotFound):
        services.tokens.revoke(stranger, token.split("_")[1])
    assert list(services.tokens.list(stranger)) == []
    assert services.tokens.find(token) is not None


@on_sqlite
def test_a_disabled_users_tokens_are_out(services: Services, factories: Factories, ada: User) -> None:
    token = factories.token(ada)
    User.update(disabled_at_ms=1).where(User.id == ada.id).execute()
    assert services.tokens.find(token) is None


def test_use_is_noted_but_not_at_every_request(
    services: Services, factories: Factories, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = factories.token(ada)
    assert ApiToken.get().last_used_at_ms is None
    services.tokens.find("my_" + "0" * 32 + "_x")
    services.tokens.find(token)
    first = ApiToken.get().last_used_at_ms
    assert abs(first - db.now_ms()) < 60_000
    services.tokens.find(token)
    assert ApiToken.get().last_used_at_ms == first
    monkeypatch.setattr(tokens, "now_ms", lambda: first + 61_000)
    services.tokens.find(token)
    assert ApiToken.get().last_used_at_ms == first + 61_000


@on_sqlite
def test_scopes_do_not_grow(services: Services, factories: Factories, ada: User) -> None:
    admin = program(services, factories.token(ada, scopes=["admin", "read"]))
    assert make(services, admin, scopes=["read"])
    with pytest.raises(InvalidInput, match="more scopes"):
        make(services, admin, scopes=["read", "write"])
    reader = program(services, factories.token(ada, scopes=["read", "write", "deploy"]))
    for act in (lambda: make(services, reader), lambda: services.tokens.revoke(reader, "x")):
        with pytest.raises(PermissionDenied) as refused:
            act()
        assert refused.value.details["needed_scope"] == "admin"
    with pytest.raises(PermissionDenied):
        services.tokens.list(program(services, factories.token(ada, scopes=["deploy"])))


@on_sqlite
@pytest.mark.parametrize("scopes", [[], ["root"], ["read", ""], ["READ"]])
def test_scopes_that_nobody_knows_are_refused(
    services: Services, factories: Factories, ada: User, scopes: list[str]
) -> None:
    with pytest.raises(InvalidInput, match="choose among read, write, deploy, admin, metrics"):
        make(services, factories.actor(ada), scopes=scopes)


@on_sqlite
def test_anonymous_makes_none(services: Services) -> None:
    for act in (
        lambda: make(services, ANONYMOUS),
        lambda: services.tokens.list(ANONYMOUS),
        lambda: services.tokens.revoke(ANONYMOUS, "x"),
    ):
        with pytest.raises(AuthenticationRequired):
            act()


def test_a_token_of_one_project_stays_in_it(services: Services, factories: Factories, ada: User) -> None:
    mine, other = factories.project(owner=ada), factories.project(owner=ada)
    bound = program(services, factories.token(ada, project=mine))
    assert find_project(bound, mine.organization.slug, mine.slug, "project.edit") == mine
    with pytest.raises(NotFound):
        find_project(bound, other.organization.slug, other.slug)
    with pytest.raises(NotFound):
        find_organization(bound, mine.organization.slug)
    for wrong in (None, other):
        with pytest.raises(InvalidInput, match="that project only"):
            make(services, bound, project=wrong)
    assert make(services, bound, project=mine)


@on_sqlite
def test_a_token_of_one_project_neither_sees_nor_ends_the_others(
    services: Services, factories: Factories, ada: User
) -> None:
    project = factories.project(owner=ada)
    bound, free = factories.token(ada, project=project), factories.token(ada)
    actor = program(services, bound)
    assert [row.public_id for row in services.tokens.list(actor)] == [bound.split("_")[1]]
    with pytest.raises(NotFound):
        services.tokens.revoke(actor, free.split("_")[1])
    assert services.tokens.find(free) is not None


@on_sqlite
def test_an_administrators_token_of_one_project_is_no_administrators(services: Services, factories: Factories) -> None:
    root = factories.user(is_instance_admin=True)
    project = factories.project(owner=root)
    assert not program(services, factories.token(root, project=project)).is_instance_admin
    assert program(services, factories.token(root)).is_instance_admin


def test_a_token_cannot_make_one_that_outlives_it(services: Services, factories: Factories, ada: User) -> None:
    short = program(services, factories.token(ada, expires_in_days=7))
    with pytest.raises(InvalidInput, match="outlives") as refused:
        make(services, short, expires_in_days=8)
    assert refused.value.details["field"] == "expires_in_days"
    inherited = ApiToken.get(ApiToken.public_id == make(services, short).split("_")[1])
    assert inherited.expires_at_ms == short.expires_at_ms
    sooner = ApiToken.get(ApiToken.public_id == make(services, short, expires_in_days=1).split("_")[1])
    assert sooner.expires_at_ms < inherited.expires_at_ms
    endless = ApiToken.get(ApiToken.public_id == make(services, factories.actor(ada)).split("_")[1])
    assert endless.expires_at_ms is None


def test_a_token_goes_with_its_project(services: Services, factories: Factories, ada: User) -> None:
    project = factories.project(owner=ada)
    bound, free = factories.token(ada, project=project), factories.token(ada)
    Project.delete().where(Project.id == project.id).execute()
    assert services.tokens.find(bound) is None
    assert services.tokens.find(free) is not None
