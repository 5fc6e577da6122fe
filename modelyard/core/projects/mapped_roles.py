"""Roles that follow a person's groups at the identity provider: given, changed and taken away at each sign-in."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import structlog

from modelyard.core import db
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.identity.role_mappings import INSTANCE_ROLES, Mapped, Place, RoleMapping, settle, wanted_roles
from modelyard.core.identity.users import is_last_administrator, lock_administrators
from modelyard.core.projects.access import living_projects
from modelyard.core.projects.models import MappedRole, Organization, OrganizationMember, Project, ProjectMember

log = structlog.get_logger("modelyard.oidc")


class MappedRoles:
    """Keeps roles in step with groups; the table `mapped_role` remembers which roles came from a mapping."""

    def __init__(self, events: Events, mappings: Iterable[RoleMapping]) -> None:
        self._events = events
        self._mappings = tuple(mappings)

    def apply(self, actor: Actor, user: User, groups: Collection[str]) -> None:
        """Give the user the roles of these groups and take away mapped ones that no group gives any more.

        Runs inside the caller's transaction, which holds the user's row. Roles given by hand stay, a mapping to a place
        that is not there is passed over, and the last owner of an organization stays one.
        """
        wanted = wanted_roles(self._mappings, groups)
        before = list(MappedRole.select().where(MappedRole.user == user))
        if not wanted and not before:
            return
        self._settle_office(actor, user, wanted.get(Place()), before)
        project_keys = {row.project_id for row in before} | _named_projects(wanted)
        organization_keys = {row.organization_id for row in before} | _named_organizations(wanted, project_keys)
        organizations = _open_all(Organization, organization_keys)
        projects = _open_all(Project, project_keys)
        for project in projects:
            role = wanted.get(Place(project.organization.slug, project.slug))
            self._settle_member(actor, user, project, role, before)
        for organization in organizations:
            role = wanted.get(Place(organization.slug)) or _needed_for_projects(user, organization)
            self._settle_member(actor, user, organization, role, before)

    def _settle_office(self, actor: Actor, user: User, wanted: str | None, before: list[MappedRole]) -> None:
        row = next((row for row in before if row.organization_id is None and row.project_id is None), None)
        held = INSTANCE_ROLES[0] if user.is_instance_admin else None
        role, mapped = settle(held, _mapped(row), wanted, INSTANCE_ROLES)
        if held is not None and role is None:
            lock_administrators()
            if is_last_administrator(user):
                log.warning("the last active instance administrator keeps the office", user=user.username)
                return
        if role != held:
            user.is_instance_admin = role is not None
            user.save(only=[User.is_instance_admin])
            self._events.record(
                "user.updated",
                actor=actor,
                object_id=user.public_id,
                object_name=user.username,
                before={"is_instance_admin": held is not None},
                after={"is_instance_admin": role is not None},
            )
        _remember(row, mapped, user=user)

    def _settle_member(
        self, actor: Actor, user: User, place: Organization | Project, wanted: str | None, before: list[MappedRole]
    ) -> None:
        """Settle the role in one organization or project."""
        kind = "project" if isinstance(place, Project) else "organization"
        table = ProjectMember if isinstance(place, Project) else OrganizationMember
        row = next((row for row in before if getattr(row, f"{kind}_id") == place.id), None)
        member = table.get_or_none(**{kind: place, "user": user})
        held = member.role if member else None
        role, mapped = settle(
            held, _mapped(row), wanted, Place(place.slug, place.slug if kind == "project" else "").roles
        )
        if held == "owner" != role and not _has_another_owner(place, user):
            log.warning("the last owner keeps the role", user=user.username, organization=place.slug)
            return
        if role != held:
            _put_role(table, {kind: place, "user": user}, role)
            self._events.record(
                f"{kind}.member_removed" if role is None else f"{kind}.member_set",
                actor=actor,
                object_id=user.public_id,
                object_name=user.username,
                before={"role": held},
                after={} if role is None else {"role": role},
                project=place if isinstance(place, Project) else None,
                organization=place if isinstance(place, Organization) else None,
            )
        _remember(row, mapped, user=user, **{kind: place})


def _named_projects(wanted: Iterable[Place]) -> set[int | None]:
    found: set[int | None] = set()
    for place in wanted:
        if place.project:
            named = living_projects().where(Organization.slug == place.organization, Project.slug == place.project)
            found.update(row.id for row in named)
    return found


def _named_organizations(wanted: Iterable[Place], projects: set[int | None]) -> set[int | None]:
    """Return the keys of the organizations that are named or own one of the projects."""
    slugs = {place.organization for place in wanted if place.organization and not place.project}
    owners = Project.select(Project.organization).where(Project.id.in_(projects - {None}))
    living = Organization.select(Organization.id).where(Organization.deleted_at_ms.is_null())
    return {row.id for row in living.where(Organization.slug.in_(slugs) | Organization.id.in_(owners))}


def _open_all(table: Any, keys: set[int | None]) -> list[Any]:
    """Return the rows by key, locked, so that changes of their members come one after the other."""
    return list(db.held(table.select().where(table.id.in_(keys - {None})).order_by(table.id)))


def _needed_for_projects(user: User, organization: Organization) -> str | None:
    """Whoever has a role in a project must be a member of its organization."""
    mine = ProjectMember.select().join(Project)
    return "member" if mine.where(ProjectMember.user == user, Project.organization == organization).exists() else None


def _has_another_owner(organization: Organization | Project, user: User) -> bool:
    others: bool = (
        OrganizationMember.select()
        .where(
            OrganizationMember.organization == organization.id,
            OrganizationMember.role == "owner",
            OrganizationMember.user != user,
        )
        .exists()
    )
    return others


def _mapped(row: MappedRole | None) -> Mapped | None:
    return None if row is None else Mapped(row.role, row.role_by_hand)


def _put_role(table: Any, key: dict[str, Any], role: str | None) -> None:
    row = table.get_or_none(**key)
    if role is None:
        row.delete_instance()
    elif row is None:
        table.create(**key, role=role)
    else:
        row.role = role
        row.save()


def _remember(row: MappedRole | None, mapped: Mapped | None, **key: Any) -> None:
    if mapped is None:
        if row is not None:
            row.delete_instance()
    elif row is None:
        MappedRole.create(**key, role=mapped.role, role_by_hand=mapped.by_hand)
    elif _mapped(row) != mapped:
        row.role, row.role_by_hand = mapped.role, mapped.by_hand
        row.save()
