"""The door to every tenant's rows: finds a project or organization for an actor, or says that there is none."""

from __future__ import annotations

from modelyard.core.errors import Conflict, NotFound
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.names import SLUG
from modelyard.core.projects.models import Organization, OrganizationMember, Project, ProjectMember


def find_organization(actor: Actor, slug: str, permission: str = "organization.read") -> tuple[Organization, str]:
    """Return the organization and the actor's role in it.

    Raises `NotFound` for a stranger just as for a slug that is not there, `PermissionDenied` for too small a role.
    """
    policy.require_sign_in(actor)
    mine = (
        OrganizationMember.select(OrganizationMember, Organization)
        .join(Organization)
        .where(Organization.slug == slug, OrganizationMember.user == actor.user_id)
    )
    found = mine.first() if SLUG.fullmatch(slug) and actor.project_id is None else None
    if found is None:
        raise NotFound(f"There is no organization {slug!r}.")
    needed, scope = policy.ORGANIZATION_POLICY[permission]
    policy.require_scope(actor, scope, permission)
    policy.require_role(found.role, needed, policy.ORGANIZATION_ROLES, permission)
    return found.organization, found.role


def find_project(actor: Actor, organization: str, project: str, permission: str = "project.read") -> Project:
    """Return the project for an actor who holds the permission; errors as in `authorize`."""
    policy.require_sign_in(actor)
    named = (
        Project.select(Project, Organization)
        .join(Organization)
        .where(Organization.slug == organization, Project.slug == project)
    )
    found = named.first() if SLUG.fullmatch(organization) and SLUG.fullmatch(project) else None
    if found is None:
        raise NotFound(f"There is no project '{organization}/{project}'.")
    opened: Project = found
    authorize(actor, opened, permission)
    return opened


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
    if project.archived_at_ms is not None and not permission.endswith(".read") and permission != "project.edit":
        raise Conflict(f"The project {project.slug!r} is archived.", hint="Restore it first.")


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
