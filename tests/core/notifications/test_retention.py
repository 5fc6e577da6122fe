"""What was kept long enough goes; what is open, younger, or kept for ever stays."""

from __future__ import annotations

from typing import Any

import pytest

from modelyard.config.settings import DataSettings
from modelyard.core.bootstrap import Services
from modelyard.core.db import new_id, now_ms
from modelyard.core.jobs import Job, enqueue
from modelyard.core.notifications import retention, tasks
from modelyard.core.notifications.models import AuditPurge, Delivery, DeliveryAttempt, Event
from modelyard.core.notifications.retention import DAY_MS, RetentionService
from modelyard.core.worker import Worker
from tests.factories import Factories


def event(days_ago: int) -> Event:
    return Event.create(
        actor_kind="user", actor_id="u", actor_name="ada", action="a.b", object_kind="a", object_id="x",
        object_name="x", before={}, after={}, occurred_at_ms=now_ms() - days_ago * DAY_MS,
    )  # fmt: skip


def delivery(of: Event, days_ago: int, state: str) -> Delivery:
    made = Delivery.create(
        event=of, subscriber="bell", plugin="bell", state=state, created_at_ms=now_ms() - days_ago * DAY_MS
    )
    DeliveryAttempt.note(made, started_at_ms=1, outcome="failed")
    return made


def test_each_kind_goes_after_its_time(opened_database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    young = event(9)
    for _ in range(5):
        event(11)
    kept = [delivery(young, 31, "queued"), delivery(young, 31, "running"), delivery(young, 29, "done")]
    for state in ("done", "failed", "done"):
        delivery(young, 31, state)
    for days_ago, state in ((8, "done"), (8, "failed"), (6, "done")):
        finished = now_ms() - days_ago * DAY_MS
        Job.create(kind="x", arguments={}, state=state, public_id=new_id(), finished_at_ms=finished)
    enqueue("x", {}, after_seconds=60)
    service = RetentionService(DataSettings(audit_retention_days=10))
    assert service.prune() == {"deliveries": 3, "jobs": 2, "events": 5}
    assert [row.id for row in Event.select()] == [young.id]
    assert [row.id for row in Delivery.select().order_by(Delivery.id)] == [row.id for row in kept]
    assert DeliveryAttempt.select().count() == 3
    assert sorted(row.state for row in Job.select()) == ["done", "queued"]
    assert AuditPurge.select().count() == 0
    assert service.prune() == {"deliveries": 0, "jobs": 0, "events": 0}


def test_events_are_kept_for_ever_unless_told_otherwise(opened_database: Any) -> None:
    event(30_000)
    assert RetentionService(DataSettings()).prune()["events"] == 0
    assert Event.select().count() == 1


def test_the_job_comes_again_and_is_there_once(services: Services, factories: Factories) -> None:
    old = delivery(event(1), 31, "done")
    worker = Worker(services, threads=1, lease_seconds=60, max_attempts=1)
    for _ in range(3):
        tasks.begin()
        while worker.run_once(jobs_only=True):
            pass
    assert Delivery.get_or_none(Delivery.id == old.id) is None
    (job,) = Job.select().where(Job.kind == tasks.PRUNE)
    assert (job.state, job.attempts) == ("queued", 0)
    assert 3_000_000 < job.run_after_ms - now_ms() <= 3_600_000
