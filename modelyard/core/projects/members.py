"""Who belongs to an organization and who may work in a project: the verbs of members.

An organization always has an owner: whoever changes its members holds its row, and looks at the roles as they are then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelyard.core.db import atomic, held
from modelyard.core.errors import Conflict, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.identity.service_accounts import check_may_join
from modelyard.core.projects.access import authorize, find_organization, hold, living_organization
from modelyard.core.projects.models import Organization, OrganizationMember, Project, ProjectMember

KEPT_ROLES = ("member", "admin")
"""What an owner who hands an organization over may stay in it as."""


class OrganizationMembers:
    """Who belongs to an organization."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def members(self, actor: Actor, slug: str) -> Any:
        """Return a query of the organization's memberships with their users, by username."""
        organization, _ = find_organization(actor, slug)
        return _members_of(OrganizationMember, OrganizationMember.organization == organization)

    def set_member(self, actor: Actor, slug: str, username: str, role: str) -> OrganizationMember:
        """Give a user a role in the organization; only an owner makes owners, and the last owner stays one.

        An instance administrator may take any role, which is told as ``organization.role_taken``.
        """
        takes = actor.is_instance_admin and username.lower() == actor.name
        changing = self._taking(actor, slug) if takes else self._changing(actor, slug, "organization.members")
        with changing as (organization, own_role):
            check_role(role, policy.ORGANIZATION_ROLES)
            user = find_user(username)
            check_may_join(user, organization, role)
            before = role_of(organization, user)
            if "owner" in {role, before}:
                policy.require_role(own_role, "owner", policy.ORGANIZATION_ROLES, "organization.members")
            if before == "owner" != role:
                keep_an_owner(organization, user)
            row: OrganizationMember = put_member(OrganizationMember, {"organization": organization, "user": user}, role)
            verb = "role_taken" if takes and before != "owner" else "member_set"
            self._record_member(actor, organization, user, verb, {"role": before}, {"role": role})
            return row

    def remove_member(self, actor: Actor, slug: str, username: str) -> None:
        """Take a user out of the organization and all its projects; the last owner stays."""
        with self._changing(actor, slug, "organization.members") as (organization, own_role):
            user = find_user(username)
            role = role_of(organization, user)
            if role is None:
                raise NotFound(f"{username!r} is no member of {slug!r}.")
            if role == "owner":
                policy.require_role(own_role, "owner", policy.ORGANIZATION_ROLES, "organization.members")
            self._remove(organization, user)
            self._record_member(actor, organization, user, "member_removed", {"role": role}, {})

    def leave(self, actor: Actor, slug: str) -> None:
        """Take the actor out of the organization and all its projects; the last owner stays."""
        with self._changing(actor, slug, "organization.leave") as (organization, role):
            user = User.get_by_id(actor.user_id)
            self._remove(organization, user)
            self._record_member(actor, organization, user, "member_left", {"role": role}, {})

    def transfer(self, actor: Actor, slug: str, username: str, keep_role: str | None) -> Organization:
        """Make another member the owner in the actor's place, who stays as `keep_role` or, without one, leaves."""
        with self._changing(actor, slug, "organization.transfer") as (organization, _):
            if keep_role is not None:
                check_role(keep_role, KEPT_ROLES, "keep_role")
            heir, giver = self._find_heir(actor, organization, username), User.get_by_id(actor.user_id)
            put_member(OrganizationMember, {"organization": organization, "user": heir}, "owner")
            if keep_role is None:
                self._remove(organization, giver)
            else:
                put_member(OrganizationMember, {"organization": organization, "user": giver}, keep_role)
            before, after = {"owner": giver.username}, {"owner": heir.username, "keep_role": keep_role}
            self._record_member(actor, organization, heir, "transferred", before, after)
            return organization

    def _find_heir(self, actor: Actor, organization: Organization, username: str) -> User:
        user: User | None = User.get_or_none(User.username == username.lower(), User.disabled_at_ms.is_null())
        if user is None or user.id == actor.user_id or role_of(organization, user) is None:
            raise InvalidInput(
                f"{username!r} is no other member of the organization.", hint="Add them to it first.", field="username"
            )
        check_may_join(user, organization, "owner")
        return user

    @contextmanager
    def _changing(self, actor: Actor, slug: str, permission: str) -> Iterator[tuple[Organization, str]]:
        """Hold the organization for a change of its members; gives the actor's role as it is then."""
        found, _ = find_organization(actor, slug, permission)
        with atomic():
            held(Organization.select(Organization.id).where(Organization.id == found.id)).first()
            yield find_organization(actor, slug, permission)

    @contextmanager
    def _taking(self, actor: Actor, slug: str) -> Iterator[tuple[Organization, str]]:
        """Hold the organization for an instance administrator, who may give himself any role in it."""
        policy.require_instance_admin(actor, "organization.take_role")
        found = living_organization(slug)
        with atomic():
            held(Organization.select(Organization.id).where(Organization.id == found.id)).first()
            yield found, "owner"

    def _remove(self, organization: Organization, user: User) -> None:
        if role_of(organization, user) == "owner":
            keep_an_owner(organization, user)
        mine = Project.select(Project.id).where(Project.organization == organization)
        ProjectMember.delete().where(ProjectMember.user == user, ProjectMember.project.in_(mine)).execute()
        OrganizationMember.delete().where(
            OrganizationMember.organization == organization, OrganizationMember.user == user
        ).execute()

    def _record_member(
        self, actor: Actor, organization: Organization, user: User, verb: str, before: Any, after: Any
    ) -> None:
        self._events.record(
            f"organization.{verb}",
            actor=actor,
            object_id=user.public_id,
            object_name=user.username,
            organization=organization,
            before=before,
            after=after,
        )


