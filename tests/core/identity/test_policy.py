"""The policy table: total, consistent, and used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import modelyard.core
from modelyard.core.errors import AuthenticationRequired, PermissionDenied
from modelyard.core.identity import policy
from modelyard.core.identity.actor import ANONYMOUS, Actor

CORE = Path(modelyard.core.__file__).parent
KNOWN = {**policy.PROJECT_POLICY, **policy.ORGANIZATION_POLICY, **policy.INSTANCE_POLICY}


def asked_for() -> set[str]:
    """Every permission that a service's source names."""
    calls = re.compile(
        r"(?:authorize|find_project|find_organization|require_instance_admin)\([^()]*?\"(\w+\.\w+)\"", re.DOTALL
    )
    return {name for file in CORE.rglob("*.py") for name in calls.findall(file.read_text())}


def test_every_permission_that_is_asked_for_is_in_the_table() -> None:
    assert asked_for() - set(KNOWN) == set()
    assert len(asked_for()) > 15


def test_every_permission_of_the_table_is_asked_for() -> None:
    text = "".join(file.read_text() for file in CORE.rglob("*.py") if file.name != "policy.py")
    assert [name for name in KNOWN if f'"{name}"' not in text] == []


def test_no_permission_is_in_two_tables() -> None:
    parts = (policy.PROJECT_POLICY, policy.ORGANIZATION_POLICY, policy.INSTANCE_POLICY)
    assert sum(map(len, parts)) == len(KNOWN)


def test_roles_and_scopes_are_known() -> None:
    for table, roles in (
        (policy.PROJECT_POLICY, policy.PROJECT_ROLES),
        (policy.ORGANIZATION_POLICY, policy.ORGANIZATION_ROLES),
    ):
        for permission, (role, scope) in table.items():
            assert role in roles, permission
            assert scope in policy.SCOPES, permission
    assert set(policy.INSTANCE_POLICY.values()) <= set(policy.SCOPES)


@pytest.mark.parametrize("permission", sorted(policy.PROJECT_POLICY))
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
