"""Tables of what happened and who is to be told: the outbox and the audit log in one."""

from __future__ import annotations

from collections import Counter
from typing import Any

from peewee import BigIntegerField, CharField, ForeignKeyField, TextField, fn

from modelyard.core.db import JSONText, Table, database, is_postgresql, new_id, now_ms
from modelyard.core.jobs import LeasedTable
from modelyard.core.projects.models import Connection, Organization, Project

CLAIM_LOCK = 0x64656C6976657279
MOST_OF_A_CONNECTION = 1
MOST_OF_A_PLUGIN = 2
MOST_OF_AN_ORGANIZATION = 2
MOST_ATTEMPTS_KEPT = 20
LONGEST_HOLD_SECONDS = 24 * 3600


class Event(Table):
    """One change, written in the transaction that made it.

    Rows are only ever added: triggers refuse all else, but for what `AuditPurge` lets go and for an organization or
    project that is gone, whose slugs stay.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    organization = ForeignKeyField(Organization, null=True, on_delete="SET NULL", index=False)
    project = ForeignKeyField(Project, null=True, on_delete="SET NULL", index=False)
    organization_slug = CharField(max_length=63, default="")
    project_slug = CharField(max_length=63, default="")
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
        indexes = (
            (("project", "id"), False),
            (("organization", "id"), False),
            (("actor_id", "id"), False),
            (("action", "id"), False),
        )


class AuditPurge(Table):
    """While it has a row, events from before that time may be deleted: the row lives as long as its transaction."""

    before_ms = BigIntegerField()


class Delivery(LeasedTable):
    """One event for one subscriber: a plugin's moment, or a notifier connection.

    `subscriber` is the plugin's or connection's name, and stays when the connection is deleted.
    """

    public_id = CharField(max_length=32, unique=True, default=new_id)
    event = ForeignKeyField(Event, on_delete="CASCADE", backref="deliveries")
    subscriber = CharField(max_length=63)
    plugin = CharField(max_length=63, null=True)
    moment = CharField(max_length=63, null=True)
    connection = ForeignKeyField(Connection, null=True, on_delete="SET NULL")
    connection_id: int | None
    last_error = TextField(null=True)
    created_at_ms = BigIntegerField(default=now_ms)
    delivered_at_ms = BigIntegerField(null=True)

    def hold_back_others(self, seconds: float | None) -> None:
        """Let what else waits for this connection wait as long as its receiver has asked for, up to a day."""
        if seconds and self.connection_id is not None:
            due = now_ms() + int(min(seconds, LONGEST_HOLD_SECONDS) * 1000)
            waiting = (Delivery.connection == self.connection_id) & (Delivery.state == "queued")
            Delivery.update(run_after_ms=due).where(waiting, Delivery.run_after_ms < due).execute()

    @classmethod
    def claimable(cls, now: int) -> Any:
        """Leave out whoever has its share of attempts under way, so that no hanging receiver holds all threads.

        Claims come one after the other for this: two at once would not see each other's.
        """
        if is_postgresql():
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (CLAIM_LOCK,))
        claimable = super().claimable(now)
        under_way = (
            cls.select(cls.connection, cls.plugin, Event.organization)
            .join(Event)
            .where(cls.state == "running", cls.lease_until_ms >= now)
            .tuples()
        )
        rows: list[Any] = list(under_way)
        for column, busy in (
            (cls.connection, _with_their_share([row[0] for row in rows], MOST_OF_A_CONNECTION)),
            (cls.plugin, _with_their_share([row[1] for row in rows], MOST_OF_A_PLUGIN)),
        ):
            if busy:
                claimable &= column.is_null() | column.not_in(busy)
        busy = _with_their_share([row[2] for row in rows if row[0] is not None], MOST_OF_AN_ORGANIZATION)
        if busy:
            theirs = Event.select(Event.id).where(Event.id == cls.event, Event.organization.in_(busy))
            claimable &= cls.connection.is_null() | ~fn.EXISTS(theirs)
        return claimable


def _with_their_share(keys: list[Any], most: int) -> list[Any]:
    """Return the keys that are there as often as they may be."""
    return [key for key, count in Counter(keys).items() if key is not None and count >= most]


class DeliveryAttempt(Table):
    """One attempt at a delivery: `outcome` is delivered, failed (tried again) or refused (final)."""

    delivery = ForeignKeyField(Delivery, on_delete="CASCADE")
    started_at_ms = BigIntegerField()
    duration_ms = BigIntegerField()
    outcome = CharField(max_length=20)
    error = TextField(null=True)

    class Meta:
        table_name = "delivery_attempt"

    @classmethod
    def of(cls, delivery: Delivery) -> list[DeliveryAttempt]:
        """Return the attempts that are kept, the newest first."""
        return list(cls.select().where(cls.delivery == delivery).order_by(cls.id.desc()))

    @classmethod
    def note(cls, delivery: Delivery, *, started_at_ms: int, outcome: str, error: str | None = None) -> None:
        """Write down an attempt that ends now, in the transaction that records its outcome; the newest 20 are kept."""
        cls.create(
            delivery=delivery,
            started_at_ms=started_at_ms,
            duration_ms=max(0, now_ms() - started_at_ms),
            outcome=outcome,
            error=error,
        )
        kept = cls.select(cls.id).where(cls.delivery == delivery).order_by(cls.id.desc()).limit(MOST_ATTEMPTS_KEPT)
        cls.delete().where(cls.delivery == delivery, cls.id.not_in(kept)).execute()
