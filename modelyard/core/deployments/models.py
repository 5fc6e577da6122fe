"""Tables of deployments: the wish, its immutable revisions, and what was seen of each replica."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, ForeignKeyField, IntegerField, TextField

from modelyard.core.db import JSONText, Table, new_id, now_ms
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion


class Deployment(Table):
    """What should run; `status` and `message` say what was seen. `revision` is the number of the wanted revision.

    `updated_at_ms` is when the wish was changed last: it starts the clock of the roll-out.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    project = ForeignKeyField(Project, on_delete="CASCADE", backref="deployments")
    name = CharField(max_length=63)
    target = CharField(max_length=63)
    desired_status = CharField(max_length=20, default="running")
    status = CharField(max_length=20, default="pending")
    message = TextField(default="")
    revision = IntegerField(default=0)
    encrypted_token = TextField()
    created_at_ms = BigIntegerField(default=now_ms)
    updated_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("project", "name"), True),)


class DeploymentRevision(Table):
    """One state of the wish; never changed."""

    deployment = ForeignKeyField(Deployment, on_delete="CASCADE", backref="revisions")
    deployment_id: int
    number = IntegerField()
    model_version = ForeignKeyField(ModelVersion, on_delete="RESTRICT")
    model_version_id: int
    replicas = IntegerField()
    environment = JSONText()
    ready_within_seconds = IntegerField()
    note = CharField(max_length=400, default="")
    created_by = CharField(max_length=200)
    created_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("deployment", "number"), True),)


class Replica(Table):
    """One copy of a revision as it was last seen; `seen_at_ms` is when what is seen changed last.

    `starts` counts since it was last seen ready for a while, and spaces the next ones (`next_start_at_ms`).
    """

    deployment = ForeignKeyField(Deployment, on_delete="CASCADE", backref="replicas")
    revision = IntegerField()
    replica_index = IntegerField()
    state = CharField(max_length=20, default="absent")
    address = CharField(max_length=400, null=True)
    message = TextField(default="")
    starts = IntegerField(default=0)
    next_start_at_ms = BigIntegerField(default=0)
    identity = JSONText(default=dict)
    seen_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("deployment", "revision", "replica_index"), True),)
