"""Shapes of what changed in a project."""

from __future__ import annotations

from marshmallow import Schema, fields

from modelyard.web.schemas.base import moment


class ChangeArguments(Schema):
    """Since when."""

    after = fields.String(load_default=None, metadata={"description": "`cursor` of the answer before."})


class RunChangeSchema(Schema):
    """A run that something was logged or done to."""

    id = fields.String(required=True, attribute="run_id")
    experiment_id = fields.String(required=True)
    changed_at = moment("updated_at_ms")


class ThingChangeSchema(Schema):
    """What was done to a thing, as the events name it."""

    kind = fields.String(required=True)
    id = fields.String(required=True, attribute="thing_id")
    action = fields.String(required=True)
    changed_at = moment("changed_at_ms")


class ChangesSchema(Schema):
    """What is new, and where to go on."""

    cursor = fields.String(required=True, metadata={"description": "For `after` of the next request."})
    runs = fields.List(
        fields.Nested(RunChangeSchema),
        required=True,
        allow_none=True,
        metadata={"description": "Null where the project's tracker cannot tell: ask for what you show."},
    )
    things = fields.List(fields.Nested(ThingChangeSchema), required=True)
    complete = fields.Boolean(
        required=True,
        attribute="is_complete",
        metadata={"description": "False where so much changed that it is not told: read what you show anew."},
    )
