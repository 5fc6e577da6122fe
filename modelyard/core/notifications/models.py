"""Tables of what happened and who is to be told: the outbox and the audit log in one."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, ForeignKeyField, TextField

from modelyard.core.db import JSONText, Table, new_id, now_ms
from modelyard.core.jobs import LeasedTable
from modelyard.core.projects.models import Connection, Organization, Project


class Event(Table):
    """One change, written in the transaction that made it; rows are only ever added."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    organization = ForeignKeyField(Organization, null=True, on_delete="CASCADE")
    project = ForeignKeyField(Project, null=True, on_delete="CASCADE")
    actor_kind = CharField(max_length=20)
    actor_id = CharField(max_length=64)
    actor_name = CharField(max_length=200)
    action = CharField(max_length=63)
    object_kind = CharField(max_length=63)
    object_id = CharField(max_length=64)
    object_name = CharField(max_length=512)
    before = JSONText()
    after = JSONText()
    request_id = CharField(max_length=64, default="")
    address = CharField(max_length=64, default="")
    schema_version = BigIntegerField(default=1)
    occurred_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        indexes = ((("project", "id"), False),)


class Delivery(LeasedTable):
    """One event for one subscriber: a plugin's moment, or a notifier connection."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    event = ForeignKeyField(Event, on_delete="CASCADE", backref="deliveries")
    plugin = CharField(max_length=63, null=True)
    moment = CharField(max_length=63, null=True)
    connection = ForeignKeyField(Connection, null=True, on_delete="CASCADE")
    connection_id: int | None
    last_error = TextField(null=True)
    created_at_ms = BigIntegerField(default=now_ms)
    delivered_at_ms = BigIntegerField(null=True)
