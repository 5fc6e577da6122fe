"""Plugins and what they bring."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.errors import NotFound, PluginNotFound
from modelyard.core.identity.policy import require_scope, require_sign_in
from modelyard.core.plugin_manager import PluginStatus, ProviderEntry
from modelyard.web.context import actor, services
from modelyard.web.schemas.plugins import PluginSchema, PluginsSchema, ProvidersSchema

blueprint = Blueprint("plugins", __name__, url_prefix="/api/v1", description="What is installed")


def show_provider(entry: ProviderEntry) -> dict[str, Any]:
    """Describe a provider."""
    shown = {"kind": entry.kind, "name": entry.name, "title": entry.title}
    return {**shown, "capabilities": sorted(entry.capabilities)}


def show(status: PluginStatus) -> dict[str, Any]:
    """Describe a plugin."""
    columns = ("name", "distribution", "version", "state", "error", "hint", "moments")
    return {"providers": map(show_provider, status.providers), **{key: getattr(status, key) for key in columns}}


def _require_reader() -> None:
    require_sign_in(actor())
    require_scope(actor(), "read", "plugin.read")


@blueprint.route("/plugins")
class PluginsView(MethodView):
    """All plugins."""

    @blueprint.response(200, PluginsSchema)
    def get(self) -> dict[str, Any]:
        """List every installed plugin, loaded or not, and why."""
        _require_reader()
        return {"items": [show(status) for status in services().plugins.plugins()]}


@blueprint.route("/plugins/<plugin>")
class PluginView(MethodView):
    """One plugin."""

    @blueprint.response(200, PluginSchema)
    def get(self, plugin: str) -> dict[str, Any]:
        """Show a plugin."""
        _require_reader()
        try:
            return show(services().plugins.plugin(plugin))
        except PluginNotFound as missing:
            raise NotFound(missing.message, hint=missing.hint) from None


@blueprint.route("/providers")
class ProvidersView(MethodView):
    """All providers."""

    @blueprint.response(200, ProvidersSchema)
    def get(self) -> dict[str, Any]:
        """List every provider with the JSON Schema of its settings."""
        _require_reader()
        entries = services().plugins.providers()
        described = [
            {**show_provider(entry), "plugin": entry.plugin, "settings_schema": entry.json_schema} for entry in entries
        ]
        return {"items": described}
