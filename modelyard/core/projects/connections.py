"""The verbs of connections: providers with settings, made, tested and used by a project."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peewee import IntegrityError

from modelyard.core import providers
from modelyard.core.db import atomic, now_ms
from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound, PluginNotFound
from modelyard.core.events import Events
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Health, Tracker
from modelyard.core.names import check_slug, check_text
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.projects.access import authorize
from modelyard.core.projects.models import Connection, Project
from modelyard.core.provider_settings import check_settings
from modelyard.core.secret_box import SecretBox

KINDS = ("storage", "tracker", "deployment_target", "notifier")
DEFAULT_SUBSCRIPTIONS = ["*"]
LONGEST_SUBSCRIPTION = 100
HOST_CAPABILITIES = frozenset({"server_files", "runs_on_server_host"})
"""What only instance administrators may connect: it reaches the files or processes of the server's own host."""


class ConnectionService:
    """Connections of projects, and the providers that are built from them, once for each connection and process."""

    def __init__(
        self,
        *,
        events: Events,
        plugins: PluginManager,
        guard: Guard,
        secrets: SecretBox,
        data_directory: Path,
        default_storage: str,
        default_tracker: str,
    ) -> None:
        self._events = events
        self._plugins = plugins
        self._guard = guard
        self._secrets = secrets
        self._data_directory = data_directory
        self._default_storage = default_storage
        self._default_tracker = default_tracker
        self._bound: dict[tuple[int, int], Any] = {}
        self._defaults: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    def list(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's connections by name."""
        authorize(actor, project, "connection.read")
        return Connection.select().where(Connection.project_id == project.id).order_by(Connection.name)

    def get(self, actor: Actor, project: Project, connection_id: str) -> Connection:
        """Return one of the project's connections; `NotFound` for any other."""
        authorize(actor, project, "connection.read")
        return self._get(project, connection_id)

    def create(
        self,
        actor: Actor,
        project: Project,
        *,
        name: str,
        kind: str,
        provider: str,
        settings: Mapping[str, Any],
        subscriptions: Sequence[str] | None = None,
    ) -> Connection:
        """Make a connection after the provider's schema has accepted its settings; nothing is called yet.

        `PermissionDenied` for a provider that reaches the server's own files or host, unless the actor is an instance
        administrator. A notifier without `subscriptions` is told of everything; with an empty list, of nothing.
        """
        authorize(actor, project, "connection.write")
        self._check_host(actor, kind, provider)
        check_slug(name, "name")
        told = list(DEFAULT_SUBSCRIPTIONS if subscriptions is None else _checked(subscriptions))
        plain, secret = self._check(kind, provider, settings)
        try:
            with atomic():
                connection = Connection.create(
                    organization=project.organization_id,
                    project_id=project.id,
                    name=name,
                    kind=kind,
                    provider=provider,
                    settings=plain,
                    encrypted_secrets=self._secrets.seal(secret),
                    subscriptions=told if kind == "notifier" else [],
                )
                after = {"kind": kind, "provider": provider, "settings": sorted(plain)}
                self._record(actor, project, connection, "created", {}, after)
                return connection
        except IntegrityError:
            raise AlreadyExists(f"The project has a connection {name!r} already.", field="name") from None

    def edit(self, actor: Actor, project: Project, connection_id: str, changes: Mapping[str, Any]) -> Connection:
        """Change settings, subscriptions or `enabled`; a secret that is not named keeps its value."""
        authorize(actor, project, "connection.write")
        connection = self._get(project, connection_id)
        self._check_host(actor, connection.kind, connection.provider)
        _checked(changes.get("subscriptions", ()))
        values: dict[str, Any] = {key: changes[key] for key in ("subscriptions", "enabled") if key in changes}
        if "settings" in changes:
            kept = self._secrets.open(connection.encrypted_secrets)
            plain, secret = self._check(connection.kind, connection.provider, {**kept, **changes["settings"]})
            values |= {"settings": plain, "encrypted_secrets": self._secrets.seal(secret)}
        if not values:
            return connection
        changed_at_ms = max(now_ms(), connection.updated_at_ms + 1)  # never the same twice: it keys what is built of it
        shown = [key for key in values if key != "encrypted_secrets"]
        before = {key: getattr(connection, key) for key in shown if key != "settings"}
        with atomic():
            Connection.update(updated_at_ms=changed_at_ms, **values).where(Connection.id == connection.id).execute()
            told = {key: sorted(values[key]) if key == "settings" else values[key] for key in shown}
            self._record(actor, project, connection, "updated", before, told)
        return self._get(project, connection_id)

    def delete(self, actor: Actor, project: Project, connection_id: str) -> None:
        """Remove a connection that nothing uses; `Conflict` while something does."""
        authorize(actor, project, "connection.write")
        connection = self._get(project, connection_id)
        try:
            with atomic():
                self._refuse_if_deployed(project, connection)
                self._record(actor, project, connection, "deleted", {"name": connection.name}, {})
                connection.delete_instance()
        except IntegrityError:
            raise Conflict(f"The connection {connection.name!r} is in use.", hint="Let go of it first.") from None

    def _refuse_if_deployed(self, project: Project, connection: Connection) -> None:
        used = Deployment.select().where(Deployment.project == project, Deployment.target == connection.name).first()
        if used is not None and connection.kind == "deployment_target":
            raise Conflict(
                f"The connection {connection.name!r} is in use by the deployment {used.name!r}.",
                hint="Delete the deployment first.",
            )

    def use_storage(self, actor: Actor, project: Project, connection_id: str | None) -> Project:
        """Keep the project's artifacts in that storage from now on (None: the server's own).

        `Conflict` once the project has runs or models: their artifacts would stay behind.
        """
        authorize(actor, project, "project.edit")
        connection = self._get(project, connection_id) if connection_id else None
        if connection is not None and connection.kind != "storage":
            raise InvalidInput(
                f"{connection.name!r} is a {connection.kind}, no storage.", field="storage_connection_id"
            )
        before = project.storage_connection
        if (connection.id if connection else None) == project.storage_connection_id:
            return project
        if next(iter(self.storage_of(project).list(project.public_id)), None) is not None:
            raise Conflict("The project has artifacts in its present storage.", hint="Choose it before the first run.")
        with atomic():
            Project.update(storage_connection=connection, updated_at_ms=now_ms()).where(
                Project.id == project.id
            ).execute()
            self._events.record(
                "project.updated",
                actor=actor,
                object_id=project.public_id,
                object_name=project.slug,
                project=project,
                before={"storage_connection": before.name if before else None},
                after={"storage_connection": connection.name if connection else None},
            )
        found: Project = Project.get_by_id(project.id)
        return found

    def test(self, actor: Actor, project: Project, *, kind: str, provider: str, settings: Mapping[str, Any]) -> Health:
        """Ask a provider with these settings for its health, before anything is saved."""
        authorize(actor, project, "connection.write")
        self._check_host(actor, kind, provider)
        plain, secret = self._check(kind, provider, settings)
        bound = self._bind(kind, provider, plain, secret, connection_id=f"test:{project.public_id}")
        return self._health(bound)

    def test_saved(self, actor: Actor, project: Project, connection_id: str) -> Health:
        """Ask a saved connection for its health."""
        authorize(actor, project, "connection.write")
        return self._health(self.bound(self._get(project, connection_id)))

    def _health(self, bound: Any) -> Health:
        health: Health = bound.health()
        return health

    def storage_of(self, project: Project) -> providers.BoundStorage:
        """Return the storage that keeps the project's artifacts."""
        if project.storage_connection is not None:
            bound: providers.BoundStorage = self.bound(project.storage_connection)
            return bound
        settings = {"root": str(self._data_directory / "artifacts")} if self._default_storage == "local_files" else {}
        default: providers.BoundStorage = self._default("storage", self._default_storage, settings)
        return default

    def tracker_of(self, project: Project) -> Tracker:
        """Return the tracker that keeps the project's experiments and runs."""
        bound = self._default("tracker", self._default_tracker, {})
        self._guard.require_callable(bound.entry.plugin, "track")
        tracker: Tracker = bound.provider
        return tracker

    def target(self, project: Project, name: str) -> providers.BoundTarget:
        """Return a deployment target by the name of a connection of the project, or of a provider without settings."""
        connection = Connection.get_or_none(project_id=project.id, name=name, kind="deployment_target")
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

    def _check_host(self, actor: Actor, kind: str, provider: str) -> None:
        """Let only instance administrators connect what reaches the server's own files or host."""
        try:
            entry = self._plugins.provider(kind, provider)
        except PluginNotFound:
            return
        if HOST_CAPABILITIES & entry.capabilities:
            policy.require_instance_admin(actor, "connection.host")

    def _check(self, kind: str, provider: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if kind not in KINDS:
            raise InvalidInput(f"There is no kind {kind!r}; choose among {', '.join(KINDS)}.", field="kind")
        entry = self._plugins.provider(kind, provider)
        check_settings(entry, settings, self._guard)
        return providers.split_secrets(entry.cls.settings_schema, settings)

    def _get(self, project: Project, connection_id: str) -> Connection:
        connection = Connection.get_or_none(public_id=connection_id, project_id=project.id)
        if connection is None:
            raise NotFound(f"The project has no connection {connection_id!r}.")
        found: Connection = connection
        return found

    def _record(
        self, actor: Actor, project: Project, connection: Connection, verb: str, before: Any, after: Any
    ) -> None:
        self._events.record(
            f"connection.{verb}",
            actor=actor,
            object_id=connection.public_id,
            object_name=connection.name,
            project=project,
            before=before,
            after=after,
        )


def _checked(subscriptions: Sequence[str]) -> Sequence[str]:
    for pattern in subscriptions:
        check_text(pattern, "subscriptions", longest=LONGEST_SUBSCRIPTION, shortest=1)
    return subscriptions
