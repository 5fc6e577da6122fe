"""Plugins and what they bring."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.identity.policy import require_scope, require_sign_in
from modelyard.core.plugin_manager import PluginStatus, ProviderEntry
from modelyard.web.context import actor, services
from modelyard.web.schemas.plugins import (
    NewBlockSchema,
    PluginDetailSchema,
    PluginSchema,
    PluginsSchema,
    ProvidersSchema,
)

blueprint = Blueprint("plugins", __name__, url_prefix="/api/v1", description="What is installed")


def show_provider(entry: ProviderEntry) -> dict[str, Any]:
    """Describe a provider."""
    shown = {"kind": entry.kind, "name": entry.name, "title": entry.title}
    return {**shown, "capabilities": sorted(entry.capabilities)}


def show(status: PluginStatus) -> dict[str, Any]:
    """Describe a plugin."""
    columns = ("name", "distribution", "version", "state", "error", "hint", "moments")
    shown = {key: getattr(status, key) for key in columns}
    return {"providers": map(show_provider, status.providers), "hold": services().guard.holds.of(status.name), **shown}


def show_detail(status: PluginStatus) -> dict[str, Any]:
    """Describe a plugin with what this process counted of it; that part is for instance administrators alone."""
    guard, name = services().guard, status.name
    if not actor().is_instance_admin:
        return {**show(status), "calls": [], "last_failures": [], "breakers": [], "lost_threads": 0}
    counted = sorted((key, count) for key, count in guard.statistics().calls.items() if key[0] == name)
    calls = [{"operation": key[1], "outcome": key[2], "count": count} for key, count in counted]
    lost = sum(count for (plugin, _), count in guard.lost_threads().items() if plugin == name)
    breakers = [
        {"connection": connection, **{key: getattr(state, key) for key in state.__slots__}}
        for (_, connection), state in guard.breakers(name).items()
    ]
    last = guard.last_failures(name)
    return {**show(status), "calls": calls, "last_failures": last, "breakers": breakers, "lost_threads": lost}


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

    @blueprint.response(200, PluginDetailSchema)
    def get(self, plugin: str) -> dict[str, Any]:
        """Show a plugin; to instance administrators also what this server process counted of it."""
        _require_reader()
        return show_detail(services().plugins.plugin(plugin))


@blueprint.route("/plugins/<plugin>/block")
class PluginBlockView(MethodView):
    """A plugin that is not to be called."""

    @blueprint.arguments(NewBlockSchema)
    @blueprint.response(200, PluginSchema)
    def post(self, wish: dict[str, Any], plugin: str) -> dict[str, Any]:
        """Block a plugin in all processes (instance administrators); it stays loaded, and its moments wait."""
        services().plugin_blocks.block(actor(), plugin, **wish)
        return show(services().plugins.plugin(plugin))

    @blueprint.response(204)
    def delete(self, plugin: str) -> None:
        """Lift a block or end a quarantine."""
        services().plugin_blocks.unblock(actor(), plugin)


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
