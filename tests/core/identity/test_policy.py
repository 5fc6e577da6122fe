"""The policy table: total, consistent, and used."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

import modelyard.core
from modelyard.core.errors import AuthenticationRequired, PermissionDenied
from modelyard.core.identity import policy
from modelyard.core.identity.actor import ANONYMOUS, Actor

CORE = Path(modelyard.core.__file__).parent
ROLES = CORE.parents[1] / "docs" / "roles.md"
TABLES = (policy.PROJECT_POLICY, policy.ORGANIZATION_POLICY, policy.INSTANCE_POLICY, policy.ACCOUNT_POLICY)
KNOWN = {name: rule for table in TABLES for name, rule in table.items()}


def asked_for() -> set[str]:
    """Every permission that a service's source names."""
    calls = re.compile(
        r"(?:authorize|find_project|find_organization|require_instance_admin|require_account|_permit)"
        r"\([^()]*?\"(\w+\.\w+)\"",
        re.DOTALL,
    )
    return {name for file in CORE.rglob("*.py") for name in calls.findall(file.read_text())}


def test_every_permission_that_is_asked_for_is_in_the_table() -> None:
    assert asked_for() - set(KNOWN) == set()
    assert len(asked_for()) > 15


def test_every_permission_of_the_table_is_asked_for() -> None:
    text = "".join(file.read_text() for file in CORE.parent.rglob("*.py") if file.name != "policy.py")
    assert [name for name in KNOWN if f'"{name}"' not in text] == []


def test_no_permission_is_in_two_tables() -> None:
    assert sum(map(len, TABLES)) == len(KNOWN)


def test_roles_and_scopes_are_known() -> None:
    for table, roles in (
        (policy.PROJECT_POLICY, policy.PROJECT_ROLES),
        (policy.ORGANIZATION_POLICY, policy.ORGANIZATION_ROLES),
    ):
        for permission, (role, scope) in table.items():
            assert role in roles, permission
            assert scope in policy.SCOPES, permission
    assert {*policy.INSTANCE_POLICY.values(), *policy.ACCOUNT_POLICY.values()} <= set(policy.SCOPES)


@pytest.mark.parametrize("permission", sorted(set(policy.PROJECT_POLICY) - {"project.leave"}))
def test_viewers_read_and_no_more(permission: str) -> None:
    role, scope = policy.PROJECT_POLICY[permission]
    reads = permission.endswith(".read")
    assert (role == "viewer") == (reads or permission == "deployment.predict")
    assert (scope == "read") == (role == "viewer")
    assert (scope == "admin") == (role == "admin")


@pytest.mark.parametrize("order", [policy.PROJECT_ROLES, policy.ORGANIZATION_ROLES])
def test_a_role_includes_those_below_it(order: tuple[str, ...]) -> None:
    for have, role in enumerate(order):
        for need, needed in enumerate(order):
            if have >= need:
                policy.require_role(role, needed, order, "x.do")
            else:
                with pytest.raises(PermissionDenied, match=f"'{needed}'") as refused:
                    policy.require_role(role, needed, order, "x.do")
                assert refused.value.details == {"needed_role": needed}


@pytest.mark.parametrize("permission", sorted(policy.INSTANCE_POLICY))
def test_the_instances_affairs_are_its_administrators(permission: str) -> None:
    with pytest.raises(AuthenticationRequired):
        policy.require_instance_admin(ANONYMOUS, permission)
    with pytest.raises(PermissionDenied, match=permission):
        policy.require_instance_admin(Actor(kind="user", user_id=1), permission)
    needed = policy.INSTANCE_POLICY[permission]
    others = frozenset(policy.SCOPES) - {needed}
    small = Actor(kind="token", user_id=1, is_instance_admin=True, scopes=others)
    with pytest.raises(PermissionDenied, match=f"scope '{needed}'"):
        policy.require_instance_admin(small, permission)
    policy.require_instance_admin(Actor(kind="user", user_id=1, is_instance_admin=True), permission)
    assert not policy.administers(small, permission)
    assert not policy.administers(Actor(kind="user", user_id=1), permission)
    assert policy.administers(replace(small, scopes=frozenset({needed})), permission)


@pytest.mark.parametrize("permission", sorted(policy.ACCOUNT_POLICY))
def test_ones_own_affairs_are_for_everybody_but_a_token_of_one_project(permission: str) -> None:
    needed = policy.ACCOUNT_POLICY[permission]
    program = Actor(kind="token", user_id=1, scopes=frozenset({needed}))
    policy.require_account(program, permission)
    policy.require_account(Actor(kind="user", user_id=1), permission)
    with pytest.raises(AuthenticationRequired):
        policy.require_account(ANONYMOUS, permission)
    with pytest.raises(PermissionDenied, match=f"scope '{needed}'"):
        policy.require_account(replace(program, scopes=frozenset(policy.SCOPES) - {needed}), permission)
    bound = replace(program, project_id=1)
    if permission.startswith("token."):
        policy.require_account(bound, permission)
    else:
        with pytest.raises(PermissionDenied, match="bound to a project"):
            policy.require_account(bound, permission)


def rows_of(heading: str) -> dict[str, list[str]]:
    """The table below a heading of docs/roles.md: what stands beside each permission."""
    section = ROLES.read_text("utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "| `" in line]
    return {first.strip("`"): [cell.strip("`") for cell in others] for first, *others in cells}


def test_the_page_of_roles_says_what_the_table_says() -> None:
    told = {name: rest[:2] for name, rest in rows_of("In a project").items()}
    assert told == {name: list(rule) for name, rule in policy.PROJECT_POLICY.items()}
    told = {name: rest[:2] for name, rest in rows_of("In an organization").items()}
    assert told == {name: list(rule) for name, rule in policy.ORGANIZATION_POLICY.items()}
    for heading, table in (("On the server", policy.INSTANCE_POLICY), ("One's own account", policy.ACCOUNT_POLICY)):
        assert {name: rest[0] for name, rest in rows_of(heading).items()} == table
    for heading in ("In a project", "In an organization", "On the server", "One's own account"):
        assert all(rest[-1] for rest in rows_of(heading).values()), heading
    assert all(f"`{scope}`" in ROLES.read_text("utf-8") for scope in policy.SCOPES)
