"""Shapes of models and versions."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.core.registry.versions_service import STAGES
from modelyard.web.schemas.base import StrictSchema, moment


class ModelSchema(Schema):
    """A registered model."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    latest_version = fields.Integer(required=True, allow_none=True)
    versions_count = fields.Integer(required=True)
    stages = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "The newest version in each stage other than None."},
    )
    aliases = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    created_at = moment("created_at_ms")
    updated_at = moment("updated_at_ms")


class NewModelSchema(StrictSchema):
    """A wish for a model."""

    name = fields.String(required=True, metadata={"example": "risk"})
    description = fields.String(load_default="")
    tags = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class ModelChangesSchema(StrictSchema):
    """What may be changed of a model."""

    name = fields.String()
    description = fields.String()


class VersionSchema(Schema):
    """A version of a model."""

    id = fields.String(required=True)
    model = fields.String(required=True)
    version = fields.Integer(required=True)
    stage = fields.String(required=True)
    status = fields.String(required=True)
    description = fields.String(required=True)
    tags = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    aliases = fields.List(fields.String(), required=True)
    run_id = fields.String(required=True)
    source = fields.String(required=True)
    created_by = fields.String(required=True)
    created_at = moment("created_at_ms")
    updated_at = moment("updated_at_ms")


class NewVersionSchema(StrictSchema):
    """A wish for a version."""

    source = fields.String(
        required=True,
        validate=validate.Length(1, 4096),
        metadata={"example": "runs:/0198c0ffee0070008000000000000000/model"},
    )
    run_id = fields.String(load_default="", validate=validate.Length(0, 32))
    description = fields.String(load_default="")
    tags = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)


class VersionChangesSchema(StrictSchema):
    """What may be changed of a version."""

    description = fields.String(required=True)


class PromotionSchema(StrictSchema):
    """A move to a stage."""

    stage = fields.String(required=True, validate=validate.OneOf(STAGES))
    reason = fields.String(load_default="")
    archive_existing = fields.Boolean(
        load_default=True, metadata={"description": "Move the versions that hold the stage now to Archived."}
    )


class StageChangeSchema(Schema):
    """One line of the stage history."""

    version = fields.Integer(attribute="version_number", required=True)
    from_stage = fields.String(required=True)
    to_stage = fields.String(required=True)
    reason = fields.String(required=True)
    actor = fields.String(attribute="actor_name", required=True)
    changed_at = moment("changed_at_ms")
