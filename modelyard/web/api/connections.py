"""Connections: providers with settings."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.projects.access import role_in
from modelyard.core.projects.connections import KINDS
from modelyard.core.projects.models import Connection, Project
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.projects import (
    ConnectionChangesSchema,
    ConnectionSchema,
    ConnectionTestSchema,
    HealthSchema,
    NewConnectionSchema,
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


def show(row: Connection, project: Project) -> dict[str, Any]:
    """Say whether there are secrets, and leave them out; the other settings are for the project's admins alone.

    An address may be as good as a secret: many receivers of webhooks know their senders by nothing else.
    """
    columns = [
        "public_id",
        "name",
        "kind",
        "provider",
        "subscriptions",
        "enabled",
        "created_at_ms",
        "updated_at_ms",
    ]
    settings = row.settings if role_in(actor(), project) == "admin" else {}
    shown = {key: getattr(row, key) for key in columns}
    return {"has_secrets": row.encrypted_secrets is not None, "settings": settings, **shown}


@blueprint.route("")
class ConnectionsView(MethodView):
    """A project's connections."""

    @blueprint.arguments(LISTING.arguments, location="query")
    @blueprint.response(200, page_schema(ConnectionSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List the project's connections."""
        here = open_project(organization, project)
        found = services().connections.list(actor(), here)
        return page_of(found, arguments, LISTING, show=lambda row: show(row, here))

    @blueprint.arguments(NewConnectionSchema)
    @blueprint.response(201, ConnectionSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Make a connection (project admins)."""
        here = open_project(organization, project)
        return show(services().connections.create(actor(), here, **wish), here)


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
        return show(services().connections.get(actor(), here, connection_id), here)

    @blueprint.arguments(ConnectionChangesSchema)
    @blueprint.response(200, ConnectionSchema)
    def patch(self, changes: dict[str, Any], organization: str, project: str, connection_id: str) -> dict[str, Any]:
        """Change a connection."""
        here = open_project(organization, project)
        return show(services().connections.edit(actor(), here, connection_id, changes), here)

    @blueprint.response(204)
    def delete(self, organization: str, project: str, connection_id: str) -> None:
        """Remove a connection that nothing uses."""
        services().connections.delete(actor(), open_project(organization, project), connection_id)


@blueprint.route("/<connection_id>/test")
class SavedConnectionTestView(MethodView):
    """A saved connection's health."""

    @blueprint.response(200, HealthSchema)
    def post(self, organization: str, project: str, connection_id: str) -> Any:
        """Ask a saved connection for its health."""
        return services().connections.test_saved(actor(), open_project(organization, project), connection_id)
