"""The jobs that count the bytes of artifacts anew: of one project after a deletion, and of all every day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.artifacts.usage import RECOUNT, enqueue_recounts
from modelyard.core.jobs import Again, Handlers, Lease, enqueue

RECOUNT_ALL = "artifacts.recount_all"
EVERY_SECONDS = 24 * 3600


def begin() -> None:
    """Make sure that the daily job is there; one that is keeps its time, however often workers start."""
    enqueue(RECOUNT_ALL, {}, dedupe_key=RECOUNT_ALL, after_seconds=EVERY_SECONDS)


@Handlers.register(RECOUNT_ALL)
def recount_all(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again:
    """Make a job for each project, and come again. It is never given up."""
    lease.confirm(attempts=0)
    enqueue_recounts()
    return Again(EVERY_SECONDS)


@Handlers.register(RECOUNT)
def recount(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again | None:
    """Count one project. A job that is given up is made anew the next day."""
    again: Again | None = services.artifacts.recount(lease, arguments["id"])
    return again
