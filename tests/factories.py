"""Makes the rows that tests start from, through the services, as an administrator would."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from modelyard.core.bootstrap import Services
from modelyard.core.identity import credentials
from modelyard.core.identity.actor import Actor, system_actor
from modelyard.core.identity.models import User
from modelyard.core.identity.sessions import actor_of_user
from modelyard.core.projects.models import Project

PASSWORD = "correct horse battery"
CHEAP_HASH = credentials.hash_password(PASSWORD)


class Factories:
    """One method for each kind of row; each call makes a new one."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._numbers = itertools.count(1)

    def user(self, username: str | None = None, *, is_instance_admin: bool = False) -> User:
        """Make a user whose password is `PASSWORD`; its hash is made once, since that takes 100 ms."""
        name = username or f"user{next(self._numbers)}"
        return User.create(username=name, password_hash=CHEAP_HASH, is_instance_admin=is_instance_admin)

    def actor(self, user: User | None = None) -> Actor:
        """Act as a user by browser."""
        return actor_of_user(user or self.user(), request_id="test", address="127.0.0.1")

    def organization(self, slug: str | None = None, *, owner: User | None = None) -> Any:
        """Make an organization with an owner."""
        slug = slug or f"org{next(self._numbers)}"
        owner = owner or self.user()
        admin = self.actor(User.get_or_none(User.username == "root") or self.user("root", is_instance_admin=True))
        return self.services.organizations.create(admin, slug=slug, name=slug.title(), owner=owner.username)

    def project(self, slug: str | None = None, *, owner: User | None = None, local: bool = False) -> Project:
        """Make a project in an organization of its own, whose owner is `owner`."""
        owner = owner or self.user()
        organization = self.organization(owner=owner)
        slug = slug or f"project{next(self._numbers)}"
        project = self.services.projects.create(self.actor(owner), organization.slug, slug=slug, name=slug.title())
        if local:
            Project.update(allow_local_deployments=True).where(Project.id == project.id).execute()
            project = Project.get_by_id(project.id)
        return project

    def member(self, project: Project, role: str) -> User:
        """Make a user with a role in the project."""
        user = self.user()
        owner = system_owner(project)
        self.services.organizations.set_member(self.actor(owner), project.organization.slug, user.username, "member")
        self.services.projects.set_member(self.actor(owner), project, user.username, role)
        return user

    def token(self, user: User, *, scopes: Sequence[str] = ("admin", "deploy", "read", "write"), **more: Any) -> str:
        """Make an API token."""
        more = {"project": None, "expires_in_days": None, **more}
        return self.services.tokens.create(self.actor(user), name="test", scopes=scopes, **more)[1]

    def headers(self, user: User, **more: Any) -> dict[str, str]:
        """The headers of a request by a token of the user."""
        return {"Authorization": f"Bearer {self.token(user, **more)}"}


def system_owner(project: Project) -> User:
    """Return an owner of the project's organization."""
    from modelyard.core.projects.models import OrganizationMember

    return (
        OrganizationMember.select()
        .where(OrganizationMember.organization == project.organization_id, OrganizationMember.role == "owner")
        .get()
        .user
    )


SYSTEM = system_actor("test")
