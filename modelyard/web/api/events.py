"""What happened in a project, and who was told."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields

from modelyard.core.notifications.models import Delivery, Event
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.events import DeliverySchema, EventSchema

EVENTS = Listing(
    Event.id,
    descending=True,
    sort={"occurred_at": Event.id},
    search=(Event.object_name, Event.actor_name),
    filters={
        "action": (Event.action, fields.String()),
        "actor": (Event.actor_name, fields.String()),
        "object_kind": (Event.object_kind, fields.String()),
        "object_id": (Event.object_id, fields.String()),
    },
)
DELIVERIES = Listing(
    Delivery.id,
    descending=True,
    sort={"created_at": Delivery.id},
    search=(Event.action,),
    filters={"state": (Delivery.state, fields.String()), "action": (Event.action, fields.String())},
)
URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>"
blueprint = Blueprint("events", __name__, url_prefix=URL_PREFIX, description="What happened, and who was told")


def show_event(row: Event) -> dict[str, Any]:
    """Nest actor and object."""
    columns = ("action", "before", "after", "request_id", "occurred_at_ms")
    return {
        "id": row.public_id,
        "actor": {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
        "object": {"kind": row.object_kind, "id": row.object_id, "name": row.object_name},
        **{key: getattr(row, key) for key in columns},
    }


def show_delivery(row: Delivery) -> dict[str, Any]:
    """Name the subscriber and the event."""
    columns = ("state", "attempts", "last_error", "created_at_ms", "delivered_at_ms")
    return {
        "id": row.public_id,
        "event_id": row.event.public_id,
        "action": row.event.action,
        "subscriber": row.connection.name if row.connection is not None else row.plugin,
        **{key: getattr(row, key) for key in columns},
    }


@blueprint.route("/events")
class EventsView(MethodView):
    """A project's events."""

    @blueprint.arguments(EVENTS.arguments, location="query")
    @blueprint.response(200, page_schema(EventSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List the events, newest first."""
        found = services().notifications.events(actor(), open_project(organization, project))
        return page_of(found, arguments, EVENTS, show=show_event)


@blueprint.route("/deliveries")
class DeliveriesView(MethodView):
    """A project's deliveries."""

    @blueprint.arguments(DELIVERIES.arguments, location="query")
    @blueprint.response(200, page_schema(DeliverySchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List the deliveries, newest first."""
        found = services().notifications.deliveries(actor(), open_project(organization, project))
        return page_of(found, arguments, DELIVERIES, show=show_delivery)
