"""The conformance kit: tests that every provider must pass, for plugin authors and for our own plugins.

Subclass the contract of your interface and give one fixture::

    from modelyard.core.testing import NotifierContract

    class TestPigeon(NotifierContract):
        @pytest.fixture
        def notifier(self, tmp_path):
            return PigeonNotifier({"loft": str(tmp_path / "loft")})

The classes are loaded at first use: pytest imports this package at every start, through the entry point of
`modelyard.core.testing.pytest_plugin`, in projects that have nothing to do with Modelyard, too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelyard.core.testing.deployment_target import DeploymentTargetContract
    from modelyard.core.testing.notifier import NotifierContract, NotifierOutageContract
    from modelyard.core.testing.provider import ProviderContract
    from modelyard.core.testing.storage import StorageContract, StorageOutageContract
    from modelyard.core.testing.tracker import TrackerContract
    from modelyard.core.testing.tracker_outage import TrackerOutageContract

_HOME_OF = {
    "DeploymentTargetContract": "deployment_target",
    "NotifierContract": "notifier",
    "NotifierOutageContract": "notifier",
    "ProviderContract": "provider",
    "StorageContract": "storage",
    "StorageOutageContract": "storage",
    "TrackerContract": "tracker",
    "TrackerOutageContract": "tracker_outage",
}

__all__ = [
    "DeploymentTargetContract",
    "NotifierContract",
    "NotifierOutageContract",
    "ProviderContract",
    "StorageContract",
    "StorageOutageContract",
    "TrackerContract",
    "TrackerOutageContract",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'modelyard.core.testing' has no attribute {name!r}")
    return getattr(import_module(f"modelyard.core.testing.{home}"), name)
