"""Resource limits of a replica's process."""

from __future__ import annotations

import resource
from contextlib import suppress

OPEN_FILES = 4096


def limit_process(pid: int) -> None:
    """Forbid core dumps and bound the open files; silent where the host cannot."""
    if not hasattr(resource, "prlimit"):
        return
    with suppress(ProcessLookupError, PermissionError, ValueError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, files))
