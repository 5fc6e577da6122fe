"""Tables of tenants: organizations, projects, their members and invitations, and the connections that they made."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from peewee import BigIntegerField, BooleanField, CharField, DeferredForeignKey, ForeignKeyField, TextField

from modelyard.core.db import JSONText, Table, new_id, now_ms
from modelyard.core.identity.models import User


class Organization(Table):
    """A tenant. A deleted one is found by nobody and its slug is free; a purged one is a name for its events."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    slug = CharField(max_length=63)
    name = CharField(max_length=200)
    created_at_ms = BigIntegerField(default=now_ms)
    deleted_at_ms = BigIntegerField(null=True)
    purge_started_at_ms = BigIntegerField(null=True)
    purged_at_ms = BigIntegerField(null=True)


Organization.add_index(
    Organization.index(
        Organization.slug,
        unique=True,
        where=Organization.deleted_at_ms.is_null(),
        name="organization_slug_of_living",
    )
)


class OrganizationMember(Table):
    """A user's role in an organization."""

    organization = ForeignKeyField(Organization, on_delete="CASCADE", backref="members")
    user = ForeignKeyField(User, on_delete="CASCADE")
    role = CharField(max_length=20)
    created_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("organization", "user"), True),)


class Connection(Table):
    """A provider with its settings; `encrypted_secrets` is a Fernet token over their JSON, or nothing.

    One without a project is of the organization and serves all its projects; a project's own of the same name wins.
    `subscriptions` are the actions that a notifier is told of, as names or with a star at the end; a tracker is
    `enabled` while its project tracks with it. `managed_by` is ``api`` or ``settings``; `health_*` is what it last said
    of itself, None where it was never asked as it is now.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    organization = ForeignKeyField(Organization, on_delete="CASCADE", backref="connections")
    organization_id: int
    project = DeferredForeignKey("Project", null=True, on_delete="CASCADE", backref="connections")
    project_id: Any
    name = CharField(max_length=63)
    kind = CharField(max_length=20)
    provider = CharField(max_length=63)
    settings = JSONText()
    encrypted_secrets = TextField(null=True)
    subscriptions = JSONText(default=list)
    enabled = BooleanField(default=True)
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)
    managed_by = CharField(max_length=20, default="api")
    health_ok = BooleanField(null=True)
    health_message = TextField(default="")
    health_checked_at_ms = BigIntegerField(null=True)

    class Meta:
        indexes = ((("organization", "project", "name"), True),)

    @classmethod
    def visible_in(cls, project: Project) -> Any:
        """Return the condition of those that a project may use: its own, and those of its organization.

        One of the organization is hidden by the project's own of the same kind and name.
        """
        own = cls.alias()
        names = own.select(own.name).where(own.project == project.id, own.kind == cls.kind)
        shared = cls.project.is_null() & cls.name.not_in(names)
        return (cls.organization == project.organization_id) & ((cls.project == project.id) | shared)


class Project(Table):
    """Where experiments, models and deployments live. The counter numbers experiments and never goes back.

    A deleted one is found by nobody and its slug is free, until it is restored or purged. A quota that is NULL is none.
    `artifact_bytes` is what its artifacts are counted to have (`modelyard.core.artifacts.usage`).
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    organization = ForeignKeyField(Organization, on_delete="CASCADE", backref="projects")
    organization_id: int
    storage_connection_id: int | None
    slug = CharField(max_length=63)
    name = CharField(max_length=200)
    description = TextField(default="")
    allow_local_deployments = BooleanField(default=False)
    storage_connection = ForeignKeyField(Connection, null=True, on_delete="RESTRICT")
    last_experiment_number = BigIntegerField(default=0)
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)
    archived_at_ms = BigIntegerField(null=True)
    deleted_at_ms = BigIntegerField(null=True)
    purge_started_at_ms = BigIntegerField(null=True)
    max_runs = BigIntegerField(null=True)
    max_deployments = BigIntegerField(null=True)
    artifact_bytes = BigIntegerField(default=0)
    max_artifact_bytes = BigIntegerField(null=True)

    @cached_property
    def tracker_connection(self) -> Connection | None:
        """The connection that it tracks with, looked up once; None for the server's own tracker."""
        own = (Connection.project == self.id) & (Connection.kind == "tracker")
        found: Connection | None = Connection.select().where(own, Connection.enabled).first()
        return found

    @property
    def is_deleted(self) -> bool:
        """Whether it, or the organization that it is in, is deleted."""
        return self.deleted_at_ms is not None or self.organization.deleted_at_ms is not None


Project.add_index(
    Project.index(
        Project.organization,
        Project.slug,
        unique=True,
        where=Project.deleted_at_ms.is_null(),
        name="project_slug_of_living",
    )
)


class OrganizationFormerSlug(Table):
    """A slug that an organization had: it leads there until another one takes it."""

    organization = ForeignKeyField(Organization, on_delete="CASCADE", backref="former_slugs")
    slug = CharField(max_length=63, unique=True)
    created_at_ms = BigIntegerField(default=now_ms)


class ProjectFormerSlug(Table):
    """A slug that a project had in its organization: it leads there until another one takes it."""

    organization = ForeignKeyField(Organization, on_delete="CASCADE", index=False)
    project = ForeignKeyField(Project, on_delete="CASCADE", backref="former_slugs")
    slug = CharField(max_length=63)
    created_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("organization", "slug"), True),)


class ProjectMember(Table):
    """A user's role in a project."""

    project = ForeignKeyField(Project, on_delete="CASCADE", backref="members")
    user = ForeignKeyField(User, on_delete="CASCADE")
    role = CharField(max_length=20)
    created_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("project", "user"), True),)


class Invitation(Table):
    """A way into an organization, and one of its projects, for whoever has the link; `secret_hash` is its SHA-256.

    It is good once, for some time, and as long as whoever made it may still let people in with that role.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    organization = ForeignKeyField(Organization, on_delete="CASCADE", backref="invitations")
    organization_id: int
    role = CharField(max_length=20)
    project = ForeignKeyField(Project, null=True, on_delete="CASCADE")
    project_role = CharField(max_length=20, null=True)
    email = CharField(max_length=320, default="")
    secret_hash = CharField(max_length=64, unique=True)
    invited_by = ForeignKeyField(User, on_delete="CASCADE", backref="invitations")
    maker_role: str | None
    created_at_ms = BigIntegerField(default=now_ms)
    expires_at_ms = BigIntegerField()
    accepted_at_ms = BigIntegerField(null=True)
    accepted_by = ForeignKeyField(User, null=True, on_delete="SET NULL", backref="accepted_invitations")
    revoked_at_ms = BigIntegerField(null=True)


class MappedRole(Table):
    """A role that groups of the identity provider gave, in a project, an organization, or (neither) on the instance.

    `role_by_hand` is the smaller one that the user was given by hand before, to be held again without the group.
    """

    user = ForeignKeyField(User, on_delete="CASCADE")
    organization = ForeignKeyField(Organization, null=True, on_delete="CASCADE")
    organization_id: int | None
    project = ForeignKeyField(Project, null=True, on_delete="CASCADE")
    project_id: int | None
    role = CharField(max_length=20)
    role_by_hand = CharField(max_length=20, null=True)


Connection.add_index(
    Connection.index(
        Connection.organization,
        Connection.name,
        unique=True,
        where=Connection.project.is_null(),
        name="connection_of_organization",
    )
)
