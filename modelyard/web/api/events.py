"""The audit log of a project, of an organization and of the instance, as pages and as a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields as fields_of
from typing import Any

from flask import Response
from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import Schema

from modelyard.core.notifications.audit import EventFilter
from modelyard.core.notifications.models import Event
from modelyard.web import event_export
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.events import FORMATS, EventExportArguments, EventFilterArguments, EventSchema
from modelyard.web.streamed_file import streamed_file

OF_PROJECT = "/organizations/<organization>/projects/<project>/events"
OF_ORGANIZATION = "/organizations/<organization>/events"
OF_INSTANCE = "/events"
EVENTS = Listing(
    Event.id,
    descending=True,
    sort={"occurred_at": Event.id},
    search=(Event.object_name, Event.actor_name),
)
EventArguments: type[Schema] = type("EventArguments", (EVENTS.arguments, EventFilterArguments), {})
FILE = {"schema": {"type": "string", "format": "binary"}}
FILE_ANSWER = {"200": {"description": "OK", "content": dict.fromkeys(FORMATS.values(), FILE)}}
blueprint = Blueprint("events", __name__, url_prefix="/api/v1", description="Who did what, when and from where")


def show_event(row: Event, *, with_address: bool) -> dict[str, Any]:
    """Nest actor and object; addresses are for admins."""
    columns = ("action", "before", "after", "request_id", "occurred_at_ms")
    return {
        "id": row.public_id,
        "actor": {"kind": row.actor_kind, "id": row.actor_id, "name": row.actor_name},
        "object": {"kind": row.object_kind, "id": row.object_id, "name": row.object_name},
        "organization": row.organization_slug or None,
        "project": row.project_slug or None,
        "address": row.address if with_address else None,
        **{key: getattr(row, key) for key in columns},
    }


def wanted(arguments: dict[str, Any]) -> EventFilter:
    """Return what the query asks for."""
    return EventFilter(**{field.name: arguments.get(field.name) for field in fields_of(EventFilter)})


def page(found: Any, arguments: dict[str, Any], *, with_address: bool = True) -> Any:
    """Answer a page of events."""
    return page_of(found, arguments, EVENTS, show=lambda row: show_event(row, with_address=with_address))


def export(found: Any, arguments: dict[str, Any], *, with_address: bool = True) -> Response:
    """Answer with all events of a query as a file, which is read as it is sent, without a database connection held."""
    batches = services().audit.batches(found)
    rows = (show_event(row, with_address=with_address) for batch in batches for row in batch)
    kind = arguments["format"]
    return streamed_file(_written(rows, kind), FORMATS[kind], "events", kind)


def _written(rows: Iterable[dict[str, Any]], kind: str) -> Iterator[bytes]:
    dump = EventSchema().dump
    lines = (event_export.as_csv if kind == "csv" else event_export.as_ndjson)(dump(row) for row in rows)
    return (line.encode() for line in lines)


@blueprint.route(OF_PROJECT)
class EventsView(MethodView):
    """A project's events."""

    @blueprint.arguments(EventArguments, location="query")
    @blueprint.response(200, page_schema(EventSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List what happened in a project, newest first."""
        here = open_project(organization, project)
        found = services().audit.of_project(actor(), here, wanted(arguments))
        return page(found, arguments, with_address=services().audit.shows_addresses(actor(), here))


@blueprint.route(f"{OF_PROJECT}/export")
class EventExportView(MethodView):
    """A project's events as a file."""

    @blueprint.arguments(EventExportArguments, location="query")
    @blueprint.doc(responses=FILE_ANSWER)
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Response:
        """Download what happened in a project, newest first, as a JSON object on each line or as CSV."""
        here = open_project(organization, project)
        found = services().audit.of_project(actor(), here, wanted(arguments))
        return export(found, arguments, with_address=services().audit.shows_addresses(actor(), here))


@blueprint.route(OF_ORGANIZATION)
class OrganizationEventsView(MethodView):
    """An organization's events."""

    @blueprint.arguments(EventArguments, location="query")
    @blueprint.response(200, page_schema(EventSchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List what happened in an organization and all its projects, newest first (its admins)."""
        return page(services().audit.of_organization(actor(), organization, wanted(arguments)), arguments)


@blueprint.route(f"{OF_ORGANIZATION}/export")
class OrganizationEventExportView(MethodView):
    """An organization's events as a file."""

    @blueprint.arguments(EventExportArguments, location="query")
    @blueprint.doc(responses=FILE_ANSWER)
    def get(self, arguments: dict[str, Any], organization: str) -> Response:
        """Download what happened in an organization and all its projects (its admins)."""
        return export(services().audit.of_organization(actor(), organization, wanted(arguments)), arguments)


@blueprint.route(OF_INSTANCE)
class InstanceEventsView(MethodView):
    """The server's own events."""

    @blueprint.arguments(EventArguments, location="query")
    @blueprint.response(200, page_schema(EventSchema))
    def get(self, arguments: dict[str, Any]) -> Any:
        """List what happened to users and organizations, newest first (instance administrators)."""
        return page(services().audit.of_instance(actor(), wanted(arguments)), arguments)


@blueprint.route(f"{OF_INSTANCE}/export")
class InstanceEventExportView(MethodView):
    """The server's own events as a file."""

    @blueprint.arguments(EventExportArguments, location="query")
    @blueprint.doc(responses=FILE_ANSWER)
    def get(self, arguments: dict[str, Any]) -> Response:
        """Download what happened to users and organizations (instance administrators)."""
        return export(services().audit.of_instance(actor(), wanted(arguments)), arguments)
