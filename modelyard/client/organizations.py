"""Organizations, who belongs to them, and the projects in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from modelyard.client.addresses import segments
from modelyard.client.audit import DeliveryLog
from modelyard.client.connections import Connections
from modelyard.client.invitations import OrganizationInvitations
from modelyard.client.people import ServiceAccounts
from modelyard.client.resource import Json, Resource, given


class Members(Resource):
    """Who has which role in one organization or project."""

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield the members with their roles."""
        return self._list("members", limit=limit, **query)

    def set(self, username: str, role: str) -> Json:
        """Give a user a role, in place of the one before."""
        return self._one("PUT", "members", username, json={"role": role})

    def remove(self, username: str) -> None:
        """Take all roles here from a user."""
        self._call("DELETE", "members", username)

    def leave(self) -> None:
        """Give one's own roles here up; the last owner of an organization cannot."""
        self._call("POST", "leave")


class Organizations(Resource):
    """Organizations that one is a member of."""

    def list(self, *, q: str | None = None, deleted: bool = False, every: bool = False) -> Iterator[Json]:
        """Yield them; `q` is a part of slug or name.

        `deleted`: those that one owned and may restore. `every`: all of the server, for instance administrators.
        """
        return self._list("organizations", **_wanted(q, deleted=deleted, all=every))

    def get(self, organization: str) -> Json:
        """Return one by its slug."""
        return self._one("GET", "organizations", organization)

    def create(self, slug: str, *, name: str | None = None, owner: str | None = None) -> Json:
        """Make one; the name is the slug unless given, the owner is oneself."""
        return self._one("POST", "organizations", json={"slug": slug, "name": name or slug, **given(owner=owner)})

    def edit(self, organization: str, *, slug: str | None = None, name: str | None = None) -> Json:
        """Change what is given; the slug before leads to it until another one takes that."""
        return self._one("PATCH", "organizations", organization, json=given(slug=slug, name=name))

    def delete(self, organization: str, *, confirm: str) -> None:
        """Delete one with all in it; `confirm` is its slug."""
        self._call("DELETE", "organizations", organization, confirm=confirm)

    def restore(self, organization_id: str, *, slug: str | None = None) -> Json:
        """Bring a deleted one back by its id; `slug` where its own was taken meanwhile."""
        return self._one("POST", "organizations", organization_id, "restore", json=given(slug=slug))

    def transfer(self, organization: str, username: str, *, keep_role: str | None = "admin") -> Json:
        """Make another member the owner in one's own place; without `keep_role` one leaves."""
        body = {"username": username, "keep_role": keep_role}
        return self._one("POST", "organizations", organization, "transfer", json=body)

    def members(self, organization: str) -> Members:
        """Return the members' part of one organization."""
        return Members(self._client, self._path + "/organizations" + segments(organization))

    def audit(self, organization: str) -> DeliveryLog:
        """Return the events and deliveries of one organization and all its projects, for its admins."""
        return DeliveryLog(self._client, self._path + "/organizations" + segments(organization))

    def connections(self, organization: str) -> Connections:
        """Return the connections that all projects of one organization can use."""
        return Connections(self._client, self._path + "/organizations" + segments(organization))

    def service_accounts(self, organization: str) -> ServiceAccounts:
        """Return the service accounts' part of one organization."""
        return ServiceAccounts(self._client, self._path + "/organizations" + segments(organization))

    def invitations(self, organization: str) -> OrganizationInvitations:
        """Return the invitations' part of one organization."""
        return OrganizationInvitations(self._client, self._path + "/organizations" + segments(organization))


class Projects(Resource):
    """Projects of an organization; `Client.project` is the way into one."""

    def list(
        self, organization: str, *, q: str | None = None, archived: bool | None = None, deleted: bool = False
    ) -> Iterator[Json]:
        """Yield those that one may see; `q` is a part of slug or name.

        `archived` leaves the others out; `deleted` yields those that may be restored, for admins of the organization.
        """
        wanted = _wanted(q, deleted=deleted) | given(archived=None if archived is None else str(archived).lower())
        return self._list("organizations", organization, "projects", **wanted)

    def create(
        self,
        organization: str,
        slug: str,
        *,
        name: str | None = None,
        description: str | None = None,
        tracker: Mapping[str, Any] | None = None,
    ) -> Json:
        """Make one; the name is the slug unless given.

        `tracker` is `{provider, settings}` of what it tracks with, in place of the server's own tracker.
        """
        body = {"slug": slug, "name": name or slug, **given(description=description, tracker=tracker)}
        return self._one("POST", "organizations", organization, "projects", json=body)

    def delete(self, organization: str, project: str, *, confirm: str) -> None:
        """Delete one, by the slug and its repetition."""
        self._call("DELETE", "organizations", organization, "projects", project, confirm=confirm)

    def restore(self, organization: str, project_id: str, *, slug: str | None = None) -> Json:
        """Bring a deleted one back by its id; `slug` where its own was taken meanwhile."""
        path = ("organizations", organization, "projects", project_id, "restore")
        return self._one("POST", *path, json=given(slug=slug))


def _wanted(q: str | None, **flags: bool) -> Json:
    """Make a query of what was asked for."""
    return given(q=q, **{name: "true" if flag else None for name, flag in flags.items()})
