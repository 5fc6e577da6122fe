"""Letting go of what was kept long enough: events, ended deliveries, ended jobs."""

from __future__ import annotations

from typing import Any

from modelyard.config.settings import DataSettings
from modelyard.core.db import atomic, now_ms
from modelyard.core.jobs import OPEN_STATES, Job
from modelyard.core.notifications.models import AuditPurge, Delivery, Event

DAY_MS = 24 * 3600 * 1000
BATCH = 500


class RetentionService:
    """Deletes in short transactions, the oldest first, so that it may be ended and begun again at any point."""

    def __init__(self, settings: DataSettings) -> None:
        self._settings = settings

    def prune(self) -> dict[str, int]:
        """Delete all that is older than the settings keep, and say how many rows of each kind went."""
        return {
            "deliveries": _delete(
                Delivery, _ended(Delivery, Delivery.created_at_ms, self._settings.delivery_retention_days)
            ),
            "jobs": _delete(Job, _ended(Job, Job.finished_at_ms, self._settings.job_retention_days)),
            "events": self._prune_events(),
        }

    def _prune_events(self) -> int:
        if self._settings.audit_retention_days == 0:
            return 0
        before_ms = now_ms() - self._settings.audit_retention_days * DAY_MS
        count = 0
        while True:
            with atomic():
                permit = AuditPurge.create(before_ms=before_ms)
                deleted = _delete_batch(Event, Event.occurred_at_ms < before_ms)
                permit.delete_instance()
            count += deleted
            if deleted < BATCH:
                return count


def _ended(table: Any, since_ms: Any, days: int) -> Any:
    return table.state.not_in(OPEN_STATES) & (since_ms < now_ms() - days * DAY_MS)


def _delete(table: Any, condition: Any) -> int:
    count = 0
    while True:
        with atomic():
            deleted = _delete_batch(table, condition)
        count += deleted
        if deleted < BATCH:
            return count


def _delete_batch(table: Any, condition: Any) -> int:
    oldest = table.select(table.id).where(condition).order_by(table.id).limit(BATCH)
    deleted: int = table.delete().where(table.id.in_(oldest)).execute()
    return deleted
