"""Work for later, as leased rows: nothing acknowledged is lost, whatever is killed.

A worker claims a row by one conditional UPDATE that also raises `fence`; it then holds the lease until
`lease_until_ms` and prolongs it by heartbeats. Whoever finds the lease run out may claim the row again, which raises
`fence` once more, so that every later write of the first holder fails (`Lease.confirm`). Rows are claimed in the
order of `run_after_ms`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from peewee import BigIntegerField, Case, CharField, IntegerField, TextField

from modelyard.core.db import JSONText, Table, atomic, database, is_postgresql, new_id, now_ms
from modelyard.core.errors import LeaseLost

OPEN_STATES = ("queued", "running")
WANTED_ONCE = 0
"""`run_after_ms` of a running row that nobody has asked for again since it was claimed."""

Leased = TypeVar("Leased", bound="LeasedTable")


class LeasedTable(Table):
    """Columns and verbs of rows that workers claim. `state` is queued, running, done or failed."""

    state = CharField(max_length=20, default="queued")
    run_after_ms = BigIntegerField(default=now_ms)
    lease_until_ms = BigIntegerField(default=0)
    leased_by = CharField(max_length=64, null=True)
    fence = BigIntegerField(default=now_ms)
    attempts = IntegerField(default=0)

    class Meta:
        indexes = ((("state", "run_after_ms"), False),)

    @classmethod
    def claim(cls: type[Leased], worker: str, lease_ms: int) -> Leased | None:
        """Take the due row that has waited longest, or one whose lease ran out; None when there is none.

        Safe against any number of claimers: one gets the row, the others the next one.
        """
        now = now_ms()
        with atomic():
            due = cls.select(cls.id).where(cls.claimable(now)).order_by(cls.run_after_ms, cls.id).limit(1)
            if is_postgresql():
                due = due.for_update(skip_locked=True)
            row_id = due.scalar()
            if row_id is None:
                return None
            cls.update(
                state="running",
                run_after_ms=WANTED_ONCE,
                leased_by=worker,
                lease_until_ms=now + lease_ms,
                fence=cls.fence + 1,
                attempts=cls.attempts + 1,
            ).where(cls.id == row_id).execute()
            return cls.get_by_id(row_id)

    @classmethod
    def claimable(cls, now: int) -> Any:
        """Return the condition of rows that may be claimed, within the transaction that claims one of them."""
        waiting = (cls.state == "queued") & (cls.run_after_ms <= now)
        return waiting | ((cls.state == "running") & (cls.lease_until_ms < now))


@dataclass(frozen=True, slots=True)
class Again:
    """What a handler returns to have its own row run once more, after a pause."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class Lease:
    """One claim on one row."""

    table: type[LeasedTable]
    row_id: int
    fence: int

    def confirm(self, **changes: Any) -> None:
        """Write `changes` to the row if the lease is still ours; call it inside the transaction of an effect.

        Raises `LeaseLost`, which rolls that effect back, when another worker has claimed the row since.
        """
        table = self.table
        mine = (table.id == self.row_id) & (table.fence == self.fence) & (table.state == "running")
        if table.update(**(changes or {"fence": table.fence})).where(mine).execute() == 0:
            raise LeaseLost(f"{table.__name__} {self.row_id} was taken over by another worker.")

    def finish(self, again: Again | None = None, **changes: Any) -> None:
        """Close the row as done, or queue it again where the handler or, meanwhile, somebody else wants that."""
        table = self.table
        wanted = table.run_after_ms > WANTED_ONCE
        done_at = now_ms()
        if again is not None:
            when = self._no_later_than(done_at + int(again.after_seconds * 1000))
            self.confirm(state="queued", run_after_ms=when, attempts=0, leased_by=None, **changes)
            return
        closing = {"leased_by": None, "attempts": Case(None, [(wanted, 0)], table.attempts)}
        state = Case(None, [(wanted, "queued")], "done")
        self.confirm(state=state, **closing, **self._closing(wanted, done_at), **changes)

    def _no_later_than(self, due_ms: int) -> Any:
        """Return when the row is due next: at `due_ms`, or sooner if somebody asked for that since it was claimed."""
        table = self.table
        sooner = (table.run_after_ms > WANTED_ONCE) & (table.run_after_ms < due_ms)
        return Case(None, [(sooner, table.run_after_ms)], due_ms)

    def _closing(self, wanted: Any, done_at: int) -> dict[str, Any]:
        if self.table is not Job:
            return {}
        return {
            "dedupe_key": Case(None, [(wanted, Job.dedupe_key)], None),
            "finished_at_ms": Case(None, [(wanted, None)], done_at),
        }

    def fail(self, error: str, *, retry_after_seconds: float | None) -> None:
        """Record the error, and queue the row again after a pause, or close it as failed where that is None.

        A row that somebody asked for again meanwhile is not closed: it begins anew, at once.
        """
        if retry_after_seconds is not None:
            due = self._no_later_than(now_ms() + int(retry_after_seconds * 1000))
            self.confirm(state="queued", run_after_ms=due, leased_by=None, last_error=error)
            return
        wanted = self.table.run_after_ms > WANTED_ONCE
        state = Case(None, [(wanted, "queued")], "failed")
        attempts = Case(None, [(wanted, 0)], self.table.attempts)
        closing = {"leased_by": None, "last_error": error, "attempts": attempts}
        self.confirm(state=state, **closing, **self._closing(wanted, now_ms()))

    def postpone(self, reason: str, *, after_seconds: float) -> None:
        """Queue the row again as if it had not been tried: what it needs is not asked for the time being."""
        due = self._no_later_than(now_ms() + int(after_seconds * 1000))
        attempts = self.table.attempts - 1
        self.confirm(state="queued", run_after_ms=due, leased_by=None, last_error=reason, attempts=attempts)

    def prolong(self, lease_ms: int) -> None:
        """Keep the lease for another `lease_ms`; raises `LeaseLost` as `confirm` does."""
        self.confirm(lease_until_ms=now_ms() + lease_ms)


