"""Events: each change of a thing that people manage, recorded in the transaction that makes it.

`Events.record` writes the event and one delivery row for each subscriber; the job worker does the telling. The same
rows are the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from modelyard.core.db import database, new_id, now_ms
from modelyard.core.hookspecs import MOMENT_OF_ACTION
from modelyard.core.identity.actor import Actor
from modelyard.core.jobs import Bell
from modelyard.core.notifications.models import Delivery, Event
from modelyard.core.projects.models import Connection, Organization, Project

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One event as plugins see it. `before` and `after` hold the changed fields, never secrets."""

    id: str
    action: str
    occurred_at_ms: int
    organization: str | None
    project: str | None
    actor_kind: str
    actor_id: str
    actor_name: str
    object_kind: str
    object_id: str
    object_name: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    request_id: str = ""
    schema_version: int = SCHEMA_VERSION


class Events:
    """Writes events; `subscribers` names the loaded plugins that implement a moment."""

    def __init__(self, subscribers: Callable[[str], Iterable[str]]) -> None:
        self._subscribers = subscribers

    def record(
        self,
        action: str,
        *,
        actor: Actor,
        object_id: str,
        object_name: str,
        project: Project | None = None,
        organization: Organization | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> Event:
        """Write an event and its deliveries; must be called inside the transaction of the change itself.

        `action` is ``noun.past``; the noun becomes the object's kind.
        """
        if database.transaction_depth() == 0:
            raise RuntimeError(f"The event {action} was recorded outside of the transaction that it tells of.")
        owner = organization or (project.organization if project else None)
        event = Event.create(
            organization=owner,
            project=project,
            organization_slug=owner.slug if owner else "",
            project_slug=project.slug if project else "",
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name,
            action=action,
            object_kind=action.split(".")[0],
            object_id=object_id,
            object_name=object_name,
            before=dict(before or {}),
            after=dict(after or {}),
            request_id=actor.request_id,
            address=actor.address,
        )
        self._address(event, owner, project)
        return event

    def _address(self, event: Event, organization: Organization | None, project: Project | None) -> None:
        """Write a delivery for each plugin that implements the moment and each notifier that asked for the action."""
        moment = MOMENT_OF_ACTION.get(event.action)
        rows: list[dict[str, Any]] = []
        if moment is not None:
            rows += [{"subscriber": name, "plugin": name, "moment": moment} for name in self._subscribers(moment)]
        rows += [
            {"subscriber": connection.name, "connection": connection.id}
            for connection in _notifiers(organization, project)
            if any(fnmatchcase(event.action, pattern) for pattern in connection.subscriptions)
        ]
        now = now_ms()
        for row in rows:
            Delivery.insert(event=event.id, public_id=new_id(), run_after_ms=now, created_at_ms=now, **row).execute()
        if rows:
            Bell.ring()


def _notifiers(organization: Organization | None, project: Project | None) -> Iterable[Connection]:
    if organization is None:
        return ()
    mine = (
        Connection.project_id.is_null()
        if project is None
        else (Connection.project_id.is_null() | (Connection.project_id == project.id))
    )
    found: Iterable[Connection] = Connection.select().where(
        Connection.organization == organization.id, Connection.kind == "notifier", Connection.enabled, mine
    )
    return found


def describe(event: Event) -> EventRecord:
    """Make the plugin's view of a stored event."""
    return EventRecord(
        id=event.public_id,
        action=event.action,
        occurred_at_ms=event.occurred_at_ms,
        organization=event.organization_slug or None,
        project=event.project_slug or None,
        actor_kind=event.actor_kind,
        actor_id=event.actor_id,
        actor_name=event.actor_name,
        object_kind=event.object_kind,
        object_id=event.object_id,
        object_name=event.object_name,
        before=event.before,
        after=event.after,
        request_id=event.request_id,
        schema_version=event.schema_version,
    )
