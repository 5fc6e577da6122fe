"""The job that keeps a deployment as it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.deployments.service import RECONCILE
from modelyard.core.jobs import Again, Handlers, Lease


@Handlers.register(RECONCILE)
def reconcile(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> Again | None:
    """Move one deployment a step towards its wish, and come again while there is something to watch.

    However often its workers are killed, the job is never given up: nobody else would look after the deployment.
    """
    lease.confirm(attempts=0)
    again: Again | None = services.reconciler.step(lease, arguments["deployment"])
    return again
