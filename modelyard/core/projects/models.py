"""Tables of tenants: organizations, projects, their members, and the connections that they made."""

from __future__ import annotations

from peewee import BigIntegerField, BooleanField, CharField, ForeignKeyField, TextField

from modelyard.core.db import JSONText, Table, new_id, now_ms
from modelyard.core.identity.models import User


class Organization(Table):
    """A tenant."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    slug = CharField(max_length=63, unique=True)
    name = CharField(max_length=200)
    created_at_ms = BigIntegerField(default=now_ms)


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

    `subscriptions` are the actions that a notifier is told of, as names or with a star at the end.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    organization = ForeignKeyField(Organization, on_delete="CASCADE", backref="connections")
    project_id = BigIntegerField(null=True, index=True)
    name = CharField(max_length=63)
    kind = CharField(max_length=20)
    provider = CharField(max_length=63)
    settings = JSONText()
    encrypted_secrets = TextField(null=True)
    subscriptions = JSONText(default=list)
    enabled = BooleanField(default=True)
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("organization", "project_id", "name"), True),)


class Project(Table):
    """Where experiments, models and deployments live. The counter numbers experiments and never goes back."""

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
