"""Shapes of deployments."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.core.deployments.service import MAX_REPLICAS, READY_WITHIN_SECONDS
from modelyard.web.schemas.base import StrictSchema, moment


class ReplicaSchema(Schema):
    """One replica as it was last seen."""

    revision = fields.Integer(required=True)
    index = fields.Integer(attribute="replica_index", required=True)
    state = fields.String(required=True)
    address = fields.String(required=True, allow_none=True)
    message = fields.String(required=True)
    identity = fields.Dict(
        required=True, metadata={"description": "What names it at its target: a process id, a container."}
    )
    seen_at = moment("seen_at_ms")


class DeploymentSchema(Schema):
    """A deployment: the wish, and what was seen."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    model = fields.String(required=True)
    version = fields.Integer(required=True)
    target = fields.String(required=True)
    desired_status = fields.String(required=True)
    status = fields.String(required=True)
    message = fields.String(required=True)
    revision = fields.Integer(required=True)
    replicas = fields.Integer(required=True)
    ready_replicas = fields.Integer(required=True)
    address = fields.String(required=True, metadata={"description": "The stable address of its predictions."})
    replica_states = fields.List(fields.Nested(ReplicaSchema), required=True)
    created_at = moment("created_at_ms")
    updated_at = moment("updated_at_ms")


class NewDeploymentSchema(StrictSchema):
    """A wish for a deployment."""

    name = fields.String(required=True, metadata={"example": "risk-live"})
    model = fields.String(required=True)
    version = fields.String(
        required=True, metadata={"description": "A number, an alias as it points now, or `latest`.", "example": "3"}
    )
    target = fields.String(
        load_default="local_process", metadata={"description": "A connection's name, or a provider without settings."}
    )
    replicas = fields.Integer(strict=True, load_default=1, validate=validate.Range(0, MAX_REPLICAS))
    environment = fields.Dict(keys=fields.String(), values=fields.String(), load_default=dict)
    ready_within_seconds = fields.Integer(
        strict=True, load_default=READY_WITHIN_SECONDS, validate=validate.Range(1, 86_400)
    )


class DeploymentChangesSchema(StrictSchema):
    """What may be changed of a deployment; each change is a new revision."""

    model = fields.String()
    version = fields.String()
    replicas = fields.Integer(strict=True, validate=validate.Range(0, MAX_REPLICAS))
    environment = fields.Dict(keys=fields.String(), values=fields.String())
    ready_within_seconds = fields.Integer(strict=True, validate=validate.Range(1, 86_400))


class RollbackSchema(StrictSchema):
    """Which revision to go back to."""

    revision = fields.Integer(
        strict=True,
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 2**31 - 1),
        metadata={"description": "By default the one before the present one."},
    )


class RevisionSchema(Schema):
    """One immutable revision."""

    number = fields.Integer(required=True)
    model = fields.String(required=True, attribute="model_version.model.name")
    version = fields.Integer(required=True, attribute="model_version.number")
    replicas = fields.Integer(required=True)
    environment = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    ready_within_seconds = fields.Integer(required=True)
    note = fields.String(required=True)
    created_by = fields.String(required=True)
    created_at = moment("created_at_ms")


class LogArguments(Schema):
    """How much of the logs."""

    lines = fields.Integer(load_default=200, validate=validate.Range(1, 10_000))


class LogSchema(Schema):
    """The last lines of one replica."""

    replica = fields.String(required=True, metadata={"example": "revision 1, replica 0"})
    text = fields.String(required=True)


class LogsSchema(Schema):
    """The last lines of all replicas."""

    items = fields.List(fields.Nested(LogSchema), required=True)
