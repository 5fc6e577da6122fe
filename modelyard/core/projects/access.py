"""The door to every tenant's rows: finds a project or organization for an actor, or says that there is none.

What is deleted is not there. A slug that a tenant had before leads to it, for those who have a role in it, until
another one takes that slug.
"""

from __future__ import annotations

from typing import Any

from modelyard.core.db import held
from modelyard.core.errors import Conflict, NotFound
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.names import SLUG
from modelyard.core.projects.models import (
    Organization,
    OrganizationFormerSlug,
    OrganizationMember,
    Project,
    ProjectFormerSlug,
    ProjectMember,
)

OFFICERS = frozenset({"admin", "owner"})
"""The roles in an organization that make their holders admins of all its projects."""
KEPT_WHEN_ARCHIVED = frozenset({"project.edit", "project.leave"})
"""What may be done in an archived project beside reading."""


def find_organization(actor: Actor, slug: str, permission: str = "organization.read") -> tuple[Organization, str]:
    """Return the organization and the actor's role in it.

    Raises `NotFound` for a stranger just as for a slug that is not there, `PermissionDenied` for too small a role.
    """
    policy.require_sign_in(actor)
    found = _find_office(actor, slug) if SLUG.fullmatch(slug) and actor.project_id is None else None
    if found is None:
        raise NotFound(f"There is no organization {slug!r}.")
    needed, scope = policy.ORGANIZATION_POLICY[permission]
    policy.require_scope(actor, scope, permission)
    policy.require_role(found.role, needed, policy.ORGANIZATION_ROLES, permission)
    return found.organization, found.role


def _find_office(actor: Actor, slug: str) -> OrganizationMember | None:
    mine = (
        OrganizationMember.select(OrganizationMember, Organization)
        .join(Organization)
        .where(OrganizationMember.user == actor.user_id, Organization.deleted_at_ms.is_null())
    )
    former = OrganizationFormerSlug.select(OrganizationFormerSlug.organization)
    found: OrganizationMember | None = mine.where(Organization.slug == slug).first()
    return found or mine.where(Organization.id.in_(former.where(OrganizationFormerSlug.slug == slug))).first()


def living_organization(slug: str) -> Organization:
    """Return the organization that has this slug now, whoever asks; `NotFound` where there is none."""
    named = Organization.select().where(Organization.slug == slug, Organization.deleted_at_ms.is_null())
    found: Organization | None = named.first() if SLUG.fullmatch(slug) else None
    if found is None:
        raise NotFound(f"There is no organization {slug!r}.")
    return found


def find_project(actor: Actor, organization: str, project: str, permission: str = "project.read") -> Project:
    """Return the project for an actor who holds the permission; errors as in `authorize`."""
    policy.require_sign_in(actor)
    named = SLUG.fullmatch(organization) and SLUG.fullmatch(project)
    found = project_at(organization, project) if named else None
    if found is None or (actor.kind != "system" and role_in(actor, found) is None):
        raise NotFound(f"There is no project '{organization}/{project}'.")
    authorize(actor, found, permission)
    return found


def project_at(organization: str, project: str) -> Project | None:
    """Return the project at an address, present or former, whoever asks; None where there is none."""
    living = living_projects()
    found: Project | None = living.where(Organization.slug == organization, Project.slug == project).first()
    return found or _project_formerly_at(living, organization, project)


def _project_formerly_at(living: Any, organization: str, project: str) -> Project | None:
    organizations = OrganizationFormerSlug.select(OrganizationFormerSlug.organization).where(
        OrganizationFormerSlug.slug == organization
    )
    projects = ProjectFormerSlug.select(ProjectFormerSlug.project).where(ProjectFormerSlug.slug == project)
    found: Project | None = living.where(
        (Organization.slug == organization) | Organization.id.in_(organizations),
        (Project.slug == project) | Project.id.in_(projects),
    ).first()
    return found


def living_projects() -> Any:
    """Return a query of all projects that are not deleted, with their organizations, which are not deleted either."""
    joined = Project.select(Project, Organization).join(Organization)
    return joined.where(Project.deleted_at_ms.is_null(), Organization.deleted_at_ms.is_null())


def bound_project(actor: Actor) -> Project | None:
    """Return the project that the actor's token is bound to; None without one, or where it is deleted."""
    if actor.project_id is None:
        return None
    found: Project | None = living_projects().where(Project.id == actor.project_id).first()
    return found


def authorize(actor: Actor, project: Project, permission: str) -> None:
    """Let the actor through, or raise.

    `NotFound` for one with no role in the project, `PermissionDenied` for too small a role or scope, `Conflict` for a
    change to an archived project.
    """
    needed, scope = policy.PROJECT_POLICY[permission]
    if actor.kind == "system":
        return
    role = role_in(actor, project)
    if role is None:
        raise NotFound(f"There is no project '{project.organization.slug}/{project.slug}'.")
    policy.require_scope(actor, scope, permission)
    policy.require_role(role, needed, policy.PROJECT_ROLES, permission)
    if not permission.endswith(".read") and permission not in KEPT_WHEN_ARCHIVED:
        refuse_archived(project)


def refuse_archived(project: Project) -> None:
    """Raise `Conflict` for an archived project."""
    if project.archived_at_ms is not None:
        raise Conflict(f"The project {project.slug!r} is archived.", hint="Restore it first.")


def hold(project: Project) -> Project:
    """Return the project as it is now, kept from other changes of its own row until the transaction ends.

    Raises `NotFound` where it was deleted meanwhile.
    """
    now: Project | None = held(Project.select().where(Project.id == project.id)).first()
    if now is None or now.is_deleted:
        raise NotFound(f"There is no project '{project.organization.slug}/{project.slug}'.")
    return now


def role_in(actor: Actor, project: Project) -> str | None:
    """Return the actor's role in the project, by membership or by office in its organization; None for a stranger."""
    if actor.user_id is None or actor.project_id not in (None, project.id):
        return None
    if project.id not in actor.roles:
        actor.roles[project.id] = _look_up_role(actor.user_id, project)
    return actor.roles[project.id]


def _look_up_role(user_id: int, project: Project) -> str | None:
    office = OrganizationMember.get_or_none(organization=project.organization_id, user=user_id)
    if office is None:
        return None
    if office.role in {"owner", "admin"}:
        return "admin"
    member = ProjectMember.get_or_none(project=project.id, user=user_id)
    return member.role if member else None


def office_in(actor: Actor, organization_id: int) -> str | None:
    """Return the actor's role in the organization; None for a stranger, and for a token that is bound to a project."""
    if actor.user_id is None or actor.project_id is not None:
        return None
    office = OrganizationMember.get_or_none(organization=organization_id, user=actor.user_id)
    return office.role if office else None
