"""Groups of an identity provider and the roles that they stand for: reading the setting, and settling each role."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from modelyard.core.identity.policy import ORGANIZATION_ROLES, PROJECT_ROLES
from modelyard.core.names import SLUG

INSTANCE_ROLES = ("instance_admin",)
SHAPES = "GROUP=instance_admin, GROUP=ORGANIZATION:ROLE or GROUP=ORGANIZATION/PROJECT:ROLE"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a role counts: in a project, in an organization, or, with neither, on the whole instance."""

    organization: str = ""
    project: str = ""

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that there are in such a place, smallest first."""
        if self.project:
            return PROJECT_ROLES
        return ORGANIZATION_ROLES if self.organization else INSTANCE_ROLES


@dataclass(frozen=True, slots=True)
class RoleMapping:
    """Members of `group` have `role` in `place`."""

    group: str
    place: Place
    role: str


def read_mapping(text: str) -> RoleMapping:
    """Read one text of `oidc.role_mappings`; ValueError says what is wrong with it. A group may hold ``=`` itself."""
    group, equals, target = (part.strip() for part in text.rpartition("="))
    if not group or not equals:
        raise ValueError(f"{text!r} is not {SHAPES}")
    if target in INSTANCE_ROLES:
        return RoleMapping(group, Place(), target)
    where, colon, role = target.partition(":")
    organization, slash, project = where.partition("/")
    slugs = [organization, project] if slash else [organization]
    if not colon or not all(SLUG.fullmatch(slug) for slug in slugs):
        raise ValueError(f"{text!r} is not {SHAPES}")
    place = Place(organization, project)
    if role not in place.roles:
        raise ValueError(f"{text!r} names the role {role!r}; choose among {', '.join(place.roles)}")
    return RoleMapping(group, place, role)


def wanted_roles(mappings: Iterable[RoleMapping], groups: Collection[str]) -> dict[Place, str]:
    """Return for each place the greatest role that the groups give."""
    wanted: dict[Place, str] = {}
    for mapping in mappings:
        if mapping.group in groups:
            order = mapping.place.roles
            wanted[mapping.place] = max(mapping.role, wanted.get(mapping.place, order[0]), key=order.index)
    return wanted


@dataclass(frozen=True, slots=True)
class Mapped:
    """A role that a mapping gave, and the one given by hand that it stands upon, if any."""

    role: str
    by_hand: str | None


def settle(
    held: str | None, mapped: Mapped | None, wanted: str | None, order: Sequence[str]
) -> tuple[str | None, Mapped | None]:
    """Return the role to hold from now on, and what of it is the mapping's.

    `held` is what the person holds, `mapped` what the mapping gave before, `wanted` what it gives now. A held role that
    is not the mapped one was given by hand since. What was given by hand is never taken away or lowered.
    """
    by_hand = mapped.by_hand if mapped is not None and held == mapped.role else held
    if wanted is None or (by_hand is not None and order.index(by_hand) >= order.index(wanted)):
        return by_hand, None
    return wanted, Mapped(wanted, by_hand)
