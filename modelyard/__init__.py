"""Modelyard: an MLOps platform around a small plugin core. This is the plugin author's door.

Everything here is loaded at first use, so that `modelyard.serving`, `modelyard.client` and `modelyard.cli` load nothing
that they do not need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.core.errors import (
        InvalidInput,
        ModelyardError,
        NotFound,
        PluginError,
        PluginRefused,
        PluginUnavailable,
    )
    from modelyard.core.events import EventRecord
    from modelyard.core.hookspecs import HOOK_API_VERSION, hookimpl
    from modelyard.core.interfaces import (
        DeploymentTarget,
        Health,
        Notification,
        Notifier,
        Provider,
        ReplicaSpec,
        ReplicaStatus,
        Storage,
        StoredFile,
        Tracker,
    )

__version__ = "0.1.0"

_HOMES = {
    "modelyard.core.errors": (
        "InvalidInput",
        "ModelyardError",
        "NotFound",
        "PluginError",
        "PluginRefused",
        "PluginUnavailable",
    ),
    "modelyard.core.events": ("EventRecord",),
    "modelyard.core.hookspecs": ("HOOK_API_VERSION", "hookimpl"),
    "modelyard.core.interfaces": (
        "DeploymentTarget",
        "Health",
        "Notification",
        "Notifier",
        "Provider",
        "ReplicaSpec",
        "ReplicaStatus",
        "Storage",
        "StoredFile",
        "Tracker",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "HOOK_API_VERSION",
    "DeploymentTarget",
    "EventRecord",
    "Health",
    "InvalidInput",
    "ModelyardError",
    "NotFound",
    "Notification",
    "Notifier",
    "PluginError",
    "PluginRefused",
    "PluginUnavailable",
    "Provider",
    "ReplicaSpec",
    "ReplicaStatus",
    "Storage",
    "StoredFile",
    "Tracker",
    "__version__",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'modelyard' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
