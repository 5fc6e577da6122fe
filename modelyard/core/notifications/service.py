"""Telling: takes one delivery to its subscriber, and lists what was told."""

from __future__ import annotations

from typing import Any

from peewee import JOIN

from modelyard.core.errors import InvalidInput
from modelyard.core.events import EventRecord, describe
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Notification
from modelyard.core.notifications.models import Delivery, Event
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.projects.access import authorize
from modelyard.core.projects.connections import ConnectionService
from modelyard.core.projects.models import Connection, Project


class NotificationService:
    """Events and deliveries of a project, and the act of delivering."""

    def __init__(self, *, plugins: PluginManager, connections: ConnectionService, public_url: str) -> None:
        self._plugins = plugins
        self._connections = connections
        self._public_url = public_url

    def events(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's events, newest first."""
        authorize(actor, project, "event.read")
        return Event.select().where(Event.project == project).order_by(Event.id.desc())

    def deliveries(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's deliveries with their events, newest first."""
        authorize(actor, project, "event.read")
        return (
            Delivery.select(Delivery, Event, Connection)
            .join(Event)
            .switch(Delivery)
            .join(Connection, JOIN.LEFT_OUTER)
            .where(Event.project == project)
            .order_by(Delivery.id.desc())
        )

    def deliver(self, delivery: Delivery) -> None:
        """Make one attempt; raises what the plugin raised, as a `PluginError`."""
        record = describe(delivery.event)
        if delivery.plugin is not None and delivery.moment is not None:
            self._plugins.tell(delivery.plugin, delivery.moment, record)
        elif delivery.connection is not None:
            if not delivery.connection.enabled:
                raise InvalidInput(f"The connection {delivery.connection.name!r} is disabled.")
            self._connections.bound(delivery.connection).send(self.compose(record))

    def compose(self, record: EventRecord) -> Notification:
        """Write the message that people read about an event."""
        noun, verb = record.action.split(".", 1)
        title = f"{noun.replace('_', ' ').capitalize()} {record.object_name}: {verb.replace('_', ' ')}"
        changes = [
            f"{key}: {record.before[key]} → {value}" if key in record.before else f"{key}: {value}"
            for key, value in record.after.items()
        ]
        place = "/".join(part for part in (record.organization, record.project) if part)
        lines = [f"{record.actor_name or record.actor_kind} in {place}" if place else record.actor_name, *changes]
        return Notification(
            id=record.id,
            action=record.action,
            title=title,
            text="\n".join(lines),
            occurred_at_ms=record.occurred_at_ms,
            link=f"{self._public_url}/{place}" if record.project else self._public_url,
            event=_as_mapping(record),
        )


def _as_mapping(record: EventRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}