class ProjectMembers:
    """Who may work in a project beside the owners and admins of its organization."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def members(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's memberships with their users, by username."""
        authorize(actor, project, "project.read")
        return _members_of(ProjectMember, ProjectMember.project == project)

    def set_member(self, actor: Actor, project: Project, username: str, role: str) -> ProjectMember:
        """Give a member of the organization a role in the project; `InvalidInput` for anybody else."""
        authorize(actor, project, "project.members")
        check_role(role, policy.PROJECT_ROLES)
        with atomic():
            held(Organization.select(Organization.id).where(Organization.id == project.organization_id)).first()
            hold(project)
            user = User.get_or_none(User.username == username.lower())
            if user is None or role_of(project.organization, user) is None:
                raise InvalidInput(
                    f"{username!r} is no member of the organization.", hint="Add them to it first.", field="username"
                )
            member = ProjectMember.get_or_none(project=project, user=user)
            before = member.role if member else None
            row: ProjectMember = put_member(ProjectMember, {"project": project, "user": user}, role)
            self._record_member(actor, project, user, "member_set", {"role": before}, {"role": role})
            return row

    def remove_member(self, actor: Actor, project: Project, username: str) -> None:
        """Take a user's role in the project away."""
        authorize(actor, project, "project.members")
        with atomic():
            user = User.get_or_none(User.username == username.lower())
            member = ProjectMember.get_or_none(project=project, user=user) if user else None
            if user is None or member is None:
                raise NotFound(f"{username!r} is no member of {project.slug!r}.")
            member.delete_instance()
            self._record_member(actor, project, user, "member_removed", {"role": member.role}, {})

    def leave(self, actor: Actor, project: Project) -> None:
        """Give the actor's own role in the project up; `NotFound` for one who has none but by office."""
        authorize(actor, project, "project.leave")
        with atomic():
            member = ProjectMember.get_or_none(project=project, user=actor.user_id)
            if member is None:
                raise NotFound(
                    f"You have no role of your own in {project.slug!r}.",
                    hint="Yours is that of an owner or admin of the organization.",
                )
            member.delete_instance()
            self._record_member(actor, project, member.user, "member_left", {"role": member.role}, {})

    def _record_member(self, actor: Actor, project: Project, user: User, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"project.{verb}",
            actor=actor,
            object_id=user.public_id,
            object_name=user.username,
            project=project,
            before=before,
            after=after,
        )


def role_of(organization: Organization, user: User) -> str | None:
    """Return the user's role in the organization, or None."""
    member = OrganizationMember.get_or_none(organization=organization, user=user)
    return member.role if member else None


def keep_an_owner(organization: Organization, leaving: User) -> None:
    """Raise `Conflict` where nobody but `leaving` owns the organization, whose row the caller holds."""
    others = OrganizationMember.select().where(
        OrganizationMember.organization == organization,
        OrganizationMember.role == "owner",
        OrganizationMember.user != leaving,
    )
    if not others.exists():
        raise Conflict(f"{leaving.username!r} is the last owner of {organization.slug!r}.", hint="Make another first.")


def find_user(username: str, field: str = "username") -> User:
    """Return the user of that name; `InvalidInput` names the field where there is none."""
    user = User.get_or_none(User.username == username.lower())
    if user is None:
        raise InvalidInput(
            f"There is no user {username!r}.", hint="`modelyard admin users create` makes one.", field=field
        )
    found: User = user
    return found


def check_role(role: str, known: tuple[str, ...], field: str = "role") -> None:
    """Raise `InvalidInput` for a role that is none of those."""
    if role not in known:
        raise InvalidInput(f"There is no role {role!r}; choose among {', '.join(known)}.", field=field)


def put_member(table: Any, key: dict[str, Any], role: str) -> Any:
    """Make the membership, or give it the role."""
    row = table.get_or_none(**key)
    if row is None:
        return table.create(**key, role=role)
    row.role = role
    row.save()
    return row


def _members_of(table: Any, condition: Any) -> Any:
    return table.select(table, User).join(User).where(condition).order_by(User.username)
