"""What changed in a project since the last look: which runs, and what happened to things that people manage.

A cursor holds a time and, of what was told from then on, what it was; the next look reads everything from that time on
and leaves out what was told. So a change is told although it is seen later than another that bears a later time: the
time is taken before the change is committed, and writers wait for each other. The cursor goes at most to `OVERLAP_MS`
before the newest change; a transaction that takes longer, or clocks of two servers that differ by more, could be
missed. Where nothing is new the cursor stays, letter by letter, but for the once when all that it remembers is past.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from modelyard.core.db import now_ms
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import Tracker
from modelyard.core.notifications.models import Event
from modelyard.core.projects.access import authorize
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import RunChange
from modelyard.core.tracking.paging import fingerprint, make_token, read_token
from modelyard.core.tracking.service import TrackingService
from modelyard.core.tracking.tail import Int64

OVERLAP_MS = 30_000
MOST_TOLD = 300
"""Changes in one answer, and those that a cursor remembers: more than that is better read anew."""


class ThingChange(Struct):
    """Something that happened to a thing that people manage."""

    id: int
    kind: str
    thing_id: str
    action: str
    changed_at_ms: int


class Changes(Struct):
    """What is new. `runs` is None where the tracker cannot tell; where not `is_complete`, more changed than is told."""

    cursor: str
    runs: list[RunChange] | None
    things: list[ThingChange]
    is_complete: bool = True


class _Position(Struct, array_like=True):
    """Where a look goes on: times and event ids, and the marks of what was told from there on."""

    runs_since_ms: Int64
    told_runs: list[str]
    events_after: Int64
    told_events: list[int]


class ChangeService(TrackingService):
    """What a page asks that shows a project live."""

    def changes(self, actor: Actor, project: Project, *, after: str | None = None) -> Changes:
        """Return what changed since the cursor `after`; without one nothing, and the cursor of now."""
        authorize(actor, project, "event.read")
        tracker = self._reading(actor, project)
        search = fingerprint("changes", project.id)
        before = _read(after, search) if after else None
        if before is None:
            return Changes(make_token(search, [_now(tracker, project)]), [], [])
        runs = tracker.changed_runs(project.id, before.runs_since_ms, limit=MOST_TOLD + 1)
        things = _things(project, before.events_after)
        if len(runs or ()) > MOST_TOLD or len(things) > MOST_TOLD:
            cursor = make_token(search, [_now(tracker, project)])
            return Changes(cursor, None if runs is None else [], [], is_complete=False)
        told_runs, told_events = set(before.told_runs), set(before.told_events)
        new_runs = None if runs is None else [run for run in runs if _mark(run) not in told_runs]
        new_things = [thing for thing in things if thing.id not in told_events]
        if not new_runs and not new_things:
            rested = _rested(runs or [], things, before)
            return Changes(make_token(search, [rested]) if rested else after or "", new_runs, [])
        position = _position(runs or [], things, before)
        return Changes(make_token(search, [position]), new_runs, new_things)


def _read(cursor: str, search: str) -> _Position:
    position: _Position = read_token(cursor, search, tuple[_Position])[0]
    return position


def _now(tracker: Tracker, project: Project) -> _Position:
    """Return the position at which all that is there counts as told."""
    since = now_ms() - OVERLAP_MS
    runs = tracker.changed_runs(project.id, since, limit=MOST_TOLD) or []
    newest = Event.select(Event.id).where(Event.project == project, Event.occurred_at_ms < since)
    last = newest.order_by(Event.id.desc()).limit(1).scalar() or 0
    things = _things(project, last)
    return _Position(since, [_mark(run) for run in runs], last, [thing.id for thing in things[:MOST_TOLD]])


def _position(runs: list[RunChange], things: list[ThingChange], before: _Position) -> _Position:
    """Go on to shortly before the newest change; what is told from there on is remembered."""
    now = now_ms()
    newest_run = min(now, max((run.updated_at_ms for run in runs), default=0))
    since = max(before.runs_since_ms, newest_run - OVERLAP_MS)
    newest_thing = min(now, max((thing.changed_at_ms for thing in things), default=0))
    old = (thing.id for thing in things if thing.changed_at_ms < newest_thing - OVERLAP_MS)
    last = max(old, default=before.events_after)
    return _Position(
        since,
        [_mark(run) for run in runs if run.updated_at_ms >= since],
        last,
        [thing.id for thing in things if thing.id > last],
    )


def _rested(runs: list[RunChange], things: list[ThingChange], before: _Position) -> _Position | None:
    """Forget what was told once all of it is long past; None where it is not, or where nothing is remembered."""
    newest_run = max((run.updated_at_ms for run in runs), default=0)
    newest = max((thing.changed_at_ms for thing in things), default=newest_run)
    if not (before.told_runs or before.told_events) or max(newest, newest_run) >= now_ms() - OVERLAP_MS:
        return None
    last = max(before.told_events, default=before.events_after)
    return _Position(max(before.runs_since_ms, newest_run + 1), [], last, [])


def _things(project: Project, after: int) -> list[ThingChange]:
    columns: tuple[Any, ...] = (Event.id, Event.object_kind, Event.object_id, Event.action, Event.occurred_at_ms)
    found = Event.select(*columns).where(Event.project == project, Event.id > after).order_by(Event.id)
    rows: Iterable[Any] = found.limit(MOST_TOLD + 1).tuples()
    return [ThingChange(*row) for row in rows]


def _mark(run: RunChange) -> str:
    """Name a change of a run in few letters."""
    return hashlib.blake2s(f"{run.run_id} {run.updated_at_ms}".encode(), digest_size=5).hexdigest()
