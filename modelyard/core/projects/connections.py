"""The verbs of connections: providers with settings, made, tested and used by a project or a whole organization."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from peewee import IntegrityError

from modelyard.core import providers
from modelyard.core.db import atomic, now_ms
from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import (
    AlreadyExists,
    ConfigurationError,
    Conflict,
    InvalidInput,
    NotFound,
    PluginError,
    PluginNotFound,
)
from modelyard.core.events import Events
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Health, Notification
from modelyard.core.names import check_slug, check_text
from modelyard.core.projects.access import authorize, find_organization
from modelyard.core.projects.connected import ConnectedProviders
from modelyard.core.projects.models import Connection, Organization, Project
from modelyard.core.provider_settings import check_settings

KINDS = ("storage", "tracker", "deployment_target", "notifier")
DEFAULT_SUBSCRIPTIONS = ["*"]
LONGEST_SUBSCRIPTION = 100
LONGEST_HEALTH_MESSAGE = 1000
BY_API, BY_SETTINGS = "api", "settings"
PERMISSIONS = {
    "read": ("connection.read", "organization_connection.read"),
    "use": ("connection.use", "organization_connection.use"),
    "write": ("connection.write", "organization_connection.write"),
}
HOST_CAPABILITIES = frozenset({"server_files", "runs_on_server_host"})
"""What only instance administrators may connect: it reaches the files or processes of the server's own host."""

Place = Project | Organization
"""Whose connection it is."""


