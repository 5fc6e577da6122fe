"""Shapes of events and deliveries."""

from __future__ import annotations

from marshmallow import Schema, fields

from modelyard.web.schemas.base import moment


class PartySchema(Schema):
    """Who acted, or on what."""

    kind = fields.String(required=True)
    id = fields.String(required=True)
    name = fields.String(required=True)


class EventSchema(Schema):
    """One change."""

    id = fields.String(required=True)
    action = fields.String(required=True)
    actor = fields.Nested(PartySchema, required=True)
    object = fields.Nested(PartySchema, required=True)
    before = fields.Dict(required=True)
    after = fields.Dict(required=True)
    request_id = fields.String(required=True)
    occurred_at = moment("occurred_at_ms")


class DeliverySchema(Schema):
    """One event for one subscriber."""

    id = fields.String(required=True)
    event_id = fields.String(required=True)
    action = fields.String(required=True)
    subscriber = fields.String(required=True, metadata={"description": "A connection's name, or a plugin's."})
    state = fields.String(required=True, metadata={"description": "queued, running, done or failed."})
    attempts = fields.Integer(required=True)
    last_error = fields.String(required=True, allow_none=True)
    created_at = moment("created_at_ms")
    delivered_at = moment("delivered_at_ms", allow_none=True)
