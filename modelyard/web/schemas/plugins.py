"""Shapes of plugins and providers."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.web.schemas.base import StrictSchema, moment


class ProviderSchema(Schema):
    """Something that a plugin brings."""

    kind = fields.String(required=True)
    name = fields.String(required=True)
    title = fields.String(required=True)
    capabilities = fields.List(fields.String(), required=True)


class HoldSchema(Schema):
    """Why a plugin is not called."""

    reason = fields.String(required=True)
    by = fields.String(required=True, metadata={"description": "Who blocked it, or `quarantine`."})
    since = moment("since_ms")
    until = moment("until_ms", allow_none=True)


class NewBlockSchema(StrictSchema):
    """Why a plugin is to be blocked."""

    reason = fields.String(
        required=True, validate=validate.Length(1, 500), metadata={"example": "It leaks memory since 2.1."}
    )
    force = fields.Boolean(
        load_default=False, metadata={"description": "Also where the settings select it for all projects."}
    )


class PluginSchema(Schema):
    """A plugin, loaded or not, and why."""

    name = fields.String(required=True)
    distribution = fields.String(required=True)
    version = fields.String(required=True)
    state = fields.String(required=True, metadata={"description": "loaded, failed or disabled."})
    error = fields.String(required=True, allow_none=True)
    hint = fields.String(required=True, allow_none=True)
    providers = fields.List(fields.Nested(ProviderSchema), required=True)
    moments = fields.List(fields.String(), required=True)
    hold = fields.Nested(
        HoldSchema, required=True, allow_none=True, metadata={"description": "Set while it is not called."}
    )


class CallCountSchema(Schema):
    """How often an operation ended so."""

    operation = fields.String(required=True)
    outcome = fields.String(required=True, metadata={"description": "`ok`, `answer`, or the code of the error."})
    count = fields.Integer(required=True)


class FailureSchema(Schema):
    """One failure."""

    at = moment("at_ms")
    operation = fields.String(required=True)
    connection = fields.String(required=True, allow_none=True)
    code = fields.String(required=True)
    error = fields.String(required=True)


class BreakerSchema(Schema):
    """A connection that is left alone because it failed several times in a row."""

    connection = fields.String(required=True, allow_none=True)
    state = fields.String(required=True, metadata={"description": "open or half_open."})
    opened_at = moment("opened_at_ms")
    trial_in_seconds = fields.Float(required=True)
    reason = fields.String(required=True)


class PluginDetailSchema(PluginSchema):
    """A plugin with what the server process that answers has seen of it.

    What was counted since that process began is for instance administrators: failures may tell of any tenant.
    """

    calls = fields.List(fields.Nested(CallCountSchema), required=True)
    last_failures = fields.List(fields.Nested(FailureSchema), required=True)
    breakers = fields.List(fields.Nested(BreakerSchema), required=True)
    lost_threads = fields.Integer(required=True)


class PluginsSchema(Schema):
    """All plugins."""

    items = fields.List(fields.Nested(PluginSchema), required=True)


class DescribedProviderSchema(ProviderSchema):
    """A provider with the JSON Schema of its settings."""

    plugin = fields.String(required=True)
    settings_schema = fields.Dict(required=True)


class ProvidersSchema(Schema):
    """All providers."""

    items = fields.List(fields.Nested(DescribedProviderSchema), required=True)
