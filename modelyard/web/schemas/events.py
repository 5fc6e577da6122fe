"""Shapes of events and deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from modelyard.web.schemas.base import moment

FORMATS = {"ndjson": "application/x-ndjson", "csv": "text/csv"}


class Instant(fields.Field[int]):
    """RFC 3339 with an offset outside, integer milliseconds inside."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        try:
            found = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            found = None
        if found is None or found.tzinfo is None:
            raise ValidationError(f"{value!r:.60} is no time such as 2026-03-01T12:00:00Z.")
        return int(found.timestamp() * 1000)


def instant(parameter: str, description: str) -> Instant:
    """Declare a time of the query."""
    more = {"type": "string", "format": "date-time", "description": description}
    return Instant(data_key=parameter, metadata=more)


class EventFilterArguments(Schema):
    """Which events are asked for."""

    actor = fields.String(metadata={"description": "Id or name of who did it."})
    action = fields.String(metadata={"description": "`model.created`, or `model.*` for all of a noun."})
    object_kind = fields.String(metadata={"description": "What it was done to: `model`, `project`, `connection` …"})
    object_id = fields.String()
    since_ms = instant("from", "The earliest time, RFC 3339.")
    until_ms = instant("to", "The time before which it was, RFC 3339.")
    address = fields.String(metadata={"description": "Where it was done from; for admins."})
    request_id = fields.String()


class EventExportArguments(EventFilterArguments):
    """Which events, and how they are written down."""

    format = fields.String(load_default="ndjson", validate=validate.OneOf([*FORMATS]))


class PartySchema(Schema):
    """Who acted, or on what."""

    kind = fields.String(required=True)
    id = fields.String(required=True)
    name = fields.String(required=True)


class EventSchema(Schema):
    """One change: who, what, when, from where, and how it was before and after."""

    id = fields.String(required=True)
    action = fields.String(required=True)
    actor = fields.Nested(PartySchema, required=True)
    object = fields.Nested(PartySchema, required=True)
    organization = fields.String(required=True, allow_none=True, metadata={"description": "Its slug at that time."})
    project = fields.String(required=True, allow_none=True, metadata={"description": "Its slug at that time."})
    before = fields.Dict(required=True)
    after = fields.Dict(required=True)
    request_id = fields.String(required=True)
    address = fields.String(required=True, allow_none=True, metadata={"description": "Null but for admins."})
    occurred_at = moment("occurred_at_ms")


class DeliverySchema(Schema):
    """One event for one subscriber."""

    id = fields.String(required=True)
    event_id = fields.String(required=True)
    action = fields.String(required=True)
    subscriber = fields.String(required=True, metadata={"description": "A connection's name, or a plugin's."})
    connection_id = fields.String(
        required=True, allow_none=True, metadata={"description": "Null for a plugin, and when it is deleted."}
    )
    state = fields.String(required=True, metadata={"description": "queued, running, done or failed."})
    attempts = fields.Integer(required=True)
    last_error = fields.String(required=True, allow_none=True)
    created_at = moment("created_at_ms")
    next_attempt_at = moment("next_attempt_at_ms", allow_none=True)
    delivered_at = moment("delivered_at_ms", allow_none=True)


class DeliveryAttemptSchema(Schema):
    """One attempt."""

    started_at = moment("started_at_ms")
    duration_seconds = fields.Float(required=True)
    outcome = fields.String(
        required=True, metadata={"description": "delivered, failed (worth another try) or refused (final)."}
    )
    error = fields.String(required=True, allow_none=True)


class DeliveryDetailSchema(DeliverySchema):
    """A delivery with its newest attempts, at most 20."""

    log = fields.List(fields.Nested(DeliveryAttemptSchema), required=True)
