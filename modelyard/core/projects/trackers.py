"""Which tracker a project has: one of its own connections, or the server's own.

A tracker connection is of one project, and it is enabled while the project tracks with it: at most one is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import Conflict, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.access import authorize, find_organization, hold
from modelyard.core.projects.connections import ConnectionService
from modelyard.core.projects.models import Connection, Project
from modelyard.core.projects.projects import ProjectService
from modelyard.core.projects.quotas import count_runs
from modelyard.core.registry.models import ModelVersion, RegisteredModel

KIND = "tracker"


class ProjectTrackers:
    """The choice of a project's tracker."""

    def __init__(self, events: Events, projects: ProjectService, connections: ConnectionService) -> None:
        self._events = events
        self._projects = projects
        self._connections = connections

    def create_project(
        self, actor: Actor, organization_slug: str, *, tracker: Mapping[str, Any] | None = None, **wish: Any
    ) -> Project:
        """Make a project as `ProjectService.create` does.

        With `tracker` (its `provider` and `settings`) it has a connection of that name and tracks with it from the
        beginning.
        """
        find_organization(actor, organization_slug, "project.create")
        lay = None if tracker is None else self._connections.prepare_tracker(actor, **tracker)
        return self._projects.create(actor, organization_slug, lay=lay, **wish)

    def check(self, actor: Actor, project: Project, connection_id: str | None, *, confirm: str | None = None) -> None:
        """Raise what `use` would raise now, and change nothing."""
        authorize(actor, project, "project.edit")
        wanted = _wanted(project, connection_id)
        if wanted != project.tracker_connection:
            _refuse_to_lose(project, project.tracker_connection, confirm)

    def use(self, actor: Actor, project: Project, connection_id: str | None, *, confirm: str | None = None) -> Project:
        """Track with that connection of the project from now on (None: in the server's own tracker).

        Runs stay where they are, and are shown again once that tracker is chosen again: where there are or may be some,
        `confirm` is the project's slug. `Conflict` for a project with model versions: their files would not be found.
        """
        authorize(actor, project, "project.edit")
        with atomic():
            now = hold(project)
            before, wanted = now.tracker_connection, _wanted(now, connection_id)
            if before != wanted:
                _refuse_to_lose(now, before, confirm)
                _enable(now, wanted)
                Project.update(updated_at_ms=now_ms()).where(Project.id == now.id).execute()
                self._events.record(
                    "project.updated",
                    actor=actor,
                    object_id=now.public_id,
                    object_name=now.slug,
                    project=now,
                    before={"tracker_connection": before.name if before else None},
                    after={"tracker_connection": wanted.name if wanted else None},
                )
        found: Project = Project.get_by_id(project.id)
        return found


def _wanted(project: Project, connection_id: str | None) -> Connection | None:
    if connection_id is None:
        return None
    seen = Connection.select().where(Connection.public_id == connection_id, Connection.visible_in(project))
    found: Connection | None = seen.first()
    if found is None:
        raise NotFound(f"The project has no connection {connection_id!r}.")
    if found.kind != KIND or found.project_id != project.id:
        what = f"is a {found.kind}, no tracker" if found.kind != KIND else "is the organization's"
        raise InvalidInput(
            f"{found.name!r} {what}.",
            hint="A project tracks with a tracker connection of its own.",
            field="tracker_connection_id",
        )
    return found


def _refuse_to_lose(project: Project, before: Connection | None, confirm: str | None) -> None:
    """Refuse a change that hides runs nobody was told of, or that parts registered models from their files."""
    versions = ModelVersion.select().join(RegisteredModel).where(RegisteredModel.project == project.id)
    if versions.exists():
        raise Conflict(
            "The project has model versions, whose files are where its present tracker keeps them.",
            hint="Choose the tracker before the first model is registered, or make another project.",
        )
    runs = 0 if before is not None else count_runs(project)
    if (before is None and runs == 0) or confirm == project.slug:
        return
    stay = f"{runs} runs stay in the server's own tracker" if before is None else f"runs stay at {before.name!r}"
    raise Conflict(
        f"With another tracker the project's {stay} and are not shown; they come back with it.",
        hint=f"Confirm it with the slug: {project.slug}.",
        field="confirm",
    )


def _enable(project: Project, wanted: Connection | None) -> None:
    """Enable this one of the project's trackers and no other."""
    mine = (Connection.project == project.id) & (Connection.kind == KIND)
    for connection in Connection.select().where(mine):
        enabled = wanted is not None and connection.id == wanted.id
        if connection.enabled != enabled:
            changed_at_ms = max(now_ms(), connection.updated_at_ms + 1)
            Connection.update(enabled=enabled, updated_at_ms=changed_at_ms).where(
                Connection.id == connection.id
            ).execute()
