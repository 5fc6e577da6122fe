"""The jobs that take away for good what was deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.jobs import Again, Handlers, Lease, enqueue
from modelyard.core.projects.purge import PURGE_ORGANIZATION, PURGE_PROJECT

FIND_DUE = "tenants.find_due_purges"
EVERY_SECONDS = 600


def begin() -> None:
    """Have what is due looked for from now on: one row, however many workers there are."""
    enqueue(FIND_DUE, {}, dedupe_key=FIND_DUE)


@Handlers.register(FIND_DUE)
def find_due(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again:
    """Make the jobs of all whose retention is over, and come again."""
    lease.confirm(attempts=0)
    services.purger.enqueue_due()
    return Again(EVERY_SECONDS)


@Handlers.register(PURGE_PROJECT)
def purge_project(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again | None:
    """Purge one project. A job that is given up is made anew when `find_due` comes again."""
    again: Again | None = services.purger.purge_project(lease, arguments["id"])
    return again


@Handlers.register(PURGE_ORGANIZATION)
def purge_organization(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again | None:
    """Purge one organization, after its projects."""
    again: Again | None = services.purger.purge_organization(lease, arguments["id"])
    return again
