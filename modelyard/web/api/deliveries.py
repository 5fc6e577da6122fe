"""Who was told of what: deliveries of a project, and of an organization with all its projects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.notifications.models import Delivery, DeliveryAttempt, Event
from modelyard.core.projects.access import OFFICERS, office_in, role_in
from modelyard.core.projects.models import Connection, Project
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.events import DeliveryDetailSchema, DeliverySchema

OF_PROJECT = "/organizations/<organization>/projects/<project>/deliveries"
OF_ORGANIZATION = "/organizations/<organization>/deliveries"
HIDDEN = "Admins see what was said."
STATES = ("queued", "running", "done", "failed")
DELIVERIES = Listing(
    Delivery.id,
    descending=True,
    sort={"created_at": Delivery.id},
    search=(Event.action,),
    filters={
        "state": (Delivery.state, fields.String(validate=validate.OneOf(STATES))),
        "subscriber": (Delivery.subscriber, fields.String()),
        "action": (Event.action, fields.String()),
        "connection_id": (Connection.public_id, fields.String()),
        "event_id": (Event.public_id, fields.String()),
    },
)
blueprint = Blueprint("deliveries", __name__, url_prefix="/api/v1", description="Who was told of what")


def show(row: Delivery, *, with_errors: bool = True) -> dict[str, Any]:
    """Name the subscriber and the event; what a receiver said is for those alone who may see the connection's settings.

    It may hold what the receiver was told, or its address.
    """
    columns = ("subscriber", "state", "attempts", "created_at_ms", "delivered_at_ms")
    return {
        "id": row.public_id,
        "event_id": row.event.public_id,
        "action": row.event.action,
        "connection_id": row.connection.public_id if row.connection is not None else None,
        "last_error": row.last_error if with_errors else _hidden(row.last_error),
        "next_attempt_at_ms": row.run_after_ms if row.state == "queued" else None,
        **{key: getattr(row, key) for key in columns},
    }


def _hidden(error: str | None) -> str | None:
    return error and HIDDEN


def sees_errors(project: Project) -> Callable[[Delivery], bool]:
    """Return what says whether the caller may see what was said to a delivery in a project."""
    is_admin = role_in(actor(), project) == "admin"
    is_officer = office_in(actor(), project.organization_id) in OFFICERS
    return lambda row: is_officer if row.connection is not None and row.connection.project_id is None else is_admin


def show_whole(row: Delivery, *, with_errors: bool = True) -> dict[str, Any]:
    """Add the attempts."""
    log = [
        {
            "started_at_ms": attempt.started_at_ms,
            "duration_seconds": attempt.duration_ms / 1000,
            "outcome": attempt.outcome,
            "error": attempt.error if with_errors else _hidden(attempt.error),
        }
        for attempt in DeliveryAttempt.of(row)
    ]
    return {**show(row, with_errors=with_errors), "log": log}


def show_here(row: Delivery, project: Project) -> dict[str, Any]:
    """Show a delivery of a project with as much as the caller may see."""
    return show_whole(row, with_errors=sees_errors(project)(row))


@blueprint.route(OF_PROJECT)
class DeliveriesView(MethodView):
    """A project's deliveries."""

    @blueprint.arguments(DELIVERIES.arguments, location="query")
    @blueprint.response(200, page_schema(DeliverySchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List the deliveries, newest first."""
        here = open_project(organization, project)
        sees = sees_errors(here)
        found = services().deliveries.of_project(actor(), here)
        return page_of(found, arguments, DELIVERIES, show=lambda row: show(row, with_errors=sees(row)))


@blueprint.route(f"{OF_PROJECT}/<delivery_id>")
class DeliveryView(MethodView):
    """One delivery."""

    @blueprint.response(200, DeliveryDetailSchema)
    def get(self, organization: str, project: str, delivery_id: str) -> dict[str, Any]:
        """Show a delivery with its attempts."""
        here = open_project(organization, project)
        return show_here(services().deliveries.get(actor(), here, delivery_id), here)


@blueprint.route(f"{OF_PROJECT}/<delivery_id>/redeliver")
class RedeliveryView(MethodView):
    """Telling again."""

    @blueprint.response(202, DeliveryDetailSchema)
    def post(self, organization: str, project: str, delivery_id: str) -> dict[str, Any]:
        """Tell the subscriber again (editors)."""
        here = open_project(organization, project)
        return show_here(services().deliveries.redeliver(actor(), here, delivery_id), here)


@blueprint.route(OF_ORGANIZATION)
class OrganizationDeliveriesView(MethodView):
    """An organization's deliveries."""

    @blueprint.arguments(DELIVERIES.arguments, location="query")
    @blueprint.response(200, page_schema(DeliverySchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List the deliveries of an organization and all its projects, newest first (its admins)."""
        return page_of(services().deliveries.of_organization(actor(), organization), arguments, DELIVERIES, show=show)


@blueprint.route(f"{OF_ORGANIZATION}/<delivery_id>")
class OrganizationDeliveryView(MethodView):
    """One delivery of an organization."""

    @blueprint.response(200, DeliveryDetailSchema)
    def get(self, organization: str, delivery_id: str) -> dict[str, Any]:
        """Show a delivery with its attempts (the organization's admins)."""
        return show_whole(services().deliveries.get_of_organization(actor(), organization, delivery_id))


@blueprint.route(f"{OF_ORGANIZATION}/<delivery_id>/redeliver")
class OrganizationRedeliveryView(MethodView):
    """Telling again, for all of an organization."""

    @blueprint.response(202, DeliveryDetailSchema)
    def post(self, organization: str, delivery_id: str) -> dict[str, Any]:
        """Tell the subscriber again (the organization's admins)."""
        return show_whole(services().deliveries.redeliver_of_organization(actor(), organization, delivery_id))
