"""Connections: providers with settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.interfaces import Health
from modelyard.core.projects.access import OFFICERS, office_in, role_in
from modelyard.core.projects.connections import KINDS, Place
from modelyard.core.projects.models import Connection, Project
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.projects import (
    ConnectionChangesSchema,
    ConnectionSchema,
    ConnectionTestSchema,
    HealthSchema,
    NewConnectionSchema,
    SettingsTestSchema,
)

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/connections"
LISTING = Listing(
    Connection.name,
    sort={
        "name": Connection.name,
        "kind": Connection.kind,
        "provider": Connection.provider,
        "created_at": Connection.created_at_ms,
        "updated_at": Connection.updated_at_ms,
    },
    search=(Connection.name, Connection.provider),
    filters={
        "kind": (Connection.kind, fields.String(validate=validate.OneOf(KINDS))),
        "provider": (Connection.provider, fields.String()),
        "enabled": (Connection.enabled, fields.Boolean()),
    },
)
blueprint = Blueprint("connections", __name__, url_prefix=URL_PREFIX, description="Providers with settings")


def show(row: Connection, *, with_settings: bool) -> dict[str, Any]:
    """Say whether there are secrets, and leave them out; the other settings are for the admins of its place alone.

    An address may be as good as a secret: many receivers of webhooks know their senders by nothing else. What it said
    of its health may hold one, too.
    """
    columns = [
        "public_id",
        "name",
        "kind",
        "provider",
        "subscriptions",
        "enabled",
        "managed_by",
        "created_at_ms",
        "updated_at_ms",
    ]
    shown = {key: getattr(row, key) for key in columns}
    health = {key: getattr(row, key) for key in ("health_ok", "health_message", "health_checked_at_ms")}
    return {
        "has_secrets": row.encrypted_secrets is not None,
        "secrets": services().connections.secret_names(row) if with_settings else (),
        "settings": row.settings if with_settings else {},
        "scope": "organization" if row.project_id is None else "project",
        "health": None if row.health_ok is None else health if with_settings else {**health, "health_message": ""},
        **shown,
    }


def show_in(project: Project) -> Callable[[Connection], dict[str, Any]]:
    """Return what shows a connection in a project to the caller."""
    is_admin = role_in(actor(), project) == "admin"
    is_officer = office_in(actor(), project.organization_id) in OFFICERS
    return lambda row: show(row, with_settings=is_admin if row.project_id is not None else is_officer)


def ask(place: Place, connection_id: str, settings: dict[str, Any] | None = None) -> Health:
    """Ask a saved connection for its health; with `settings`, for what it would be."""
    if settings is None:
        return services().connections.test_saved(actor(), place, connection_id)
    return services().connections.test_changes(actor(), place, connection_id, settings)


@blueprint.route("")
class ConnectionsView(MethodView):
    """A project's connections."""

    @blueprint.arguments(LISTING.arguments, location="query")
    @blueprint.response(200, page_schema(ConnectionSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List the connections that the project can use: its own, and its organization's."""
        here = open_project(organization, project)
        found = services().connections.list(actor(), here)
        return page_of(found, arguments, LISTING, show=show_in(here))

    @blueprint.arguments(NewConnectionSchema)
    @blueprint.response(201, ConnectionSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Make a connection (project admins)."""
        here = open_project(organization, project)
        return show_in(here)(services().connections.create(actor(), here, **wish))


@blueprint.route("/test")
class ConnectionTestView(MethodView):
    """Settings that are not saved yet."""

    @blueprint.arguments(ConnectionTestSchema)
    @blueprint.response(200, HealthSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> Any:
        """Ask a provider with these settings for its health; nothing is saved."""
        return services().connections.test(actor(), open_project(organization, project), **wish)


@blueprint.route("/<connection_id>")
class ConnectionView(MethodView):
    """One connection."""

    @blueprint.response(200, ConnectionSchema)
    def get(self, organization: str, project: str, connection_id: str) -> dict[str, Any]:
        """Show a connection without its secrets."""
        here = open_project(organization, project)
        return show_in(here)(services().connections.get(actor(), here, connection_id))

    @blueprint.arguments(ConnectionChangesSchema)
    @blueprint.response(200, ConnectionSchema)
    def patch(self, changes: dict[str, Any], organization: str, project: str, connection_id: str) -> dict[str, Any]:
        """Change a connection."""
        here = open_project(organization, project)
        return show_in(here)(services().connections.edit(actor(), here, connection_id, changes))

    @blueprint.response(204)
    def delete(self, organization: str, project: str, connection_id: str) -> None:
        """Remove a connection that nothing uses."""
        services().connections.delete(actor(), open_project(organization, project), connection_id)


@blueprint.route("/<connection_id>/test")
class SavedConnectionTestView(MethodView):
    """A saved connection's health."""

    @blueprint.arguments(SettingsTestSchema, required=False)
    @blueprint.response(200, HealthSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str, connection_id: str) -> Any:
        """Ask a saved connection for its health, or for that with other settings, which are not saved."""
        return ask(open_project(organization, project), connection_id, **wish)


@blueprint.route("/<connection_id>/health")
class ConnectionHealthView(MethodView):
    """A saved connection's health, asked now."""

    @blueprint.response(200, ConnectionSchema)
    def get(self, organization: str, project: str, connection_id: str) -> dict[str, Any]:
        """Ask a saved connection for its health (editors), and return it with what it said, which is kept."""
        here = open_project(organization, project)
        return show_in(here)(services().connections.health(actor(), here, connection_id))
