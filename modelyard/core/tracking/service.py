"""What the services of tracking share: who may, which tracker, and the event in the same transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from modelyard.core.db import atomic, database
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Tracker
from modelyard.core.projects.access import authorize
from modelyard.core.projects.models import Project

TRANSACTIONAL = "transactional"


class TrackingService:
    """`trackers` gives the tracker of a project."""

    def __init__(self, events: Events, trackers: Callable[[Project], Tracker]) -> None:
        self._events = events
        self._trackers = trackers

    def _reading(self, actor: Actor, project: Project) -> Tracker:
        authorize(actor, project, "run.read")
        return self._trackers(project)

    def _writing(self, actor: Actor, project: Project) -> Tracker:
        authorize(actor, project, "run.write")
        return self._trackers(project)

    @contextmanager
    def _changing(self, actor: Actor, project: Project) -> Iterator[Tracker]:
        """Give the tracker for a change that writes an event.

        A tracker of our own database changes things in the transaction of the event; an outside one is called without
        any transaction, and the event is written after it.
        """
        tracker = self._writing(actor, project)
        if TRANSACTIONAL in tracker.capabilities:
            with atomic():
                yield tracker
        else:
            yield tracker

    def _record(
        self,
        action: str,
        *,
        actor: Actor,
        project: Project,
        object_id: str,
        object_name: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        details: dict[str, Any] = {
            "actor": actor,
            "project": project,
            "object_id": object_id,
            "object_name": object_name[:512],
            "before": before,
            "after": after,
        }
        if database.transaction_depth():
            self._events.record(action, **details)
        else:
            with atomic():
                self._events.record(action, **details)
