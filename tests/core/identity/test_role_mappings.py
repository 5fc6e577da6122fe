"""Groups and roles: what the setting may say, and how a role settles when groups and hands both give it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.core.identity.policy import ORGANIZATION_ROLES, PROJECT_ROLES
from modelyard.core.identity.role_mappings import Mapped, Place, RoleMapping, read_mapping, settle, wanted_roles

GROUPS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip).filter(bool)
SLUGS = st.from_regex(r"\A[a-z0-9](-?[a-z0-9]){0,20}\Z")


@st.composite
def mappings(draw: st.DrawFn) -> RoleMapping:
    place = draw(
        st.one_of(st.just(Place()), st.builds(Place, SLUGS), st.builds(Place, SLUGS, SLUGS)),
    )
    return RoleMapping(draw(GROUPS), place, draw(st.sampled_from(place.roles)))


def written(mapping: RoleMapping) -> str:
    place = mapping.place
    where = f"{place.organization}/{place.project}" if place.project else place.organization
    return f"{mapping.group}={where}:{mapping.role}" if where else f"{mapping.group}={mapping.role}"


@given(mappings())
def test_what_is_written_is_read(mapping: RoleMapping) -> None:
    assert read_mapping(written(mapping)) == mapping


@given(st.text())
def test_any_text_is_read_or_refused_by_name(text: str) -> None:
    try:
        mapping = read_mapping(text)
    except ValueError:
        with pytest.raises(ValueError, match=re.escape(repr(text))):
            read_mapping(text)
    else:
        assert mapping.role in mapping.place.roles
        assert mapping.group


@pytest.mark.parametrize(
    "text",
    ["", "ml", "=acme:owner", "ml=", "ml=admin", "ml=acme", "ml=acme:", "ml=acme:viewer", "ml=acme/churn:owner",
     "ml=acme/:viewer", "ml=/churn:viewer", "ml=Acme:member", "ml=acme/churn/x:viewer", "ml=acme: owner:x"],
)  # fmt: skip
def test_a_mapping_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not GROUP|choose among"):
        read_mapping(text)


def test_a_group_may_be_a_path_or_a_distinguished_name() -> None:
    assert read_mapping("cn=ml,ou=x=acme:owner") == RoleMapping("cn=ml,ou=x", Place("acme"), "owner")
    assert read_mapping(" /eu/ml:1 = acme/churn:editor ") == RoleMapping("/eu/ml:1", Place("acme", "churn"), "editor")


@given(st.lists(mappings()), st.sets(GROUPS))
def test_the_greatest_role_of_all_groups_counts(found: list[RoleMapping], groups: set[str]) -> None:
    wanted = wanted_roles(found, groups)
    mine = [mapping for mapping in found if mapping.group in groups]
    assert set(wanted) == {mapping.place for mapping in mine}
    for mapping in mine:
        order = mapping.place.roles
        assert order.index(wanted[mapping.place]) >= order.index(mapping.role)


ROLES = st.none() | st.sampled_from(ORGANIZATION_ROLES)


def rank(role: str | None) -> int:
    return -1 if role is None else ORGANIZATION_ROLES.index(role)


@given(ROLES, st.lists(ROLES))
def test_what_was_given_by_hand_is_there_after_any_groups(by_hand: str | None, history: list[str | None]) -> None:
    held, mapped = by_hand, None
    for wanted in history:
        held, mapped = settle(held, mapped, wanted, ORGANIZATION_ROLES)
        assert rank(held) == max(rank(by_hand), rank(wanted))
        assert settle(held, mapped, wanted, ORGANIZATION_ROLES) == (held, mapped)
    assert settle(held, mapped, None, ORGANIZATION_ROLES) == (by_hand, None)


def test_a_change_by_hand_of_a_mapped_role_makes_it_ones_own() -> None:
    assert settle("viewer", Mapped("editor", None), None, PROJECT_ROLES) == ("viewer", None)
    assert settle(None, Mapped("editor", None), None, PROJECT_ROLES) == (None, None)
    assert settle("admin", Mapped("editor", None), "editor", PROJECT_ROLES) == ("admin", None)
