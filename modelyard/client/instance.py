"""What is the server's and in no organization: who one is, plugins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from modelyard.client.addresses import warn_in_clear
from modelyard.client.resource import Json, Resource, given


class Sessions(Resource):
    """Who am I."""

    def get(self) -> Json:
        """Return `{user, kind}` of the token or sign-in."""
        return self._one("GET", "session")

    def options(self) -> Json:
        """Return the ways to sign in: `{password, oidc}`; `oidc` is None or `{name, start}`."""
        return self._one("GET", "sign-in-options")

    def create(self, username: str, password: str) -> Json:
        """Sign in; the transport keeps the cookie. For programs a token is better."""
        warn_in_clear(self._client.url)
        return self._one("POST", "session", json={"username": username, "password": password})

    def delete(self) -> None:
        """Sign out."""
        self._call("DELETE", "session")


class Tokens(Resource):
    """One's own API tokens."""

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield the tokens, without their secrets."""
        return self._list("tokens", limit=limit, **query)

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        expires_in_days: int | None = None,
        organization: str | None = None,
        project: str | None = None,
    ) -> Json:
        """Make a token; `token` in the answer is the whole of it, and is told this once.

        `project` binds it to that project of `organization`.
        """
        body = {"name": name, "scopes": sorted(scopes)}
        body |= given(expires_in_days=expires_in_days, organization=organization, project=project)
        return self._one("POST", "tokens", json=body)

    def revoke(self, token_id: str) -> None:
        """End a token at once."""
        self._call("DELETE", "tokens", token_id)


class Plugins(Resource):
    """Plugins of the server and the providers that they bring."""

    def list(self) -> Iterator[Json]:
        """Yield every plugin, the failed ones with reason and mend."""
        return self._list("plugins")

    def get(self, plugin: str) -> Json:
        """Return one by name."""
        return self._one("GET", "plugins", plugin)

    def block(self, plugin: str, reason: str, *, force: bool = False) -> Json:
        """Have no process of the server call it any more; `force` also where the settings select it for all projects.

        For instance administrators.
        """
        return self._one("POST", "plugins", plugin, "block", json={"reason": reason, "force": force})

    def unblock(self, plugin: str) -> None:
        """Lift the block, or end its quarantine; for instance administrators."""
        self._call("DELETE", "plugins", plugin, "block")

    def providers(self) -> Iterator[Json]:
        """Yield providers with the JSON Schema of their settings."""
        return self._list("providers")
