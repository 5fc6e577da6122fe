"""The verbs of projects: made, found, renamed, archived, deleted with a way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, held, now_ms
from modelyard.core.deployments.jobs import watch_projects
from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.names import check_slug, check_text
from modelyard.core.projects.access import authorize, find_organization, hold, living_projects
from modelyard.core.projects.deletion import check_confirmation
from modelyard.core.projects.members import ProjectMembers
from modelyard.core.projects.models import Organization, Project, ProjectFormerSlug, ProjectMember
from modelyard.core.projects.quotas import count_deployments, count_runs

NAMED = 5
LARGEST_QUOTA = 2**53


class ProjectService(ProjectMembers):
    """Projects and who may work in them; `on_created` lays other subjects' first rows in the same transaction."""

    def __init__(self, events: Events, on_created: Callable[[Project], None]) -> None:
        super().__init__(events)
        self._on_created = on_created

    def create(
        self,
        actor: Actor,
        organization_slug: str,
        *,
        slug: str,
        name: str,
        description: str = "",
        lay: Callable[[Actor, Project], None] | None = None,
    ) -> Project:
        """Make a project; `lay` makes what it is to begin with, in the same transaction."""
        organization, _ = find_organization(actor, organization_slug, "project.create")
        check_slug(slug, "slug")
        check_text(name, "name", longest=200, shortest=1)
        check_text(description, "description", longest=10_000)
        try:
            with atomic():
                project = Project.create(organization=organization, slug=slug, name=name, description=description)
                _take_slug(project, slug)
                self._on_created(project)
                after = {"slug": slug, "name": name}
                self._record(actor, project, "created", {}, after)
                if lay is not None:
                    lay(actor, project)
                return project
        except IntegrityError:
            raise _taken(organization, slug) from None

    def list(self, actor: Actor, organization_slug: str) -> Any:
        """Return a query of those of the organization's projects that the actor has a role in, by slug."""
        organization, role = find_organization(actor, organization_slug)
        found = living_projects().where(Project.organization == organization)
        if role == "member":
            mine = ProjectMember.select(ProjectMember.project).where(ProjectMember.user == actor.user_id)
            found = found.where(Project.id.in_(mine))
        return found.order_by(Project.slug)

    def list_deleted(self, actor: Actor, organization_slug: str) -> Any:
        """Return a query of the organization's deleted projects that can be restored, in the order of their making."""
        organization, _ = find_organization(actor, organization_slug, "project.delete")
        found = Project.select(Project, Organization).join(Organization)
        return found.where(Project.organization == organization, _is_restorable()).order_by(Project.id)

    def edit(self, actor: Actor, project: Project, changes: Mapping[str, Any]) -> Project:
        """Change name, slug, description, `archived`, or (instance administrators) `allow_local_deployments`, `quotas`.

        The slug that it had leads to it until another project of the organization takes it. `Conflict` for archiving
        a project with deployments that run.
        """
        self.check_changes(actor, project, changes)
        values = {**changes, **changes.get("quotas", {})}
        values.pop("quotas", None)
        try:
            with atomic():
                return self._edit(actor, hold(project), values)
        except IntegrityError:
            raise _taken(project.organization, values["slug"]) from None

    def _edit(self, actor: Actor, now: Project, values: dict[str, Any]) -> Project:
        if "archived" in values:
            values["archived_at_ms"] = (now.archived_at_ms or now_ms()) if values.pop("archived") else None
        before = {key: getattr(now, key) for key in values if getattr(now, key) != values[key]}
        if not before:
            return now
        after = {key: values[key] for key in before}
        if after.get("archived_at_ms") is not None:
            _refuse_running(now)
        Project.update(updated_at_ms=now_ms(), **after).where(Project.id == now.id).execute()
        if "slug" in before:
            _take_slug(now, after["slug"])
            ProjectFormerSlug.create(organization=now.organization_id, project=now, slug=before["slug"])
        found: Project = Project.get_by_id(now.id)
        self._record(actor, found, "updated", before, after)
        return found

    def usage(self, actor: Actor, project: Project) -> dict[str, int]:
        """Count what the quotas are about."""
        authorize(actor, project, "project.read")
        return {
            "runs": count_runs(project),
            "deployments": count_deployments(project),
            "artifact_bytes": int(project.artifact_bytes),
        }

    def check_changes(self, actor: Actor, project: Project, changes: Mapping[str, Any]) -> None:
        """Raise what `edit` would raise of these changes but for conflicts, and change nothing."""
        authorize(actor, project, "project.edit")
        if "allow_local_deployments" in changes:
            policy.require_instance_admin(actor, "deployment.local")
        if "quotas" in changes:
            policy.require_instance_admin(actor, "project.quotas")
            _check_quotas(changes["quotas"])
        if "slug" in changes:
            check_slug(changes["slug"], "slug")
        if "name" in changes:
            check_text(changes["name"], "name", longest=200, shortest=1)
        if "description" in changes:
            check_text(changes["description"], "description", longest=10_000)

    def delete(self, actor: Actor, project: Project, *, confirm: str | None) -> None:
        """Delete a project; `confirm` is its slug. What runs in it is ended, and `restore` brings it back."""
        find_organization(actor, project.organization.slug, "project.delete")
        check_confirmation(confirm, project.slug)
        with atomic():
            now = hold(project)
            self._record(actor, now, "deleted", {"slug": now.slug, "name": now.name}, {})
            Project.update(deleted_at_ms=now_ms()).where(Project.id == now.id).execute()
            watch_projects([now.id])

    def restore(self, actor: Actor, organization_slug: str, project_id: str, *, slug: str | None = None) -> Project:
        """Bring a deleted project back, by its id, until its purge begins; what ran in it runs again.

        `AlreadyExists` where another project took its slug meanwhile; with `slug` it gets that one.
        """
        organization, _ = find_organization(actor, organization_slug, "project.delete")
        if slug is not None:
            check_slug(slug, "slug")
        wanted = slug
        named = (Project.organization == organization) & (Project.public_id == project_id)
        try:
            with atomic():
                now = held(Project.select().where(named, _is_restorable())).first()
                if now is None:
                    raise NotFound(f"There is no deleted project {project_id!r}.")
                wanted = slug or now.slug
                Project.update(deleted_at_ms=None, slug=wanted).where(Project.id == now.id).execute()
                _take_slug(now, wanted)
                watch_projects([now.id], restarted=True)
                found: Project = Project.get_by_id(now.id)
                self._record(actor, found, "restored", {}, {"slug": wanted})
                return found
        except IntegrityError:
            raise _taken(organization, str(wanted)) from None

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


