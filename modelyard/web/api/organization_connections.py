"""Connections of an organization, which all its projects can use."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.projects.access import OFFICERS, find_organization, office_in
from modelyard.core.projects.models import Connection, Organization
from modelyard.web.api.connections import LISTING, ask
from modelyard.web.api.connections import show as show_connection
from modelyard.web.context import actor, services
from modelyard.web.pagination import page_of, page_schema
from modelyard.web.schemas.projects import (
    ConnectionChangesSchema,
    ConnectionSchema,
    ConnectionTestSchema,
    HealthSchema,
    NewConnectionSchema,
    SettingsTestSchema,
)

URL_PREFIX = "/api/v1/organizations/<organization>/connections"
blueprint = Blueprint("organization_connections", __name__, url_prefix=URL_PREFIX, description="Shared connections")


def open_organization(slug: str) -> Organization:
    """Return the organization for the actor; a stranger gets `NotFound`."""
    return find_organization(actor(), slug)[0]


def show(row: Connection) -> dict[str, Any]:
    """Show a connection; its settings are for the organization's admins."""
    return show_connection(row, with_settings=office_in(actor(), row.organization_id) in OFFICERS)


@blueprint.route("")
class OrganizationConnectionsView(MethodView):
    """An organization's connections."""

    @blueprint.arguments(LISTING.arguments, location="query")
    @blueprint.response(200, page_schema(ConnectionSchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List the organization's connections."""
        return page_of(
            services().connections.list(actor(), open_organization(organization)), arguments, LISTING, show=show
        )

    @blueprint.arguments(NewConnectionSchema)
    @blueprint.response(201, ConnectionSchema)
    def post(self, wish: dict[str, Any], organization: str) -> dict[str, Any]:
        """Make a connection for all projects of the organization (organization admins)."""
        return show(services().connections.create(actor(), open_organization(organization), **wish))


@blueprint.route("/test")
class OrganizationConnectionTestView(MethodView):
    """Settings that are not saved yet."""

    @blueprint.arguments(ConnectionTestSchema)
    @blueprint.response(200, HealthSchema)
    def post(self, wish: dict[str, Any], organization: str) -> Any:
        """Ask a provider with these settings for its health; nothing is saved."""
        return services().connections.test(actor(), open_organization(organization), **wish)


@blueprint.route("/<connection_id>")
class OrganizationConnectionView(MethodView):
    """One connection of an organization."""

    @blueprint.response(200, ConnectionSchema)
    def get(self, organization: str, connection_id: str) -> dict[str, Any]:
        """Show a connection without its secrets."""
        return show(services().connections.get(actor(), open_organization(organization), connection_id))

    @blueprint.arguments(ConnectionChangesSchema)
    @blueprint.response(200, ConnectionSchema)
    def patch(self, changes: dict[str, Any], organization: str, connection_id: str) -> dict[str, Any]:
        """Change a connection, for all projects that use it."""
        return show(services().connections.edit(actor(), open_organization(organization), connection_id, changes))

    @blueprint.response(204)
    def delete(self, organization: str, connection_id: str) -> None:
        """Remove a connection that nothing uses."""
        services().connections.delete(actor(), open_organization(organization), connection_id)


@blueprint.route("/<connection_id>/health")
class OrganizationConnectionHealthView(MethodView):
    """The health of an organization's connection, asked now."""

    @blueprint.response(200, ConnectionSchema)
    def get(self, organization: str, connection_id: str) -> dict[str, Any]:
        """Ask a saved connection for its health, and return it with what it said, which is kept."""
        return show(services().connections.health(actor(), open_organization(organization), connection_id))


@blueprint.route("/<connection_id>/test")
class SavedOrganizationConnectionTestView(MethodView):
    """A saved connection, tried."""

    @blueprint.arguments(SettingsTestSchema, required=False)
    @blueprint.response(200, HealthSchema)
    def post(self, wish: dict[str, Any], organization: str, connection_id: str) -> Any:
        """Ask a saved connection for its health, or for that with other settings, which are not saved."""
        return ask(open_organization(organization), connection_id, **wish)
