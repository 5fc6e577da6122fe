"""Two verbs on one person at the same moment, on PostgreSQL, where transactions do not wait for each other anyway."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.identity import service_accounts, users
from modelyard.core.identity.credentials import password_matches
from modelyard.core.identity.models import IdentityLink, User
from modelyard.core.identity.oidc import OidcService, ProvedIdentity
from modelyard.core.identity.role_mappings import read_mapping
from modelyard.core.projects import members
from modelyard.core.projects.mapped_roles import MappedRoles
from modelyard.core.projects.models import OrganizationMember
from tests.factories import PASSWORD, Factories

on_postgresql = pytest.mark.parametrize("database_kind", ["postgresql"])


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[BaseException]]:
    """Start the work with a connection of its own; what it raises is in the list once it has ended."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with db.connection():
                work()
        except BaseException as error:  # noqa: BLE001 - looked at by the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, raised


def meanwhile(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, act: Callable[[], Any]) -> None:
    """Have something else done right after the function has found what it looked for, once."""
    real, done = getattr(module, name), []

    def find(*arguments: Any, **more: Any) -> Any:
        found = real(*arguments, **more)
        if not done:
            done.append(True)
            thread, raised = in_thread(act)
            thread.join(20)
            assert not raised, raised
        return found

    monkeypatch.setattr(module, name, find)


@on_postgresql
def test_an_edit_does_not_bring_an_old_password_back(
    services: Services, factories: Factories, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.user("root", is_instance_admin=True)
    bob = factories.user("bob")
    change = services.passwords.change
    new = "another good password"
    meanwhile(
        monkeypatch, users, "find_user",
        lambda: change(factories.actor(bob), current_password=PASSWORD, password=new),
    )  # fmt: skip
    services.users.edit(factories.actor(bob), "bob", {"display_name": "Bob"})
    stored = User.get_by_id(bob.id)
    assert stored.display_name == "Bob"
    assert password_matches(new, stored.password_hash)


@on_postgresql
def test_an_edit_does_not_let_a_disabled_service_account_in_again(
    services: Services, factories: Factories, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = factories.user("ada")
    factories.organization("acme", owner=owner)
    root = factories.actor(User.get(User.username == "root"))
    made = services.service_accounts.create(factories.actor(owner), "acme", name="ci")
    meanwhile(
        monkeypatch, service_accounts, "_find", lambda: services.users.edit(root, made.username, {"disabled": True})
    )
    services.service_accounts.edit(factories.actor(owner), "acme", "ci", {"display_name": "Builds"})
    assert User.get_by_id(made.id).disabled_at_ms is not None


class Pause:
    """Stops a change of members between its lock on the organization and its write, until the other verb waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_held, self.may_go = threading.Event(), threading.Event()
        real = members.find_user

        def find(*arguments: Any, **more: Any) -> Any:
            found = real(*arguments, **more)
            self.is_held.set()
            assert self.may_go.wait(20)
            return found

        monkeypatch.setattr(members, "find_user", find)

    def against(self, change: Callable[[], Any], other: Callable[[], Any]) -> list[BaseException]:
        """Run both; the change goes on once the other one waits for its lock. Returns what they raised."""
        first, raised = in_thread(change)
        assert self.is_held.wait(20)
        second, others = in_thread(other)
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        patience = threading.Event()
        while second.is_alive() and db.database.execute_sql(waiting).fetchone()[0] == 0:
            patience.wait(0.01)
        self.may_go.set()
        first.join(20)
        second.join(20)
        return raised + others


@on_postgresql
def test_a_user_is_deleted_while_another_joins_their_organization(
    services: Services, factories: Factories, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = factories.user("ada")
    factories.organization("acme", owner=owner)
    root = factories.actor(User.get(User.username == "root"))
    factories.user("second", is_instance_admin=True)
    factories.user("bob")
    services.organizations.set_member(factories.actor(owner), "acme", "bob", "owner")
    raised = Pause(monkeypatch).against(
        lambda: services.organizations.set_member(factories.actor(owner), "acme", "second", "admin"),
        lambda: services.users.delete(root, "bob"),
    )
    assert raised == []
    assert User.get_or_none(User.username == "bob") is None


@on_postgresql
def test_somebody_signs_in_by_a_provider_while_they_are_given_a_role(
    services: Services, factories: Factories, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = factories.user("ada")
    factories.organization("acme", owner=owner)
    bob = factories.user("bob")
    IdentityLink.create(user=bob, issuer="i", subject="s")
    roles = MappedRoles(services.events, [read_mapping("staff=acme:member")])
    oidc = OidcService(events=services.events, sessions=services.sessions, roles=roles, allow_sign_up=True)
    identity = ProvedIdentity("i", "s", "bob", "Bob", frozenset({"staff"}))
    raised = Pause(monkeypatch).against(
        lambda: services.organizations.set_member(factories.actor(owner), "acme", "bob", "admin"),
        lambda: oidc.sign_in(identity, address="127.0.0.1", user_agent="", request_id=""),
    )
    assert raised == []
    assert OrganizationMember.get(OrganizationMember.user == bob).role == "admin"