def _is_restorable() -> Any:
    return Project.deleted_at_ms.is_null(False) & Project.purge_started_at_ms.is_null()


def _refuse_running(project: Project) -> None:
    """Refuse to archive what nobody could stop afterwards; the caller holds the project's row."""
    running = Deployment.select(Deployment.name).where(
        Deployment.project == project, Deployment.desired_status == "running"
    )
    names = [repr(row.name) for row in running.order_by(Deployment.name).limit(NAMED)]
    if names:
        raise Conflict(
            f"The project {project.slug!r} has deployments that run: {', '.join(names)}.",
            hint="Stop or delete them first: an archived project cannot be changed.",
        )


def _check_quotas(quotas: Mapping[str, int | None]) -> None:
    for name, value in quotas.items():
        if value is not None and not 0 <= value <= LARGEST_QUOTA:
            raise InvalidInput(f"{name} is {value}; 0 to {LARGEST_QUOTA} are allowed.", field=f"quotas.{name}")


def _take_slug(project: Project, slug: str) -> None:
    """Let a slug that is in use from now on lead to no project that had it before."""
    ProjectFormerSlug.delete().where(
        ProjectFormerSlug.organization == project.organization_id, ProjectFormerSlug.slug == slug
    ).execute()


def _taken(organization: Organization, slug: str) -> AlreadyExists:
    return AlreadyExists(
        f"The slug {slug!r} is taken in {organization.slug!r}.", hint="Choose another one.", field="slug"
    )
