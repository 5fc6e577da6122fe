"""Runs models as supervised processes on the server's own host."""

from __future__ import annotations

from collections.abc import Callable

from modelyard import DeploymentTarget, hookimpl
from modelyard.plugins.local_process.target import LocalProcess


@hookimpl
def register_deployment_targets(register: Callable[[type[DeploymentTarget]], None]) -> None:
    """Offer the target `local_process`."""
    register(LocalProcess)
