"""The verbs of tenants: organizations, projects and their members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, locked, now_ms
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.identity.service_accounts import check_may_join
from modelyard.core.names import check_slug, check_text
from modelyard.core.projects.access import authorize, find_organization, find_project
from modelyard.core.projects.models import Organization, OrganizationMember, Project, ProjectMember


class OrganizationService:
    """Organizations and who belongs to them."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def create(self, actor: Actor, *, slug: str, name: str, owner: str | None = None) -> Organization:
        """Make an organization; `owner` is a username, by default the actor."""
        policy.require_instance_admin(actor, "organization.create")
        check_slug(slug, "slug")
        check_text(name, "name", longest=200, shortest=1)
        user = User.get_by_id(actor.user_id) if owner is None else _find_user(owner, field="owner")
        check_may_join(user, None, "owner")
        try:
            with atomic():
                organization = Organization.create(slug=slug, name=name)
                OrganizationMember.create(organization=organization, user=user, role="owner")
                self._events.record(
                    "organization.created",
                    actor=actor,
                    object_id=organization.public_id,
                    object_name=slug,
                    organization=organization,
                    after={"slug": slug, "name": name, "owner": user.username},
                )
                return organization
        except IntegrityError:
            raise AlreadyExists(f"The slug {slug!r} is taken.", field="slug") from None

    def list(self, actor: Actor) -> Any:
        """Return a query of the actor's memberships, each with its organization, by slug."""
        policy.require_sign_in(actor)
        policy.require_scope(actor, "read", "organization.read")
        return (
            OrganizationMember.select(OrganizationMember, Organization)
            .join(Organization)
            .where(OrganizationMember.user == actor.user_id, actor.project_id is None)
            .order_by(Organization.slug)
        )

    def members(self, actor: Actor, slug: str) -> Any:
        """Return a query of the organization's memberships with their users, by username."""
        organization, _ = find_organization(actor, slug)
        return _members_of(OrganizationMember, OrganizationMember.organization == organization)

    def set_member(self, actor: Actor, slug: str, username: str, role: str) -> OrganizationMember:
        """Give a user a role in the organization; only an owner makes owners, and the last owner stays one."""
        organization, own_role = find_organization(actor, slug, "organization.members")
        _check_role(role, policy.ORGANIZATION_ROLES)
        user = _find_user(username)
        check_may_join(user, organization, role)
        with atomic():
            _lock(organization)
            member = OrganizationMember.get_or_none(organization=organization, user=user)
            before = member.role if member else None
            if "owner" in {role, before} and own_role != "owner":
                policy.require_role(own_role, "owner", policy.ORGANIZATION_ROLES, "organization.members")
            if before == "owner" != role:
                self._keep_an_owner(organization, user)
            row: OrganizationMember = _put_member(
                OrganizationMember, {"organization": organization, "user": user}, role
            )
            self._record_member(actor, organization, user, "member_set", {"role": before}, {"role": role})
            return row

    def remove_member(self, actor: Actor, slug: str, username: str) -> None:
        """Take a user out of the organization and all its projects; the last owner stays."""
        organization, own_role = find_organization(actor, slug, "organization.members")
        user = _find_user(username)
        with atomic():
            _lock(organization)
            member = OrganizationMember.get_or_none(organization=organization, user=user)
            if member is None:
                raise NotFound(f"{username!r} is no member of {slug!r}.")
            if member.role == "owner":
                policy.require_role(own_role, "owner", policy.ORGANIZATION_ROLES, "organization.members")
                self._keep_an_owner(organization, user)
            mine = Project.select(Project.id).where(Project.organization == organization)
            ProjectMember.delete().where(ProjectMember.user == user, ProjectMember.project.in_(mine)).execute()
            member.delete_instance()
            self._record_member(actor, organization, user, "member_removed", {"role": member.role}, {})

    def _keep_an_owner(self, organization: Organization, leaving: User) -> None:
        others = OrganizationMember.select().where(
            OrganizationMember.organization == organization,
            OrganizationMember.role == "owner",
            OrganizationMember.user != leaving,
        )
        if not others.exists():
            raise Conflict(
                f"{leaving.username!r} is the last owner of {organization.slug!r}.", hint="Make another first."
            )

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


