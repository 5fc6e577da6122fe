"""Shapes of organizations, projects, members and connections."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.core.identity.policy import ORGANIZATION_ROLES, PROJECT_ROLES
from modelyard.core.projects.connections import KINDS
from modelyard.core.projects.members import KEPT_ROLES
from modelyard.core.projects.projects import LARGEST_QUOTA
from modelyard.web.schemas.base import StrictSchema, moment

DELETED_INSTEAD = "Those that were deleted and can be restored, in place of the others."
FORMER = "A slug that it had before leads to it, too, until another one takes that."


class OrganizationSchema(Schema):
    """An organization and the caller's role in it."""

    id = fields.String(required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)
    role = fields.String(required=True, allow_none=True)
    member_count = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Only in the list of all organizations."}
    )
    created_at = moment("created_at_ms")
    deleted_at = moment("deleted_at_ms", allow_none=True)
    purge_at = moment("purge_at_ms", allow_none=True)


class ConfirmationArguments(Schema):
    """The proof that a deletion is meant."""

    confirm = fields.String(load_default=None, metadata={"description": "The slug of what is to be deleted."})


class RestoreSchema(StrictSchema):
    """How something deleted comes back."""

    slug = fields.String(
        load_default=None, allow_none=True, metadata={"description": "Another slug, where its own was taken meanwhile."}
    )


class OrganizationChangesSchema(StrictSchema):
    """What may be changed of an organization."""

    slug = fields.String(metadata={"description": FORMER})
    name = fields.String()


class TransferSchema(StrictSchema):
    """To whom an organization is handed over."""

    username = fields.String(required=True, metadata={"description": "A member; the owner from now on."})
    keep_role = fields.String(
        load_default="admin",
        allow_none=True,
        validate=validate.OneOf([*KEPT_ROLES, None]),
        metadata={"description": "The caller's role from now on; null to leave."},
    )


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


class QuotasSchema(Schema):
    """How much a project may have; null is no limit."""

    max_runs = fields.Integer(required=True, allow_none=True)
    max_deployments = fields.Integer(required=True, allow_none=True)
    max_artifact_bytes = fields.Integer(required=True, allow_none=True)


class QuotaChangesSchema(StrictSchema):
    """Quotas to change; those that are left out stay."""

    max_runs = fields.Integer(strict=True, allow_none=True, validate=validate.Range(0, LARGEST_QUOTA))
    max_deployments = fields.Integer(strict=True, allow_none=True, validate=validate.Range(0, LARGEST_QUOTA))
    max_artifact_bytes = fields.Integer(strict=True, allow_none=True, validate=validate.Range(0, LARGEST_QUOTA))


class UsageSchema(Schema):
    """How much a project has, beside what it may have."""

    runs = fields.Integer(required=True, metadata={"description": "With the deleted ones, which can be restored."})
    deployments = fields.Integer(required=True)
    artifact_bytes = fields.Integer(
        required=True, metadata={"description": "As counted by uploads; after a deletion the worker counts anew."}
    )
    quotas = fields.Nested(QuotasSchema, required=True)


class ProjectSchema(Schema):
    """A project."""

    id = fields.String(attribute="public_id", required=True)
    slug = fields.String(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    organization = fields.String(attribute="organization.slug", required=True)
    allow_local_deployments = fields.Boolean(required=True)
    storage_connection_id = fields.String(required=True, allow_none=True)
    tracker_connection_id = fields.String(required=True, allow_none=True)
    mlflow_uri = fields.String(required=True, metadata={"description": "What MLFLOW_TRACKING_URI is to be set to."})
    quotas = fields.Nested(QuotasSchema, required=True)
    role = fields.String(required=True)
    created_at = moment("created_at_ms")
    archived_at = moment("archived_at_ms", allow_none=True)
    deleted_at = moment("deleted_at_ms", allow_none=True)
    purge_at = moment("purge_at_ms", allow_none=True)


class NewTrackerSchema(StrictSchema):
    """What a project is to track with, in place of the server's own tracker."""

    provider = fields.String(required=True, metadata={"example": "mlflow"})
    settings = fields.Dict(keys=fields.String(), load_default=dict)


class NewProjectSchema(StrictSchema):
    """A wish for a project."""

    slug = fields.String(required=True, metadata={"example": "churn"})
    name = fields.String(required=True, metadata={"example": "Customer churn"})
    description = fields.String(load_default="")
    tracker = fields.Nested(
        NewTrackerSchema, metadata={"description": "Becomes the connection `tracker`, which the project tracks with."}
    )


class ProjectChangesSchema(StrictSchema):
    """What may be changed of a project."""

    slug = fields.String(metadata={"description": FORMER})
    name = fields.String()
    description = fields.String()
    archived = fields.Boolean()
    allow_local_deployments = fields.Boolean(metadata={"description": "For instance administrators."})
    quotas = fields.Nested(QuotaChangesSchema, metadata={"description": "For instance administrators."})
    storage_connection_id = fields.String(allow_none=True)
    tracker_connection_id = fields.String(allow_none=True)
    confirm = fields.String(
        metadata={"description": "The project's slug, where another tracker leaves runs behind that stay there unseen."}
    )


class LastHealthSchema(Schema):
    """What a connection last said of itself."""

    ok = fields.Boolean(attribute="health_ok", required=True)
    message = fields.String(attribute="health_message", required=True)
    checked_at = moment("health_checked_at_ms")


class ConnectionSchema(Schema):
    """A connection; its secrets are not here, only their names."""

    id = fields.String(attribute="public_id", required=True)
    name = fields.String(required=True)
    kind = fields.String(required=True)
    provider = fields.String(required=True)
    settings = fields.Dict(keys=fields.String(), required=True)
    has_secrets = fields.Boolean(required=True)
    secrets = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The names of the secrets that are set, for the admins of its place."},
    )
    subscriptions = fields.List(fields.String(), required=True)
    enabled = fields.Boolean(required=True)
    scope = fields.String(
        required=True, metadata={"description": "`project`, or `organization`: it serves all its projects."}
    )
    managed_by = fields.String(
        required=True, metadata={"description": "`api`, or `settings`: it is changed in the server's settings file."}
    )
    health = fields.Nested(
        LastHealthSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null where it was not asked since it was set as it is."},
    )
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
    """What may be changed of a connection.

    A secret that is left out keeps its value, unless a setting changes that may decide where it is sent.
    """

    settings = fields.Dict(keys=fields.String())
    subscriptions = fields.List(fields.String(validate=validate.Length(1, 100)), validate=validate.Length(0, 50))
    enabled = fields.Boolean()


class SettingsTestSchema(StrictSchema):
    """Settings to try in place of a connection's own; a secret that is left out is the stored one, as in an edit."""

    settings = fields.Dict(keys=fields.String())


class HealthSchema(Schema):
    """What a provider says of itself."""

    ok = fields.Boolean(required=True)
    message = fields.String(required=True)
