"""Telling: takes one delivery to its subscriber."""

from __future__ import annotations

from typing import Any

from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.events import EventRecord, describe
from modelyard.core.interfaces import Notification
from modelyard.core.notifications.models import Delivery
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.projects.connections import ConnectionService


class NotificationService:
    """The act of delivering, and what people read."""

    def __init__(self, *, plugins: PluginManager, connections: ConnectionService, public_url: str) -> None:
        self._plugins = plugins
        self._connections = connections
        self._public_url = public_url

    def deliver(self, delivery: Delivery) -> None:
        """Make one attempt; raises what the plugin raised, as a `PluginError`."""
        record = describe(delivery.event)
        if delivery.plugin is not None and delivery.moment is not None:
            self._plugins.tell(delivery.plugin, delivery.moment, record)
            return
        connection = delivery.connection
        if connection is None:
            raise NotFound(f"The connection {delivery.subscriber!r} was deleted.")
        if not connection.enabled:
            raise InvalidInput(f"The connection {connection.name!r} is disabled.")
        self._connections.bound(connection).send(self.compose(record))

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
