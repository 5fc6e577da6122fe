"""The job that tells of refused sign-ins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelyard.core.identity.refusals import TELL
from modelyard.core.jobs import Handlers, Lease


@Handlers.register(TELL)
def tell_refusals(services: Any, lease: Lease, arguments: Mapping[str, Any]) -> None:
    """Write the event of one account and address, with how many attempts there were since the last one."""
    services.sessions.refusals.tell_rest(lease, arguments)
