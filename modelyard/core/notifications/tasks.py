"""The job that lets go, every hour, of what was kept long enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from modelyard.core.jobs import Again, Handlers, Lease, enqueue

PRUNE = "retention.prune"
EVERY_SECONDS = 3600

log = structlog.get_logger(__name__)


def begin() -> None:
    """Make sure that the job is there; any number of workers may do so."""
    enqueue(PRUNE, {}, dedupe_key=PRUNE)


@Handlers.register(PRUNE)
def prune(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again:
    """Delete what is old. However often it fails or its workers are killed, it is never given up."""
    lease.confirm(attempts=0)
    deleted: dict[str, int] = services.retention.prune()
    if any(deleted.values()):
        log.info("old rows deleted", **deleted)
    return Again(EVERY_SECONDS)
