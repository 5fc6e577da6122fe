"""Invitations: made and revoked in an organization, seen and accepted by whoever has the link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelyard.client.resource import Json, Resource, given


class Invitations(Resource):
    """What the holder of a link may do; a token is the link's last part."""

    def get(self, token: str) -> Json:
        """Return what it offers: `{organization, role, project, invited_by, expires_at, ...}`."""
        return self._one("GET", "invitations", token)

    def accept(
        self,
        token: str,
        *,
        username: str | None = None,
        password: str | None = None,
        display_name: str | None = None,
    ) -> Json:
        """Join. Without a token or sign-in of one's own, `username` and `password` are those of a new account.

        Such an account is signed in: the answer is a session, and the transport keeps the cookie.
        """
        body = given(username=username, password=password, display_name=display_name)
        return self._one("POST", "invitations", token, "accept", json=body)


class OrganizationInvitations(Resource):
    """The invitations of one organization."""

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield them, newest first, without their links."""
        return self._list("invitations", limit=limit, **query)

    def create(
        self,
        role: str,
        *,
        project: str | None = None,
        project_role: str | None = None,
        email: str | None = None,
        expires_in_days: int | None = None,
    ) -> Json:
        """Make one; `link` in the answer is told this once. `email` is a note: nothing is sent."""
        body = {"role": role, **given(project=project, project_role=project_role, email=email)}
        return self._one("POST", "invitations", json=body | given(expires_in_days=expires_in_days))

    def revoke(self, invitation_id: str) -> None:
        """End an open one."""
        self._call("DELETE", "invitations", invitation_id)