class ConnectionService(ConnectedProviders):
    """Connections of projects and organizations.

    A project sees and uses those of its organization, too; they are changed at the organization.
    """

    def __init__(self, *, events: Events, **more: Any) -> None:
        super().__init__(**more)
        self._events = events

    def list(self, actor: Actor, place: Place) -> Any:
        """Return a query of the connections that the place can use, by name."""
        _authorize(actor, place, "read")
        return Connection.select().where(_seen_from(place)).order_by(Connection.name)

    def get(self, actor: Actor, place: Place, connection_id: str) -> Connection:
        """Return a connection that the place can use; `NotFound` for any other."""
        _authorize(actor, place, "read")
        return self._get(place, connection_id)

    def create(
        self,
        actor: Actor,
        place: Place,
        *,
        name: str,
        kind: str,
        provider: str,
        settings: Mapping[str, Any],
        subscriptions: Sequence[str] | None = None,
        enabled: bool = True,
        managed_by: str = BY_API,
    ) -> Connection:
        """Make a connection after the provider's schema has accepted its settings; nothing is called yet.

        `PermissionDenied` for a provider that reaches the server's own files or host, unless the actor is an instance
        administrator. A notifier without `subscriptions` is told of everything; with an empty list, of nothing. A
        tracker is enabled when the project chooses it.
        """
        _authorize(actor, place, "write")
        self._check_host(actor, kind, provider)
        check_slug(name, "name")
        if kind == "tracker" and not isinstance(place, Project):
            raise InvalidInput("A tracker is of one project.", hint="Make the connection in the project.", field="kind")
        told = list(DEFAULT_SUBSCRIPTIONS if subscriptions is None else _checked(subscriptions))
        plain, secret = self._check(kind, provider, settings)
        try:
            with atomic():
                if kind == "deployment_target":
                    _refuse_to_hide(place, name)
                connection = Connection.create(
                    **_owner(place),
                    name=name,
                    kind=kind,
                    provider=provider,
                    settings=plain,
                    encrypted_secrets=self._secrets.seal(secret),
                    subscriptions=told if kind == "notifier" else [],
                    enabled=enabled and kind != "tracker",
                    managed_by=managed_by,
                )
                after = {"kind": kind, "provider": provider, "settings": sorted(plain)}
                self._record(actor, place, connection, "created", {}, after)
                return connection
        except IntegrityError:
            raise AlreadyExists(f"The {_word(place)} has a connection {name!r} already.", field="name") from None

    def prepare_tracker(
        self, actor: Actor, *, provider: str, settings: Mapping[str, Any]
    ) -> Callable[[Actor, Project], None]:
        """Check the tracker of a project that is about to be made; errors as in `create`.

        What is returned makes the connection "tracker" and enables it: call it in the transaction that makes the
        project.
        """
        self._check_host(actor, "tracker", provider)
        plain, secret = self._check("tracker", provider, settings)

        def lay(actor: Actor, project: Project) -> None:
            connection = Connection.create(
                **_owner(project),
                name="tracker",
                kind="tracker",
                provider=provider,
                settings=plain,
                encrypted_secrets=self._secrets.seal(secret),
                subscriptions=[],
            )
            after = {"kind": "tracker", "provider": provider, "settings": sorted(plain)}
            self._record(actor, project, connection, "created", {}, after)

        return lay

    def edit(
        self, actor: Actor, place: Place, connection_id: str, changes: Mapping[str, Any], *, managed_by: str = BY_API
    ) -> Connection:
        """Change settings, subscriptions or `enabled`; a secret that is not named keeps its value.

        Where a setting changes that may decide where the secrets are sent, each of them must be given again:
        `InvalidInput` names them. `Conflict` for a connection that the settings file manages.
        """
        _authorize(actor, place, "write")
        connection = self._get_own(place, connection_id, managed_by)
        self._check_host(actor, connection.kind, connection.provider)
        _checked(changes.get("subscriptions", ()))
        if connection.kind == "tracker" and changes.get("enabled", connection.enabled) != connection.enabled:
            raise InvalidInput(
                "A tracker is enabled while the project tracks with it.",
                hint="Set the project's tracker_connection_id.",
                field="enabled",
            )
        values: dict[str, Any] = {key: changes[key] for key in ("subscriptions", "enabled") if key in changes}
        if "settings" in changes:
            values |= self._changed_settings(connection, changes["settings"])
        if not values:
            return connection
        changed_at_ms = max(now_ms(), connection.updated_at_ms + 1)  # never the same twice: it keys what is built of it
        shown = [key for key in ("subscriptions", "enabled", "settings") if key in values]
        before = {key: getattr(connection, key) for key in shown if key != "settings"}
        with atomic():
            Connection.update(updated_at_ms=changed_at_ms, **values).where(Connection.id == connection.id).execute()
            told = {key: sorted(values[key]) if key == "settings" else values[key] for key in shown}
            self._record(actor, place, connection, "updated", before, told)
        return self._get(place, connection_id)

    def _changed_settings(self, connection: Connection, given: Mapping[str, Any]) -> dict[str, Any]:
        plain, secret = self._with_kept_secrets(connection, given)
        unknown_health = {"health_ok": None, "health_message": "", "health_checked_at_ms": None}
        return {"settings": plain, "encrypted_secrets": self._secrets.seal(secret), **unknown_health}

    def _with_kept_secrets(
        self, connection: Connection, given: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the new settings, checked, and the secrets, given or kept; `InvalidInput` for those to be repeated."""
        kept = self._secrets.open(connection.encrypted_secrets)
        plain, secret = self._check(connection.kind, connection.provider, {**kept, **given})
        entry = self._plugins.provider(connection.kind, connection.provider)
        moved = sorted(
            key
            for key in {*plain, *connection.settings} - entry.free_keys
            if plain.get(key) != connection.settings.get(key)
        )
        missing = [key for key, value in kept.items() if value and key not in given]
        if moved and missing:
            again = f"Give it again: {', '.join(moved)} changed, and may decide where it is sent."
            raise InvalidInput(
                f"The secrets {', '.join(sorted(missing))} are to be given again, as {', '.join(moved)} changed.",
                hint="A stored secret is not sent to a place that it was not given for.",
                errors={f"settings.{key}": again for key in missing},
            )
        return plain, secret

    def given_settings(self, connection: Connection) -> dict[str, Any]:
        """Return all settings as they were given, secrets too: for the platform itself."""
        return {**connection.settings, **self._secrets.open(connection.encrypted_secrets)}

    def secret_names(self, connection: Connection) -> tuple[str, ...]:
        """Return the names of its secrets that are set; none where no key opens them, so that it can be looked at."""
        try:
            kept = self._secrets.open(connection.encrypted_secrets)
        except ConfigurationError:
            return ()
        return tuple(sorted(key for key, value in kept.items() if value))

    def delete(self, actor: Actor, place: Place, connection_id: str, *, managed_by: str = BY_API) -> None:
        """Remove a connection that nothing uses; `Conflict` while something does, or the settings file has it."""
        _authorize(actor, place, "write")
        connection = self._get_own(place, connection_id, managed_by)
        try:
            with atomic():
                _refuse_if_deployed(connection)
                _refuse_if_tracked(connection)
                self._record(actor, place, connection, "deleted", {"name": connection.name}, {})
                connection.delete_instance()
        except IntegrityError:
            raise Conflict(f"The connection {connection.name!r} is in use.", hint="Let go of it first.") from None

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

    def test(self, actor: Actor, place: Place, *, kind: str, provider: str, settings: Mapping[str, Any]) -> Health:
        """Ask a provider with these settings for its health, before anything is saved."""
        _authorize(actor, place, "write")
        self._check_host(actor, kind, provider)
        plain, secret = self._check(kind, provider, settings)
        bound = self._bind(kind, provider, plain, secret, connection_id=f"test:{place.public_id}")
        health: Health = bound.health()
        return health

    def test_changes(self, actor: Actor, place: Place, connection_id: str, settings: Mapping[str, Any]) -> Health:
        """Ask for the health that a connection would have with these settings; nothing is saved.

        What `edit` refuses is refused, and a stored secret that is not named is used, as there.
        """
        _authorize(actor, place, "write")
        connection = self._get_own(place, connection_id, BY_API)
        self._check_host(actor, connection.kind, connection.provider)
        plain, secret = self._with_kept_secrets(connection, settings)
        test_id = f"test:{connection.public_id}"
        bound = self._bind(connection.kind, connection.provider, plain, secret, connection_id=test_id)
        health: Health = bound.health()
        return health

    def test_saved(self, actor: Actor, place: Place, connection_id: str) -> Health:
        """Ask a saved connection for its health, and keep what it says; raises what its plugin raises."""
        _authorize(actor, place, "write")
        connection = self._get(place, connection_id)
        try:
            health: Health = self.bound(connection).health()
        except PluginError as error:
            _keep_health(connection, Health(False, error.message))
            raise
        _keep_health(connection, health)
        return health

    def send(self, actor: Actor, place: Place, connection_id: str, notification: Notification) -> None:
        """Send a notification through a notifier now, as a trial; raises what its plugin raises."""
        _authorize(actor, place, "write")
        connection = self._get(place, connection_id)
        if connection.kind != "notifier":
            raise InvalidInput(f"{connection.name!r} is a {connection.kind}, no notifier.")
        self.bound(connection).send(notification)

    def health(self, actor: Actor, place: Place, connection_id: str) -> Connection:
        """Ask a saved connection for its health, keep what it says, and return the connection with it.

        A plugin that fails makes it unwell: only a stranger or an unknown connection is an error.
        """
        _authorize(actor, place, "use")
        connection = self._get(place, connection_id)
        try:
            health: Health = self.bound(connection).health()
        except (PluginError, InvalidInput, ConfigurationError) as error:
            health = Health(False, error.message)
        _keep_health(connection, health)
        return self._get(place, connection_id)

    def _check_host(self, actor: Actor, kind: str, provider: str) -> None:
        """Let only instance administrators connect what reaches the server's own files or host."""
        try:
            entry = self._plugins.provider(kind, provider)
        except PluginNotFound:
            return
        if HOST_CAPABILITIES & entry.capabilities and actor.kind != "system":
            policy.require_instance_admin(actor, "connection.host")

    def _check(self, kind: str, provider: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        if kind not in KINDS:
            raise InvalidInput(f"There is no kind {kind!r}; choose among {', '.join(KINDS)}.", field="kind")
        entry = self._plugins.provider(kind, provider)
        try:
            check_settings(entry, settings, self._guard)
        except InvalidInput as error:
            raise _of_settings(error) from None
        return providers.split_secrets(entry.cls.settings_schema, settings)

    def _get(self, place: Place, connection_id: str) -> Connection:
        found: Connection | None = (
            Connection.select().where(Connection.public_id == connection_id, _seen_from(place)).first()
        )
        if found is None:
            raise NotFound(f"The {_word(place)} has no connection {connection_id!r}.")
        return found

    def _get_own(self, place: Place, connection_id: str, managed_by: str) -> Connection:
        """Return one that may be changed here."""
        connection = self._get(place, connection_id)
        if isinstance(place, Project) and connection.project_id is None:
            raise Conflict(
                f"The connection {connection.name!r} is the organization's.", hint="Change it there, or make one here."
            )
        if connection.managed_by != managed_by:
            raise Conflict(
                f"The connection {connection.name!r} is managed by {connection.managed_by}.",
                hint="Change it in the server's settings file, under [[connections]].",
            )
        return connection

    def _record(self, actor: Actor, place: Place, connection: Connection, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"connection.{verb}",
            actor=actor,
            object_id=connection.public_id,
            object_name=connection.name,
            project=place if isinstance(place, Project) else None,
            organization=place if isinstance(place, Organization) else None,
            before=before,
            after=after,
        )


def _authorize(actor: Actor, place: Place, verb: str) -> None:
    in_project, in_organization = PERMISSIONS[verb]
    if isinstance(place, Project):
        authorize(actor, place, in_project)
    elif actor.kind != "system":
        find_organization(actor, place.slug, in_organization)


def _seen_from(place: Place) -> Any:
    if isinstance(place, Project):
        return Connection.visible_in(place)
    return (Connection.organization == place.id) & Connection.project.is_null()


def _owner(place: Place) -> dict[str, Any]:
    if isinstance(place, Project):
        return {"organization": place.organization_id, "project": place.id}
    return {"organization": place.id, "project": None}


def _word(place: Place) -> str:
    return "project" if isinstance(place, Project) else "organization"


def _refuse_if_deployed(connection: Connection) -> None:
    """Raise `Conflict` where a deployment runs at that target: in its project, or in one that has none of the name."""
    used = _deployment_at(connection.project or connection.organization, connection.name)
    if connection.kind == "deployment_target" and used is not None:
        raise Conflict(
            f"The connection {connection.name!r} is in use by the deployment {used.name!r}.",
            hint="Delete the deployment first.",
        )


def _refuse_if_tracked(connection: Connection) -> None:
    """Raise `Conflict` where the project tracks with it."""
    if connection.kind == "tracker" and Connection.get_by_id(connection.id).enabled:
        raise Conflict(
            f"The project tracks with the connection {connection.name!r}.", hint="Choose another tracker first."
        )


def _refuse_to_hide(place: Place, name: str) -> None:
    """Raise `Conflict` where a new target would stand in the way of the one that a deployment runs at now."""
    used = _deployment_at(place, name)
    if used is not None:
        raise Conflict(
            f"The deployment {used.name!r} runs at another target {name!r}, which this one would hide.",
            hint="Choose another name.",
        )


def _deployment_at(place: Place, name: str) -> Deployment | None:
    """Return a deployment that reaches a target by this name of the place's own."""
    own = Connection.select(Connection.project).where(
        Connection.name == name, Connection.kind == "deployment_target", Connection.project.is_null(False)
    )
    users = (
        Project.id == place.id
        if isinstance(place, Project)
        else (Project.organization == place.id) & Project.id.not_in(own)
    )
    found: Deployment | None = Deployment.select().join(Project).where(users, Deployment.target == name).first()
    return found


def _of_settings(error: InvalidInput) -> InvalidInput:
    """Name the wrong fields as the caller gave them: below `settings`, beside a connection's own such as `name`."""
    errors = error.details.get("errors", {})
    named = {key if key == "settings" else f"settings.{key}": text for key, text in errors.items()}
    return InvalidInput(error.message, hint=error.hint, errors=named)


def _keep_health(connection: Connection, health: Health) -> None:
    """Store what was said, unless the connection has changed since it was asked."""
    Connection.update(
        health_ok=health.ok, health_message=health.message[:LONGEST_HEALTH_MESSAGE], health_checked_at_ms=now_ms()
    ).where(Connection.id == connection.id, Connection.updated_at_ms == connection.updated_at_ms).execute()


def _checked(subscriptions: Sequence[str]) -> Sequence[str]:
    for pattern in subscriptions:
        check_text(pattern, "subscriptions", longest=LONGEST_SUBSCRIPTION, shortest=1)
    return subscriptions
