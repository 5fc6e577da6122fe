"""What is the server's and in no project: who one is, organizations and their projects, plugins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelyard.client.addresses import segments, warn_in_clear
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

    def list(self) -> Iterator[Json]:
        """Yield the tokens, without their secrets."""
        return self._list("tokens")

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


class Members(Resource):
    """Who has which role in one organization or project."""

    def list(self) -> Iterator[Json]:
        """Yield the members with their roles."""
        return self._list("members")

    def set(self, username: str, role: str) -> Json:
        """Give a user a role, in place of the one before."""
        return self._one("PUT", "members", username, json={"role": role})

    def remove(self, username: str) -> None:
        """Take all roles here from a user."""
        self._call("DELETE", "members", username)


class Organizations(Resource):
    """Organizations that one is a member of."""

    def list(self) -> Iterator[Json]:
        """Yield them."""
        return self._list("organizations")

    def get(self, organization: str) -> Json:
        """Return one by its slug."""
        return self._one("GET", "organizations", organization)

    def create(self, slug: str, *, name: str | None = None, owner: str | None = None) -> Json:
        """Make one; the name is the slug unless given, the owner is oneself."""
        return self._one("POST", "organizations", json={"slug": slug, "name": name or slug, **given(owner=owner)})

    def members(self, organization: str) -> Members:
        """Return the members' part of one organization."""
        return Members(self._client, self._path + "/organizations" + segments(organization))


class Projects(Resource):
    """Projects of an organization; `Client.project` is the way into one."""

    def list(self, organization: str) -> Iterator[Json]:
        """Yield those that one may see."""
        return self._list("organizations", organization, "projects")

    def create(self, organization: str, slug: str, *, name: str | None = None, description: str | None = None) -> Json:
        """Make one; the name is the slug unless given."""
        body = {"slug": slug, "name": name or slug, **given(description=description)}
        return self._one("POST", "organizations", organization, "projects", json=body)


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
