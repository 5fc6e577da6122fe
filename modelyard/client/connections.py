"""Connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelyard.client.resource import Json, Resource, given


class Connections(Resource):
    """Providers with settings, of a project or an organization.

    Secrets stand among the settings when they are sent and never come back.
    """

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield them; a project's are its own and its organization's (`scope`)."""
        return self._list("connections", limit=limit, **query)

    def get(self, connection_id: str) -> Json:
        """Return one."""
        return self._one("GET", "connections", connection_id)

    def create(
        self,
        kind: str,
        provider: str,
        name: str,
        settings: Mapping[str, Any],
        *,
        subscriptions: Sequence[str] | None = None,
    ) -> Json:
        """Save one; `subscriptions` are the actions that a notifier is told of (``model_version.*``), else of all."""
        body = {"kind": kind, "provider": provider, "name": name, "settings": dict(settings)}
        body |= given(subscriptions=subscriptions)
        return self._one("POST", "connections", json=body)

    def edit(self, connection_id: str, **changes: Any) -> Json:
        """Change what is given: `settings` (whole, but for secrets that stay), `subscriptions`, `enabled`.

        Where a setting changes that may decide where secrets are sent, they must be given again.
        """
        return self._one("PATCH", "connections", connection_id, json=changes)

    def delete(self, connection_id: str) -> None:
        """Remove one; refused while something uses it."""
        self._call("DELETE", "connections", connection_id)

    def test(self, connection_id: str, *, settings: Mapping[str, Any] | None = None) -> Json:
        """Ask what stands behind a saved one whether it answers: `{ok, message}`.

        With `settings` it is asked as `edit` would leave it, and nothing is saved.
        """
        body = None if settings is None else {"settings": dict(settings)}
        return self._one("POST", "connections", connection_id, "test", json=body)

    def health(self, connection_id: str) -> Json:
        """Do as `test` does, for editors, too, and return the connection with its `health`, which is kept."""
        return self._one("GET", "connections", connection_id, "health")

    def try_out(self, kind: str, provider: str, settings: Mapping[str, Any]) -> Json:
        """Test settings that are not saved: `{ok, message}`."""
        body = {"kind": kind, "provider": provider, "settings": dict(settings)}
        return self._one("POST", "connections", "test", json=body)