class Job(LeasedTable):
    """Work of a kind with JSON arguments. `dedupe_key` is unique among open jobs."""

    public_id = CharField(max_length=32, unique=True, default=new_id)
    kind = CharField(max_length=63)
    arguments = JSONText()
    dedupe_key = CharField(max_length=200, null=True, unique=True)
    last_error = TextField(null=True)
    created_at_ms = BigIntegerField(default=now_ms)
    finished_at_ms = BigIntegerField(null=True)


class WorkerRow(Table):
    """A worker process that is or was alive; `seen_at_ms` is its heartbeat."""

    name = CharField(max_length=64, unique=True)
    host = CharField(max_length=255)
    pid = IntegerField()
    started_at_ms = BigIntegerField(default=now_ms)
    seen_at_ms = BigIntegerField(default=now_ms)

    class Meta:
        table_name = "worker"


Handler = Callable[[Any, Lease, Mapping[str, Any]], Again | None]


class Handlers:
    """The kinds of jobs and what does them, filled by each subject's `tasks.py`."""

    known: ClassVar[dict[str, Handler]] = {}

    @classmethod
    def register(cls, kind: str) -> Callable[[Handler], Handler]:
        """Decorate the function that does jobs of `kind`: it gets the services, its lease and the arguments."""

        def keep(handler: Handler) -> Handler:
            cls.known[kind] = handler
            return handler

        return keep


class Bell:
    """Wakes workers when there is work. Losing a ring costs latency, never work."""

    CHANNEL = "modelyard_work"

    @classmethod
    def ring(cls) -> None:
        """Ring once the surrounding transaction is durable; on SQLite workers notice the commit by themselves."""
        if is_postgresql():
            database.execute_sql(f"NOTIFY {cls.CHANNEL}")


def enqueue(
    kind: str, arguments: Mapping[str, Any], *, dedupe_key: str | None = None, after_seconds: float = 0
) -> None:
    """Write a job, in the caller's transaction if there is one.

    With a `dedupe_key` that an open job has, no second one is made: the open job is made due at once instead, also when
    it is running (it then runs once more).
    """
    due = now_ms() + int(after_seconds * 1000)
    with atomic():
        if dedupe_key is not None and _hasten(dedupe_key, due):
            Bell.ring()
            return
        Job.insert(
            public_id=new_id(), kind=kind, arguments=dict(arguments), dedupe_key=dedupe_key, run_after_ms=due
        ).on_conflict_ignore().execute()
        Bell.ring()


def _hasten(dedupe_key: str, due_ms: int) -> bool:
    """Make the open job of that key due no later than `due_ms`; say whether there is one.

    `run_after_ms` of a running job is when it is wanted next: `Lease.finish` reads it.
    """
    sooner = (Job.run_after_ms > due_ms) | (Job.run_after_ms == WANTED_ONCE)
    due = Case(None, [(sooner, due_ms)], Job.run_after_ms)
    open_job = (Job.dedupe_key == dedupe_key) & Job.state.in_(OPEN_STATES)
    return bool(Job.update(run_after_ms=due).where(open_job).execute())
