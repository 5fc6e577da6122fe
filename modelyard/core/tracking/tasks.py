"""The jobs that remove for good what was deleted in tracking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.jobs import Again, Handlers, Lease, enqueue
from modelyard.core.tracking.retention import PURGE

FIND_DUE = "tracking.find_due_purges"
EVERY_SECONDS = 600


def begin() -> None:
    """Have what is due looked for from now on: one row, however many workers there are."""
    enqueue(FIND_DUE, {}, dedupe_key=FIND_DUE)


@Handlers.register(FIND_DUE)
def find_due(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again:
    """Make a job for each project that has anything to purge, and come again."""
    lease.confirm(attempts=0)
    services.tracking_retention.enqueue_due()
    return Again(EVERY_SECONDS)


@Handlers.register(PURGE)
def purge(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again | None:
    """Purge the next part of one project. A job that is given up is made anew when `find_due` comes again."""
    again: Again | None = services.tracking_retention.purge(lease, arguments["id"])
    return again
