"""Blocks of plugins, kept in the database: in force in every process within five seconds, over any restart.

A row is either somebody's block, which lasts until somebody lifts it, or a quarantine, which ends by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

import structlog
from peewee import BigIntegerField, CharField, IntegrityError, PeeweeException, TextField

from modelyard.core import db
from modelyard.core.db import Table, atomic, now_ms
from modelyard.core.errors import AlreadyExists, Conflict, ModelyardError, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor, system_actor
from modelyard.core.names import check_text
from modelyard.core.notifications.models import Delivery
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_holds import Hold, Holds
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.projects.models import Connection

MAX_AGE_SECONDS = 5.0
LONGEST_REASON = 500
LONGEST_PLUGIN_NAME = 200

log = structlog.get_logger(__name__)


class PluginBlock(Table):
    """A plugin that is not called. A quarantine has an end (`until_ms`)."""

    plugin = CharField(max_length=LONGEST_PLUGIN_NAME, unique=True)
    reason = TextField()
    blocked_by = CharField(max_length=200)
    blocked_at_ms = BigIntegerField(default=now_ms)
    until_ms = BigIntegerField(null=True)

    def as_hold(self) -> Hold:
        """Return what the guard looks at."""
        return Hold(self.plugin, self.reason, self.blocked_by, self.blocked_at_ms, self.until_ms)


class StoredHolds(Holds):
    """The holds of all processes, read again every five seconds; a lost database changes nothing of them."""

    def __init__(self, *, clock: Callable[[], float] = monotonic, wall_clock_ms: Callable[[], int] = now_ms) -> None:
        super().__init__(now_ms=wall_clock_ms)
        self.events: Events | None = None
        self._clock = clock
        self._read_at = clock() - MAX_AGE_SECONDS
        self._reading = threading.Lock()
        self._unsaved: dict[str, Hold] = {}

    def of(self, plugin: str) -> Hold | None:
        """Return the hold on a plugin as it was stored at most five seconds ago."""
        if self._clock() - self._read_at >= MAX_AGE_SECONDS:
            self.refresh()
        return super().of(plugin)

    def refresh(self) -> None:
        """Read the rows, unless another thread does so at this moment."""
        if not self._reading.acquire(blocking=False):
            return
        try:
            with db.connection():
                rows = {row.plugin: row.as_hold() for row in PluginBlock.select()}
            with self._lock:
                self._held = {**self._unsaved, **rows}
        except (PeeweeException, ModelyardError) as error:
            log.warning("plugin_blocks_not_read", error=str(error))
        finally:
            self._read_at = self._clock()
            self._reading.release()

    def quarantine(self, hold: Hold) -> None:
        """Put a plugin into quarantine, here at once and for all processes."""
        super().quarantine(hold)
        log.error("plugin_in_quarantine", plugin=hold.plugin, reason=hold.reason)
        try:
            with db.connection(), db.database.atomic():  # not what a request holds open: plugins may be called after it
                self._save(hold)
            self._unsaved.pop(hold.plugin, None)
        except (PeeweeException, ModelyardError) as error:
            self._unsaved[hold.plugin] = hold
            log.warning("quarantine_not_stored", plugin=hold.plugin, error=str(error))

    def _save(self, hold: Hold) -> None:
        row = {"plugin": hold.plugin, "reason": hold.reason, "blocked_by": hold.by, "blocked_at_ms": hold.since_ms}
        PluginBlock.delete().where(
            PluginBlock.plugin == hold.plugin,
            PluginBlock.until_ms.is_null(False),
            PluginBlock.until_ms <= hold.since_ms,
        ).execute()
        made = PluginBlock.insert(**row, until_ms=hold.until_ms).on_conflict_ignore().as_rowcount().execute()
        if made and self.events is not None:
            self.events.record(
                "plugin.quarantined",
                actor=system_actor("plugin guard"),
                object_id=hold.plugin,
                object_name=hold.plugin,
                after={"reason": hold.reason, "until_ms": hold.until_ms},
            )

    def release(self, plugin: str) -> None:
        """End the hold here; `PluginBlockService.unblock` ends it everywhere."""
        super().release(plugin)
        self._unsaved.pop(plugin, None)


class PluginBlockService:
    """Blocks plugins and lifts blocks; for instance administrators."""

    def __init__(self, *, events: Events, plugins: PluginManager, guard: Guard, selected: frozenset[str]) -> None:
        self._events = events
        self._plugins = plugins
        self._guard = guard
        self._selected = selected

    def block(self, actor: Actor, plugin: str, *, reason: str, force: bool = False) -> PluginBlock:
        """Have no process call the plugin any more, until it is unblocked; it stays loaded.

        `NotFound` for one that is not installed, `AlreadyExists` for one that is blocked, `Conflict` for one that the
        settings select as storage or tracker of all projects, unless `force` is given.
        """
        policy.require_instance_admin(actor, "plugin.block")
        check_text(reason, "reason", longest=LONGEST_REASON, shortest=1)
        self._plugins.plugin(plugin)
        if plugin in self._selected and not force:
            raise Conflict(
                f"The settings select {plugin!r} for all projects; without it they cannot work.",
                hint="Force it if that is what you want.",
            )
        try:
            with atomic():
                PluginBlock.delete().where(PluginBlock.plugin == plugin, PluginBlock.until_ms.is_null(False)).execute()
                block: PluginBlock = PluginBlock.create(plugin=plugin, reason=reason, blocked_by=actor.name)
                self._record(actor, plugin, "blocked", {"reason": reason})
        except IntegrityError:
            raise AlreadyExists(f"The plugin {plugin!r} is blocked already.", hint="Unblock it first.") from None
        self._guard.holds.hold(block.as_hold())
        return block

    def unblock(self, actor: Actor, plugin: str) -> None:
        """Lift the block or end the quarantine, and deliver what waits for it; `NotFound` where there is neither."""
        policy.require_instance_admin(actor, "plugin.block")
        with atomic():
            if not PluginBlock.delete().where(PluginBlock.plugin == plugin).execute():
                raise NotFound(f"The plugin {plugin!r} is neither blocked nor in quarantine.")
            self._record(actor, plugin, "unblocked", {})
            self._hasten_deliveries(plugin)
        self._guard.release(plugin)

    def _hasten_deliveries(self, plugin: str) -> None:
        notifiers = [entry.name for entry in self._plugins.providers("notifier") if entry.plugin == plugin]
        connections = Connection.select(Connection.id).where(
            Connection.kind == "notifier", Connection.provider.in_(notifiers)
        )
        mine = (Delivery.plugin == plugin) | Delivery.connection.in_(connections)
        Delivery.update(run_after_ms=now_ms()).where(Delivery.state == "queued", mine).execute()

    def _record(self, actor: Actor, plugin: str, verb: str, after: dict[str, str]) -> None:
        self._events.record(f"plugin.{verb}", actor=actor, object_id=plugin, object_name=plugin, after=after)
