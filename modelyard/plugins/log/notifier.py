"""One line of the log for each notification."""

from __future__ import annotations

import structlog
from marshmallow import Schema, fields, validate

from modelyard import Health, Notification, Notifier

log = structlog.get_logger(__name__)


class LogSettings(Schema):
    """How the lines are written."""

    level = fields.String(
        load_default="info",
        validate=validate.OneOf(["info", "warning"]),
        metadata={"title": "Level", "description": "The level of the lines."},
    )


class LogNotifier(Notifier):
    """Writes each notification to the server's log as `notification`."""

    name = "log"
    title = "Server log"
    settings_schema = LogSettings
    capabilities = frozenset({"local"})

    def health(self) -> Health:
        """Always well: the log is there as long as the process is."""
        return Health(True)

    def send(self, notification: Notification) -> None:
        """Write the line."""
        write = log.warning if self.settings["level"] == "warning" else log.info
        write(
            "notification",
            id=notification.id,
            action=notification.action,
            title=notification.title,
            text=notification.text,
            link=notification.link,
        )
