"""Connections that the settings file declares: made, changed and removed when the server starts.

A declaration that cannot be carried out is skipped with its reason in the log; it does not stop the start, as
organizations and projects may be made later.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from modelyard.core.errors import Conflict, InvalidInput, ModelyardError, NotFound
from modelyard.core.identity.actor import Actor, system_actor
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.projects.access import project_at
from modelyard.core.projects.connections import BY_SETTINGS, ConnectionService, Place
from modelyard.core.projects.models import Connection, Organization, OrganizationFormerSlug, Project

LONGEST_SECRET_FILE = 64 * 1024
MAKE_IT = "Make it, and start the server again."

log = structlog.get_logger(__name__)


class DeclaredConnections:
    """Makes the connections of the database those that the file declares."""

    def __init__(self, connections: ConnectionService, plugins: PluginManager) -> None:
        self._connections = connections
        self._plugins = plugins
        self._actor: Actor = system_actor("settings file")

    def apply(self, declared: Sequence[Mapping[str, Any]]) -> list[str]:
        """Carry all of them out, remove those that are no longer declared, and return what was wrong; repeatable."""
        problems: list[str] = []
        kept: set[int] = set()
        claimed = {row.id for wish in declared for row in self._present(wish)}
        for wish in declared:
            name = "/".join(str(wish[key]) for key in ("organization", "project", "name") if key in wish)
            try:
                _refuse_another_tenant(wish, claimed)
                kept.add(self._apply_one(wish))
            except ModelyardError as error:
                problems.append(f"The connection {name} of the settings file was left out: {error}")
                kept |= {row.id for row in self._present(wish)}
        problems += self._remove_all_but(kept)
        for problem in problems:
            log.warning("declared_connection_refused", problem=problem)
        return problems

    def _apply_one(self, wish: Mapping[str, Any]) -> int:
        place = _place(wish)
        settings = self._resolved(wish)
        present = next(iter(self._present(wish)), None)
        if present is not None and present.managed_by != BY_SETTINGS:
            raise Conflict("A connection of that name was made by hand.", hint="Delete it, or choose another name.")
        if present is not None and (present.kind, present.provider) != (wish["kind"], wish["provider"]):
            self._connections.delete(self._actor, place, present.public_id, managed_by=BY_SETTINGS)
            present = None
        if present is None:
            asked = {key: wish[key] for key in ("name", "kind", "provider")}
            told = wish.get("subscriptions")
            present = self._connections.create(
                self._actor, place, **asked, settings=settings, subscriptions=told, managed_by=BY_SETTINGS
            )
        changes = self._changes(present, wish, settings)
        if changes:
            self._connections.edit(self._actor, place, present.public_id, changes, managed_by=BY_SETTINGS)
        return int(present.id)

    def _changes(self, present: Connection, wish: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if self._connections.given_settings(present) != settings:
            secrets = self._plugins.provider(wish["kind"], wish["provider"]).secret_keys
            changes["settings"] = {
                **dict.fromkeys(secrets & set(self._connections.given_settings(present))),
                **settings,
            }
        told = wish.get("subscriptions", ["*"] if wish["kind"] == "notifier" else [])
        if present.kind == "notifier" and present.subscriptions != told:
            changes["subscriptions"] = told
        if present.kind != "tracker" and present.enabled != wish.get("enabled", True):
            changes["enabled"] = wish.get("enabled", True)
        return changes

    def _present(self, wish: Mapping[str, Any]) -> list[Connection]:
        try:
            place = _place(wish)
        except NotFound:
            return []
        mine = (
            Connection.project == place.id
            if isinstance(place, Project)
            else (Connection.organization == place.id) & Connection.project.is_null()
        )
        return list(Connection.select().where(mine, Connection.name == wish["name"]))

    def _resolved(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings with secrets read from where they are."""
        secrets = self._plugins.provider(wish["kind"], wish["provider"]).secret_keys
        given = wish.get("settings", {})
        return {key: _read_secret(key, value) if key in secrets else value for key, value in given.items()}

    def _remove_all_but(self, kept: set[int]) -> Iterator[str]:
        gone = Connection.select().where(Connection.managed_by == BY_SETTINGS, Connection.id.not_in(list(kept) or [0]))
        for connection in list(gone):
            place: Place = connection.project or connection.organization
            project = connection.project
            if connection.organization.deleted_at_ms is not None or (project is not None and project.is_deleted):
                continue  # it comes back with its place as it was, or goes with the purge
            try:
                self._connections.delete(self._actor, place, connection.public_id, managed_by=BY_SETTINGS)
            except Conflict as error:
                yield f"The connection {connection.name} is no longer in the settings file and stays: {error}"


def _refuse_another_tenant(wish: Mapping[str, Any], claimed: set[int]) -> None:
    """Raise `Conflict` where the slug may have gone over to another tenant, who would get the secrets.

    That is so where the same connection is already there in an organization that the file no longer names.
    """
    place = _place(wish)
    organization = place.organization if isinstance(place, Project) else place
    same = [getattr(Connection, key) == wish[key] for key in ("name", "kind", "provider")]
    others = (
        Connection.select(Connection, Organization)
        .join(Organization)
        .where(
            Connection.managed_by == BY_SETTINGS,
            Connection.organization != organization.id,
            Connection.id.not_in(list(claimed) or [0]),
            Organization.deleted_at_ms.is_null(),
            *same,
        )
    )
    left = others.first()
    if left is not None:
        raise Conflict(
            f"It is there for the organization {left.organization.slug!r}, which the settings file does not name.",
            hint="If that is the organization that was meant, name it by its present slug. If the connection is to go"
            " to another one, take it out of the file, start the server once, and declare it anew.",
        )


def _place(wish: Mapping[str, Any]) -> Place:
    slug = wish["organization"]
    living = Organization.select().where(Organization.deleted_at_ms.is_null())
    renamed = OrganizationFormerSlug.select(OrganizationFormerSlug.organization)
    former = living.where(Organization.id.in_(renamed.where(OrganizationFormerSlug.slug == slug)))
    organization = living.where(Organization.slug == slug).first() or former.first()
    if organization is None:
        raise NotFound(f"There is no organization {slug!r}.", hint=MAKE_IT)
    if "project" not in wish:
        found: Place = organization
        return found
    project = project_at(organization.slug, wish["project"])
    if project is None:
        raise NotFound(f"There is no project {wish['project']!r}.", hint=MAKE_IT)
    return project


def _read_secret(key: str, value: Any) -> Any:
    """Return a secret that is given as `env:NAME` or `file:PATH`, else the value as it stands."""
    if isinstance(value, str) and value.startswith("env:"):
        found = os.environ.get(value[4:])
        if not found:
            raise InvalidInput(f"The secret {key} is to come from the variable {value[4:]}, which is not set.")
        return found
    if isinstance(value, str) and value.startswith("file:"):
        try:
            with Path(value[5:]).expanduser().open(encoding="utf-8") as file:
                return file.read(LONGEST_SECRET_FILE).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"The secret {key} cannot be read from {value[5:]}: {type(error).__name__}.") from None
    return value
