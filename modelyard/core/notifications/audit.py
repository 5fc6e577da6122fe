"""The audit log: who did what to which thing, when, from where, and how it was before and after."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelyard.core.db import connection
from modelyard.core.errors import InvalidInput, PermissionDenied
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import authorize, find_organization, role_in
from modelyard.core.projects.models import Project

BATCH = 200


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are asked for; what is None does not matter.

    `actor` is an id or a name, `action` a name or a noun with all its actions (``model.*``); times are milliseconds,
    `since_ms` included and `until_ms` not.
    """

    actor: str | None = None
    action: str | None = None
    object_kind: str | None = None
    object_id: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    address: str | None = None
    request_id: str | None = None

    def narrow(self, events: Any) -> Any:
        """Return the query with the conditions; `InvalidInput` for an action with a star elsewhere."""
        if self.actor is not None:
            events = events.where((Event.actor_id == self.actor) | (Event.actor_name == self.actor))
        if self.action is not None:
            events = events.where(_is_action(self.action))
        if self.since_ms is not None:
            events = events.where(Event.occurred_at_ms >= self.since_ms)
        if self.until_ms is not None:
            events = events.where(Event.occurred_at_ms < self.until_ms)
        for column in (Event.object_kind, Event.object_id, Event.address, Event.request_id):
            value = getattr(self, column.name)
            if value is not None:
                events = events.where(column == value)
        return events


ALL = EventFilter()


class AuditService:
    """Events of a project, of an organization with all its projects, and of the instance."""

    def of_project(self, actor: Actor, project: Project, wanted: EventFilter = ALL) -> Any:
        """Return a query of the project's events, newest first.

        `PermissionDenied` for a search by address unless the actor is one of the project's admins.
        """
        authorize(actor, project, "event.read")
        if wanted.address is not None and not self.shows_addresses(actor, project):
            raise PermissionDenied("Addresses are for the project's admins.", needed_role="admin")
        return wanted.narrow(_newest_first().where(Event.project == project))

    def shows_addresses(self, actor: Actor, project: Project) -> bool:
        """Say whether the actor may see where the project's members came from."""
        return role_in(actor, project) == "admin"

    def of_organization(self, actor: Actor, organization: str, wanted: EventFilter = ALL) -> Any:
        """Return a query of the events of the organization and all its projects, for its admins."""
        found, _ = find_organization(actor, organization, "organization.events")
        return wanted.narrow(_newest_first().where(Event.organization == found))

    def of_instance(self, actor: Actor, wanted: EventFilter = ALL) -> Any:
        """Return a query of what happened to users, organizations and the server, for instance administrators.

        Nothing that happened within an organization or project is among it.
        """
        policy.require_instance_admin(actor, "instance.events")
        of_nobody = Event.organization.is_null() & (Event.organization_slug == "")
        outside = Event.project.is_null() & (Event.project_slug == "") & (of_nobody | _of_organizations())
        return wanted.narrow(_newest_first().where(outside))

    def batches(self, events: Any) -> Iterator[list[Event]]:
        """Yield all of a query in lists of at most 200, holding a connection only while one is read."""
        after: int | None = None
        while True:
            with connection():
                rows = list((events if after is None else events.where(Event.id < after)).limit(BATCH))
            if rows:
                yield rows
            if len(rows) < BATCH:
                return
            after = rows[-1].id


def _newest_first() -> Any:
    return Event.select().order_by(Event.id.desc())


def _of_organizations() -> Any:
    return Event.object_kind == "organization"


def _is_action(action: str) -> Any:
    noun, star, rest = action.partition("*")
    if not star:
        return Event.action == action
    if rest or not noun.endswith(".") or "." in noun[:-1]:
        raise InvalidInput(f"action {action!r} is no action.", hint="Write model.created or model.*.", field="action")
    return Event.object_kind == noun[:-1]