class ProjectService:
    """Projects and who may work in them; `on_created` lays other subjects' first rows in the same transaction."""

    def __init__(self, events: Events, on_created: Callable[[Project], None]) -> None:
        self._events = events
        self._on_created = on_created

    def create(self, actor: Actor, organization_slug: str, *, slug: str, name: str, description: str = "") -> Project:
        """Make a project."""
        organization, _ = find_organization(actor, organization_slug, "project.create")
        check_slug(slug, "slug")
        check_text(name, "name", longest=200, shortest=1)
        check_text(description, "description", longest=10_000)
        try:
            with atomic():
                project = Project.create(organization=organization, slug=slug, name=name, description=description)
                self._on_created(project)
                after = {"slug": slug, "name": name}
                self._record(actor, project, "created", {}, after)
                return project
        except IntegrityError:
            raise AlreadyExists(f"The slug {slug!r} is taken in {organization_slug!r}.", field="slug") from None

    def list(self, actor: Actor, organization_slug: str) -> Any:
        """Return a query of those of the organization's projects that the actor has a role in, by slug."""
        organization, role = find_organization(actor, organization_slug)
        found = Project.select(Project, Organization).join(Organization).where(Project.organization == organization)
        if role == "member":
            mine = ProjectMember.select(ProjectMember.project).where(ProjectMember.user == actor.user_id)
            found = found.where(Project.id.in_(mine))
        return found.order_by(Project.slug)

    def edit(self, actor: Actor, project: Project, changes: dict[str, Any]) -> Project:
        """Change name, description, `archived`, or (instance administrators only) `allow_local_deployments`."""
        self.check_changes(actor, project, changes)
        values = dict(changes)
        if "archived" in values:
            values["archived_at_ms"] = (project.archived_at_ms or now_ms()) if values.pop("archived") else None
        before = {key: getattr(project, key) for key in values if getattr(project, key) != values[key]}
        if not before:
            return project
        with atomic():
            Project.update(updated_at_ms=now_ms(), **values).where(Project.id == project.id).execute()
            self._record(actor, project, "updated", before, {key: values[key] for key in before})
        return find_project(actor, project.organization.slug, project.slug)

    def check_changes(self, actor: Actor, project: Project, changes: dict[str, Any]) -> None:
        """Raise what `edit` would raise of these changes, and change nothing."""
        authorize(actor, project, "project.edit")
        if "allow_local_deployments" in changes:
            policy.require_instance_admin(actor, "deployment.local")
        if "name" in changes:
            check_text(changes["name"], "name", longest=200, shortest=1)
        if "description" in changes:
            check_text(changes["description"], "description", longest=10_000)

    def members(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's memberships with their users, by username."""
        authorize(actor, project, "project.read")
        return _members_of(ProjectMember, ProjectMember.project == project)

    def set_member(self, actor: Actor, project: Project, username: str, role: str) -> ProjectMember:
        """Give a member of the organization a role in the project; `InvalidInput` for anybody else."""
        authorize(actor, project, "project.members")
        _check_role(role, policy.PROJECT_ROLES)
        user = User.get_or_none(User.username == username.lower())
        if user is None or not OrganizationMember.get_or_none(organization=project.organization_id, user=user):
            raise InvalidInput(
                f"{username!r} is no member of the organization.", hint="Add them to it first.", field="username"
            )
        with atomic():
            _lock(project)
            member = ProjectMember.get_or_none(project=project, user=user)
            before = member.role if member else None
            row: ProjectMember = _put_member(ProjectMember, {"project": project, "user": user}, role)
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

    def _record(self, actor: Actor, project: Project, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"project.{verb}",
            actor=actor,
            object_id=project.public_id,
            object_name=project.slug,
            project=project,
            before=before,
            after=after,
        )

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


def _lock(row: Organization | Project) -> None:
    """Let changes of a tenant's members come one after the other."""
    table = type(row)
    locked(table.select(table.id).where(table.id == row.id)).first()


def _find_user(username: str, field: str = "username") -> User:
    user = User.get_or_none(User.username == username.lower())
    if user is None:
        raise InvalidInput(
            f"There is no user {username!r}.", hint="`modelyard admin users create` makes one.", field=field
        )
    found: User = user
    return found


def _check_role(role: str, known: tuple[str, ...]) -> None:
    if role not in known:
        raise InvalidInput(f"There is no role {role!r}; choose among {', '.join(known)}.", field="role")


def _members_of(table: Any, condition: Any) -> Any:
    return table.select(table, User).join(User).where(condition).order_by(User.username)


def _put_member(table: Any, key: dict[str, Any], role: str) -> Any:
    row = table.get_or_none(**key)
    if row is None:
        return table.create(**key, role=role)
    row.role = role
    row.save()
    return row
