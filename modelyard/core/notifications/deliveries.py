"""The log of deliveries: who was told of what, how each attempt went, and telling again."""

from __future__ import annotations

from typing import Any

from peewee import JOIN

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import Conflict, InvalidTransition, NotFound
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.jobs import OPEN_STATES, Bell
from modelyard.core.notifications.models import Delivery, Event
from modelyard.core.projects.access import authorize, find_organization
from modelyard.core.projects.models import Connection, Project


class DeliveryService:
    """Deliveries of a project, and of an organization with all its projects."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def of_project(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's deliveries with their events and connections."""
        authorize(actor, project, "event.read")
        return _deliveries().where(Event.project == project)

    def of_organization(self, actor: Actor, organization: str) -> Any:
        """Return the same of an organization and all its projects, for its admins."""
        found, _ = find_organization(actor, organization, "organization.events")
        return _deliveries().where(Event.organization == found)

    def get(self, actor: Actor, project: Project, delivery_id: str) -> Delivery:
        """Return one of the project's deliveries; `NotFound` for any other."""
        return _one(self.of_project(actor, project), delivery_id)

    def get_of_organization(self, actor: Actor, organization: str, delivery_id: str) -> Delivery:
        """Return one of the organization's deliveries; `NotFound` for any other."""
        return _one(self.of_organization(actor, organization), delivery_id)

    def redeliver(self, actor: Actor, project: Project, delivery_id: str) -> Delivery:
        """Tell the subscriber again, from the first attempt on.

        `InvalidTransition` while it is still being told, `Conflict` where there is nobody to be told any more.
        """
        authorize(actor, project, "delivery.redeliver")
        return self._redeliver(actor, self.get(actor, project, delivery_id))

    def redeliver_of_organization(self, actor: Actor, organization: str, delivery_id: str) -> Delivery:
        """Do as `redeliver` does for any delivery of the organization."""
        find_organization(actor, organization, "organization.redeliver")
        return self._redeliver(actor, self.get_of_organization(actor, organization, delivery_id))

    def _redeliver(self, actor: Actor, delivery: Delivery) -> Delivery:
        _require_subscriber(delivery)
        with atomic():
            closed = (Delivery.id == delivery.id) & Delivery.state.not_in(OPEN_STATES)
            queued = Delivery.update(state="queued", run_after_ms=now_ms(), attempts=0, delivered_at_ms=None)
            if not queued.where(closed).execute():
                raise InvalidTransition(
                    f"The delivery {delivery.public_id!r} is still {delivery.state}.", hint="Wait for its end."
                )
            event = delivery.event
            self._events.record(
                "delivery.redelivered",
                actor=actor,
                object_id=delivery.public_id,
                object_name=delivery.subscriber,
                project=event.project,
                organization=event.organization,
                before={"state": delivery.state},
                after={"state": "queued", "event": event.action},
            )
            Bell.ring()
        return _one(_deliveries(), delivery.public_id)


def _deliveries() -> Any:
    return (
        Delivery.select(Delivery, Event, Connection)
        .join(Event)
        .switch(Delivery)
        .join(Connection, JOIN.LEFT_OUTER)
        .order_by(Delivery.id.desc())
    )


def _one(deliveries: Any, delivery_id: str) -> Delivery:
    found: Delivery | None = deliveries.where(Delivery.public_id == delivery_id).first()
    if found is None:
        raise NotFound(f"There is no delivery {delivery_id!r} here.")
    return found


def _require_subscriber(delivery: Delivery) -> None:
    if delivery.plugin is not None:
        return
    if delivery.connection is None:
        raise Conflict(f"The connection {delivery.subscriber!r} was deleted.", hint="Make a new one.")
    if not delivery.connection.enabled:
        raise Conflict(f"The connection {delivery.subscriber!r} is disabled.", hint="Enable it first.")
