"""Providers of connections as services use them: built once for each connection and process, as it is set now."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from modelyard.core import providers
from modelyard.core.interfaces import Tracker
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.projects.models import Connection, Project
from modelyard.core.secret_box import SecretBox


class ConnectedProviders:
    """Builds providers, of connections and of the settings' defaults, and keeps them."""

    def __init__(
        self,
        *,
        plugins: PluginManager,
        guard: Guard,
        secrets: SecretBox,
        data_directory: Path,
        default_storage: str,
        default_tracker: str,
    ) -> None:
        self._plugins = plugins
        self._guard = guard
        self._secrets = secrets
        self._data_directory = data_directory
        self._default_storage = default_storage
        self._default_tracker = default_tracker
        self._bound: dict[tuple[int, int], Any] = {}
        self._defaults: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def storage_of(self, project: Project) -> providers.BoundStorage:
        """Return the storage of the project's own."""
        if project.storage_connection is not None:
            bound: providers.BoundStorage = self.bound(project.storage_connection)
            return bound
        return self.default_storage()

    def artifacts_of(self, project: Project) -> providers.BoundStorage:
        """Return the storage that the project's artifacts are in: its tracker's, where that keeps them itself."""
        if project.tracker_connection is None:
            return self.storage_of(project)
        tracker: providers.BoundTracker = self.bound(project.tracker_connection)
        return tracker.artifacts or self.storage_of(project)

    def default_storage(self) -> providers.BoundStorage:
        """Return the storage of projects that have none of their own."""
        settings = {"root": str(self._data_directory / "artifacts")} if self._default_storage == "local_files" else {}
        default: providers.BoundStorage = self._default("storage", self._default_storage, settings)
        return default

    def tracker_of(self, project: Project) -> Tracker:
        """Return the tracker that keeps the project's experiments and runs."""
        connection = project.tracker_connection
        bound: providers.BoundTracker = (
            self.bound(connection) if connection else self._default("tracker", self._default_tracker, {})
        )
        if not bound.is_direct:
            return cast("Tracker", bound)
        self._guard.require_callable(bound.entry.plugin, "track")
        return bound.provider

    def target(self, project: Project, name: str) -> providers.BoundTarget:
        """Return a deployment target by the name of a connection, else of a provider without settings.

        The project's own connection comes before one of its organization.
        """
        named = (Connection.name == name) & (Connection.kind == "deployment_target")
        connection = Connection.select().where(Connection.visible_in(project), named).first()
        bound: providers.BoundTarget = (
            self.bound(connection) if connection else self._default("deployment_target", name, {})
        )
        return bound

    def bound(self, connection: Connection) -> Any:
        """Return the provider of a connection as it is set now, built at first use."""
        key = (connection.id, connection.updated_at_ms)
        found = self._bound.get(key)
        if found is not None:
            return found
        secret = self._secrets.open(connection.encrypted_secrets)
        made = self._bind(
            connection.kind, connection.provider, connection.settings, secret, connection_id=connection.public_id
        )
        with self._lock:
            for stale in [old for old in self._bound if old[0] == connection.id and old != key]:
                del self._bound[stale]
            return self._bound.setdefault(key, made)

    def _default(self, kind: str, name: str, settings: Mapping[str, Any]) -> Any:
        if (kind, name) not in self._defaults:
            made = self._bind(kind, name, settings, {}, connection_id=f"{kind}:{name}")
            with self._lock:
                self._defaults.setdefault((kind, name), made)
        return self._defaults[kind, name]

    def _bind(
        self, kind: str, provider: str, settings: Mapping[str, Any], secret: Mapping[str, Any], *, connection_id: str
    ) -> Any:
        entry = self._plugins.provider(kind, provider)
        return providers.bind(entry, settings, secret, self._guard, connection_id)
