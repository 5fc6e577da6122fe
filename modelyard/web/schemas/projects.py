"""Shapes of organizations, projects, members and connections."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.core.identity.policy import ORGANIZATION_ROLES, PROJECT_ROLES
from modelyard.core.projects.connections import KINDS
from modelyard.web.schemas.base import StrictSchema, moment


class OrganizationSchema(Schema):
    """An organization and the caller's role in it."""

    id = fields.String(required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True, allow_none=True)
    created_at = moment("created_at_ms")


class NewOrganizationSchema(StrictSchema):
    """A wish for an organization."""

    slug = fields.String(required=True, metadata={"example": "acme"})
    name = fields.String(required=True, metadata={"example": "Acme"})
    owner = fields.String(load_default=None, metadata={"description": "Username; by default the caller."})


class MemberSchema(Schema):
    """A member and the role."""

    username = fields.String(attribute="user.username", required=True)
    display_name = fields.String(attribute="user.display_name", required=True)
    kind = fields.String(
        attribute="user.kind", required=True, metadata={"description": "`person`, or `service` for a service account."}
    )
    role = fields.String(required=True)
    created_at = moment("created_at_ms")


class OrganizationRoleSchema(StrictSchema):
    """A role in an organization."""

    role = fields.String(required=True, validate=validate.OneOf(ORGANIZATION_ROLES))


class ProjectRoleSchema(StrictSchema):
    """A role in a project."""

    role = fields.String(required=True, validate=validate.OneOf(PROJECT_ROLES))


class ProjectSchema(Schema):
    """A project."""

    id = fields.String(attribute="public_id", required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    organization = fields.String(attribute="organization.slug", required=True)
    allow_local_deployments = fields.Boolean(required=True)
    storage_connection_id = fields.String(required=True, allow_none=True)
    mlflow_uri = fields.String(required=True, metadata={"description": "What MLFLOW_TRACKING_URI is to be set to."})
    role = fields.String(required=True)
    created_at = moment("created_at_ms")
    archived_at = moment("archived_at_ms", allow_none=True)


class NewProjectSchema(StrictSchema):
    """A wish for a project."""

    slug = fields.String(required=True, metadata={"example": "churn"})
    name = fields.String(required=True, metadata={"example": "Customer churn"})
    description = fields.String(load_default="")


class ProjectChangesSchema(StrictSchema):
    """What may be changed of a project."""

    name = fields.String()
    description = fields.String()
    archived = fields.Boolean()
    allow_local_deployments = fields.Boolean(metadata={"description": "For instance administrators."})
    storage_connection_id = fields.String(allow_none=True)


class ConnectionSchema(Schema):
    """A connection; its secrets are not here, only their names."""

    id = fields.String(attribute="public_id", required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    provider = fields.String(required=True)
    settings = fields.Dict(keys=fields.String(), required=True)
    has_secrets = fields.Boolean(required=True)
    subscriptions = fields.List(fields.String(), required=True)
    enabled = fields.Boolean(required=True)
    created_at = moment("created_at_ms")
    updated_at = moment("updated_at_ms")


class ConnectionTestSchema(StrictSchema):
    """A provider with settings to try."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS))
    provider = fields.String(required=True, metadata={"example": "webhook"})
    settings = fields.Dict(keys=fields.String(), load_default=dict)


class NewConnectionSchema(ConnectionTestSchema):
    """A wish for a connection."""

    name = fields.String(required=True, metadata={"example": "ml-alerts"})
    subscriptions = fields.List(
        fields.String(validate=validate.Length(1, 100)),
        load_default=None,
        validate=validate.Length(0, 50),
        metadata={"description": "Actions that a notifier is told of, such as `model_version.*`; by default all."},
    )


class ConnectionChangesSchema(StrictSchema):
    """What may be changed of a connection; a secret that is left out keeps its value."""

    settings = fields.Dict(keys=fields.String())
    subscriptions = fields.List(fields.String(validate=validate.Length(1, 100)), validate=validate.Length(0, 50))
    enabled = fields.Boolean()


class HealthSchema(Schema):
    """What a provider says of itself."""

    ok = fields.Boolean(required=True)
    message = fields.String(required=True)
