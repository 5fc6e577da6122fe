"""The notifier: each notification is a line in the loft's file."""

from __future__ import annotations

import os
from pathlib import Path

from marshmallow import Schema, fields, validate

from modelyard import Health, Notification, Notifier, PluginUnavailable
from modelyard_carrier_pigeon.loft import append_line


class CarrierPigeonSettings(Schema):
    """Where the pigeons fly."""

    loft = fields.String(
        required=True,
        validate=validate.Length(min=1),
        metadata={"title": "Loft", "description": "The file that each notification is appended to, as a line of JSON."},
    )


class CarrierPigeon(Notifier):
    """Sends a pigeon: slow, quiet, and the message is on the disk when it has landed."""

    name = "carrier_pigeon"
    title = "Carrier pigeon"
    settings_schema = CarrierPigeonSettings
    capabilities = frozenset({"server_files"})

    def health(self) -> Health:
        """Whether the loft can be reached."""
        loft = Path(self.settings["loft"])
        reachable = os.access(loft if loft.exists() else loft.parent, os.W_OK)
        return Health(reachable, "" if reachable else f"No pigeon can land at {loft}.")

    def send(self, notification: Notification) -> None:
        """Append the notification to the loft's file."""
        message = {
            "id": notification.id,
            "action": notification.action,
            "title": notification.title,
            "text": notification.text,
            "occurred_at_ms": notification.occurred_at_ms,
            "link": notification.link,
            "event": dict(notification.event),
        }
        try:
            append_line(Path(self.settings["loft"]), message)
        except OSError as exc:
            raise PluginUnavailable(
                f"The pigeon found no way into the loft: {exc.strerror}.", plugin=self.name, operation="send"
            ) from exc
