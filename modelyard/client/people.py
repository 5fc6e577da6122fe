"""Users of the server, one's own account, and an organization's service accounts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from modelyard.client.addresses import warn_in_clear
from modelyard.client.resource import Json, Resource, given


class Account(Resource):
    """One's own password and sessions, and the links by which a password is set."""

    def set_password(self, current_password: str, password: str) -> None:
        """Change one's password; all other sessions end."""
        warn_in_clear(self._client.url)
        body = {"current_password": current_password, "password": password}
        self._call("PUT", "account", "password", json=body)

    def sessions(self) -> Iterator[Json]:
        """Yield where one is signed in by browser, newest first."""
        return self._list("account", "sessions")

    def end_session(self, session_id: str) -> None:
        """End one session."""
        self._call("DELETE", "account", "sessions", session_id)

    def end_other_sessions(self) -> None:
        """End all sessions but the one that asks; by a token all."""
        self._call("DELETE", "account", "sessions")

    def reset_password(self, link_token: str, password: str) -> None:
        """Set the password that a link is for; `link_token` is the link's last part."""
        warn_in_clear(self._client.url)
        self._call("POST", "password-resets", link_token, json={"password": password})

    def set_up(self, link_token: str, username: str, password: str, **more: str) -> Json:
        """Make a new server's first administrator; `more` may hold `display_name` and `email`."""
        warn_in_clear(self._client.url)
        return self._one("POST", "setup", link_token, json={"username": username, "password": password, **more})


class Users(Resource):
    """Users of the server, for instance administrators."""

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield all, or those with `q` in their name, display name or e-mail address."""
        return self._list("users", limit=limit, **query)

    def get(self, username: str) -> Json:
        """Return one."""
        return self._one("GET", "users", username)

    def create(
        self,
        username: str,
        password: str | None = None,
        *,
        display_name: str | None = None,
        email: str | None = None,
        is_instance_admin: bool | None = None,
    ) -> Json:
        """Make one; without a password `password_link` in the answer has the link that sets it."""
        body = given(password=password, display_name=display_name, email=email, is_instance_admin=is_instance_admin)
        return self._one("POST", "users", json={"username": username, **body})

    def edit(self, username: str, **changes: Any) -> Json:
        """Change what is given: `display_name`, `email`, `is_instance_admin`, `disabled`."""
        return self._one("PATCH", "users", username, json=changes)

    def delete(self, username: str) -> None:
        """Delete one with their roles, sessions and tokens."""
        self._call("DELETE", "users", username)

    def end_sessions(self, username: str) -> None:
        """End all sessions of one."""
        self._call("DELETE", "users", username, "sessions")

    def tokens(self, username: str, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield one's API tokens, without their secrets."""
        return self._list("users", username, "tokens", limit=limit, **query)

    def revoke_token(self, username: str, token_id: str) -> None:
        """End one of one's API tokens at once."""
        self._call("DELETE", "users", username, "tokens", token_id)

    def create_password_link(self, username: str) -> Json:
        """Return a new link by which one sets a password, once: `{url, expires_at}`."""
        return self._one("POST", "users", username, "password-reset")


class ServiceAccounts(Resource):
    """Service accounts of one organization; `username` of one is its name among the members."""

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield them."""
        return self._list("service-accounts", limit=limit, **query)

    def get(self, name: str) -> Json:
        """Return one."""
        return self._one("GET", "service-accounts", name)

    def create(self, name: str, *, display_name: str | None = None) -> Json:
        """Make one, without a role in any project yet."""
        return self._one("POST", "service-accounts", json={"name": name, **given(display_name=display_name)})

    def edit(self, name: str, **changes: Any) -> Json:
        """Change what is given: `display_name`, `disabled`."""
        return self._one("PATCH", "service-accounts", name, json=changes)

    def delete(self, name: str) -> None:
        """Delete one with its roles and tokens."""
        self._call("DELETE", "service-accounts", name)

    def tokens(self, name: str, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield its tokens, without their secrets."""
        return self._list("service-accounts", name, "tokens", limit=limit, **query)

    def create_token(
        self,
        name: str,
        token_name: str,
        scopes: Iterable[str],
        *,
        expires_in_days: int | None = None,
        project: str | None = None,
    ) -> Json:
        """Make a token for one; `token` in the answer is the whole of it, and is told this once."""
        body = {"name": token_name, "scopes": sorted(scopes)}
        body |= given(expires_in_days=expires_in_days, project=project)
        return self._one("POST", "service-accounts", name, "tokens", json=body)

    def revoke_token(self, name: str, token_id: str) -> None:
        """End one of its tokens at once."""
        self._call("DELETE", "service-accounts", name, "tokens", token_id)
