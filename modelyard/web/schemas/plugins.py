"""Shapes of plugins and providers."""

from __future__ import annotations

from marshmallow import Schema, fields


class ProviderSchema(Schema):
    """Something that a plugin brings."""

    kind = fields.String(required=True)
    name = fields.String(required=True)
    title = fields.String(required=True)
    capabilities = fields.List(fields.String(), required=True)


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
