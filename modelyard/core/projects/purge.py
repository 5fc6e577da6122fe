"""The end of what was deleted, once its retention is over. Each step may be done twice; killed anywhere, it goes on.

First what runs is ended, then the artifacts go, then the rows in small transactions, so that nobody waits long for
them; the last one takes the project itself and lets its events go on without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from modelyard.core.db import atomic, held, now_ms
from modelyard.core.deployments.jobs import delete_all
from modelyard.core.deployments.models import Deployment
from modelyard.core.events import Events
from modelyard.core.identity.actor import system_actor
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.jobs import Again, Lease, enqueue
from modelyard.core.notifications.models import Delivery, Event
from modelyard.core.projects.models import (
    Connection,
    Invitation,
    MappedRole,
    Organization,
    OrganizationFormerSlug,
    OrganizationMember,
    Project,
)
from modelyard.core.registry.models import ModelVersion, RegisteredModel
from modelyard.core.tracking.models import Experiment
from modelyard.core.tracking.purge import forget_of_project, forget_rows, forget_traces
from modelyard.core.tracking.trace_models import Trace

PURGE_PROJECT = "project.purge"
PURGE_ORGANIZATION = "organization.purge"
ACTOR = system_actor("purge")
ENDING_SECONDS = 2.0


class Purger:
    """Does the jobs of purging; `storage_of` gives the storage that keeps a project's artifacts."""

    def __init__(self, *, events: Events, storage_of: Callable[[Project], Any], retention_ms: int) -> None:
        self._events = events
        self._storage_of = storage_of
        self._retention_ms = retention_ms

    def enqueue_due(self) -> None:
        """Make a job for each project and organization whose retention is over, unless it has one."""
        before = now_ms() - self._retention_ms
        for table, kind in ((Project, PURGE_PROJECT), (Organization, PURGE_ORGANIZATION)):
            due = table.select(table.public_id).where(table.deleted_at_ms <= before)
            if table is Organization:
                due = due.where(Organization.purged_at_ms.is_null())
            for row in due:
                enqueue(kind, {"id": row.public_id}, dedupe_key=f"{kind}:{row.public_id}")

    def purge_project(self, lease: Lease, project_id: str) -> Again | None:
        """Take a project away for good; nothing happens to one that was restored."""
        project = self._begin(lease, Project, project_id)
        if project is None:
            return None
        if self._end_deployments(lease, project):
            return Again(ENDING_SECONDS)
        self._forget_artifacts(lease, project)
        while self._forget_some(lease, project):
            pass
        self._forget(lease, project)
        return None

    def purge_organization(self, lease: Lease, organization_id: str) -> Again | None:
        """Take all that is in an organization away for good; its row stays as a name for its events."""
        organization = self._begin(lease, Organization, organization_id)
        if organization is None or organization.purged_at_ms is not None:
            return None
        projects = list(Project.select().where(Project.organization == organization))
        for project in projects:
            with atomic():
                lease.confirm()
                Project.update(deleted_at_ms=organization.deleted_at_ms).where(
                    Project.id == project.id, Project.deleted_at_ms.is_null()
                ).execute()
                enqueue(PURGE_PROJECT, {"id": project.public_id}, dedupe_key=f"{PURGE_PROJECT}:{project.public_id}")
        if projects:
            return Again(ENDING_SECONDS)
        with atomic():
            lease.confirm()
            for table in (Connection, Invitation, MappedRole, OrganizationFormerSlug, OrganizationMember):
                table.delete().where(table.organization == organization).execute()
            User.delete().where(User.organization == organization).execute()  # its service accounts
            Organization.update(purged_at_ms=now_ms()).where(Organization.id == organization.id).execute()
            self._record("organization.purged", organization, organization)
        return None

    def _begin(self, lease: Lease, table: Any, public_id: str) -> Any:
        """Mark it as past its restoration, and return it; None where it is not to be purged."""
        before = now_ms() - self._retention_ms
        with atomic():
            lease.confirm()
            row = held(table.select().where(table.public_id == public_id)).first()
            if row is None or row.deleted_at_ms is None:
                return None
            if row.purge_started_at_ms is None:
                if row.deleted_at_ms > before:
                    return None
                table.update(purge_started_at_ms=now_ms()).where(table.id == row.id).execute()
            return row

    def _end_deployments(self, lease: Lease, project: Project) -> bool:
        """Ask for the end of all deployments; says whether there are any left."""
        with atomic():
            lease.confirm()
            delete_all(project)
            return bool(Deployment.select().where(Deployment.project == project).exists())

    def _forget_artifacts(self, lease: Lease, project: Project) -> None:
        """Delete folder after folder: a call that is too slow for its deadline has at least made a beginning."""
        storage = self._storage_of(project)
        for child in storage.list(project.public_id):
            lease.confirm()
            storage.delete(child.path.rstrip("/"))
        storage.delete(project.public_id)

    def _forget_some(self, lease: Lease, project: Project) -> bool:
        """Delete a bounded number of rows; says whether there may be more."""
        experiments = Experiment.select(Experiment.id).where(Experiment.project == project)
        traces = Trace.select(Trace.id).where(Trace.project == project)
        models = RegisteredModel.select(RegisteredModel.id).where(RegisteredModel.project == project)
        events = Event.select(Event.id).where(Event.project == project)
        with atomic():
            lease.confirm()
            return (
                forget_of_project(experiments)
                or forget_traces(traces)
                or any(
                    forget_rows(table, condition)
                    for table, condition in (
                        (ModelVersion, ModelVersion.model.in_(models)),
                        (Delivery, Delivery.event.in_(events)),
                    )
                )
            )

    def _forget(self, lease: Lease, project: Project) -> None:
        """Delete the project with the rest; events and the last word on it are its organization's from now on."""
        with atomic():
            lease.confirm()
            ApiToken.delete().where(ApiToken.project_id == project.id).execute()
            organization = project.organization
            project.delete_instance()
            Connection.delete().where(Connection.project_id == project.id).execute()
            self._record("project.purged", organization, project)

    def _record(self, action: str, organization: Organization, gone: Organization | Project) -> None:
        self._events.record(
            action,
            actor=ACTOR,
            object_id=gone.public_id,
            object_name=gone.slug,
            organization=organization,
            before={"slug": gone.slug, "name": gone.name},
        )
