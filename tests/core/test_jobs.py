"""Jobs: claiming, leases, fencing, running again, giving up. The same on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.errors import InvalidInput, LeaseLost, PluginUnavailable, Unavailable
from modelyard.core.jobs import Again, Handlers, Job, Lease, enqueue
from modelyard.core.worker import LONGEST_PAUSE_SECONDS, Worker, backoff_seconds, pause_seconds

LEASE_MS = 60_000


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    known: dict[str, Any] = {}
    monkeypatch.setattr(Handlers, "known", known)
    return known


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


def lease_of(job: Job) -> Lease:
    return Lease(Job, job.id, job.fence)


def run_out(job: Job) -> None:
    Job.update(lease_until_ms=1).where(Job.id == job.id).execute()


def test_a_job_is_claimed_once(opened_database: Any) -> None:
    enqueue("count", {"to": 3})
    first, second = Job.claim("a", LEASE_MS), Job.claim("b", LEASE_MS)
    assert (first.arguments, first.leased_by, first.attempts) == ({"to": 3}, "a", 1)
    assert second is None


def test_a_job_waits_for_its_time(opened_database: Any) -> None:
    enqueue("later", {}, after_seconds=60)
    assert Job.claim("a", LEASE_MS) is None


def test_the_first_holder_can_write_nothing_once_another_took_over(opened_database: Any) -> None:
    enqueue("x", {})
    first = Job.claim("a", LEASE_MS)
    run_out(first)
    second = Job.claim("b", LEASE_MS)
    assert second.fence == first.fence + 1
    for act in (lease_of(first).confirm, lease_of(first).finish, lambda: lease_of(first).prolong(1)):
        with pytest.raises(LeaseLost):
            act()
    with pytest.raises(LeaseLost):
        lease_of(first).fail("too late", retry_after_seconds=None)
    lease_of(second).finish()
    assert Job.get_by_id(first.id).state == "done"


def test_an_effect_is_rolled_back_with_a_lost_lease(opened_database: Any) -> None:
    enqueue("x", {})
    first = Job.claim("a", LEASE_MS)
    run_out(first)
    Job.claim("b", LEASE_MS)
    with pytest.raises(LeaseLost), db.atomic():
        enqueue("effect", {})
        lease_of(first).confirm()
    assert Job.select().where(Job.kind == "effect").count() == 0


def test_an_open_job_of_the_same_key_is_hastened_and_not_doubled(opened_database: Any) -> None:
    enqueue("x", {}, dedupe_key="k", after_seconds=60)
    enqueue("x", {}, dedupe_key="k")
    assert Job.select().count() == 1
    assert Job.claim("a", LEASE_MS) is not None


def test_a_job_that_is_wanted_while_it_runs_runs_once_more(opened_database: Any) -> None:
    enqueue("x", {}, dedupe_key="k")
    job = Job.claim("a", LEASE_MS)
    enqueue("x", {}, dedupe_key="k")
    lease_of(job).finish()
    assert Job.get_by_id(job.id).state == "queued"
    again = Job.claim("a", LEASE_MS)
    lease_of(again).finish()
    done = Job.get_by_id(job.id)
    assert (done.state, done.dedupe_key) == ("done", None)
    enqueue("x", {}, dedupe_key="k")
    assert Job.select().count() == 2


def test_again_keeps_a_sooner_wish(opened_database: Any) -> None:
    enqueue("x", {}, dedupe_key="k")
    job = Job.claim("a", LEASE_MS)
    enqueue("x", {}, dedupe_key="k")
    lease_of(job).finish(Again(3600))
    assert Job.claim("a", LEASE_MS) is not None


def test_a_failed_attempt_does_not_put_off_a_wish_that_came_meanwhile(opened_database: Any) -> None:
    enqueue("x", {}, dedupe_key="k")
    job = Job.claim("a", LEASE_MS)
    enqueue("x", {}, dedupe_key="k")
    lease_of(job).fail("not now", retry_after_seconds=600)
    assert Job.claim("a", LEASE_MS) is not None


def test_a_wish_that_came_during_the_last_attempt_begins_anew(opened_database: Any) -> None:
    enqueue("x", {}, dedupe_key="k")
    job = Job.claim("a", LEASE_MS)
    enqueue("x", {}, dedupe_key="k")
    lease_of(job).fail("given up", retry_after_seconds=None)
    again = Job.claim("a", LEASE_MS)
    assert (again.id, again.attempts, again.dedupe_key) == (job.id, 1, "k")


def test_a_rolled_back_transaction_leaves_no_job(opened_database: Any) -> None:
    with pytest.raises(ZeroDivisionError), db.atomic():
        enqueue("x", {})
        _ = 1 / 0
    assert Job.select().count() == 0


def test_the_worker_does_a_job_and_closes_it(worker: Worker, handlers: dict[str, Any]) -> None:
    seen: list[Mapping[str, Any]] = []
    handlers["greet"] = lambda services, lease, arguments: seen.append(arguments)
    enqueue("greet", {"name": "Ada"})
    assert worker.run_once() is True
    assert worker.run_once() is False
    assert seen == [{"name": "Ada"}]
    assert Job.get().state == "done"


@pytest.mark.parametrize(
    ("error", "state", "text"),
    [
        (InvalidInput("no such thing"), "failed", "no such thing"),
        (Unavailable("not now"), "queued", "not now"),
        (RuntimeError("surprise"), "queued", "RuntimeError: surprise"),
    ],
)
def test_a_failed_attempt_is_written_down(
    worker: Worker, handlers: dict[str, Any], error: Exception, state: str, text: str
) -> None:
    def fail(*_: Any) -> None:
        raise error

    handlers["x"] = fail
    enqueue("x", {}, dedupe_key="k")
    worker.run_once()
    job = Job.get()
    assert (job.state, job.last_error) == (state, text)
    assert (job.dedupe_key is None) == (state == "failed")


def test_a_job_that_keeps_failing_is_given_up(worker: Worker, handlers: dict[str, Any]) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("always")

    handlers["x"] = fail
    enqueue("x", {})
    for _ in range(3):
        Job.update(run_after_ms=1).execute()
        assert worker.run_once()
    assert (Job.get().state, Job.get().attempts) == ("failed", 3)


def test_a_job_that_kills_its_workers_is_given_up(worker: Worker, handlers: dict[str, Any]) -> None:
    enqueue("poison", {})
    for _ in range(3):
        run_out(Job.claim("a worker that dies", LEASE_MS))
    worker.run_once()
    assert Job.get().state == "failed"
    assert "ended with their worker" in Job.get().last_error


def test_a_kind_that_nobody_knows_fails_at_once(worker: Worker, handlers: dict[str, Any]) -> None:
    enqueue("unheard of", {})
    worker.run_once()
    assert Job.get().state == "failed"


def test_a_heartbeat_prolongs_what_is_held(worker: Worker, handlers: dict[str, Any]) -> None:
    def outlive(services: Any, lease: Lease, arguments: Any) -> None:
        run_out(Job.get())
        worker.heartbeat()
        assert Job.claim("another", LEASE_MS) is None

    handlers["x"] = outlive
    enqueue("x", {})
    worker.run_once()
    assert Job.get().state == "done"


def test_the_pause_doubles_up_to_ten_minutes() -> None:
    for attempts, most in [(1, 1), (2, 2), (4, 8), (20, 600), (100, 600)]:
        assert most / 2 <= backoff_seconds(attempts) <= most


def test_the_pause_is_what_the_other_side_asks_for_where_that_is_longer() -> None:
    for asked, least, most in [(120.0, 120, 132), (0.0, 0.5, 1), (10**9, LONGEST_PAUSE_SECONDS, 95041), (None, 0.5, 1)]:
        assert least <= pause_seconds(1, PluginUnavailable("busy", retry_after_seconds=asked)) <= most
    assert 300 <= pause_seconds(20, PluginUnavailable("busy", retry_after_seconds=5)) <= 600
    assert 0.5 <= pause_seconds(1, RuntimeError("no such thing")) <= 1


class JobMachine(RuleBasedStateMachine):
    """Workers that claim, finish, fail and die in any order: each job is held by one, and none is lost."""

    @initialize()
    def start(self) -> None:
        Job.delete().execute()
        self.held: dict[int, Lease] = {}
        self.stale: list[Lease] = []
        self.made = 0

    @rule()
    def add(self) -> None:
        enqueue("x", {})
        self.made += 1

    @rule()
    def claim(self) -> None:
        job = Job.claim("w", LEASE_MS)
        if job is not None:
            if job.id in self.held:
                self.stale.append(self.held[job.id])
            self.held[job.id] = lease_of(job)

    @rule()
    def a_worker_dies(self) -> None:
        for row_id in self.held:
            Job.update(lease_until_ms=1).where(Job.id == row_id).execute()

    @rule(retry=strategies.booleans())
    def fail(self, retry: bool) -> None:
        if self.held:
            self.held.popitem()[1].fail("no", retry_after_seconds=0 if retry else None)

    @rule()
    def finish(self) -> None:
        if self.held:
            self.held.popitem()[1].finish()

    @rule()
    def the_dead_write(self) -> None:
        for lease in self.stale:
            with pytest.raises(LeaseLost):
                lease.finish()

    @invariant()
    def none_is_lost(self) -> None:
        if hasattr(self, "made"):
            assert Job.select().count() == self.made
            running = {job.id: job.fence for job in Job.select().where(Job.state == "running")}
            assert running == {row_id: lease.fence for row_id, lease in self.held.items()}


def test_any_order_of_claims_and_deaths(opened_database: Any) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(JobMachine, settings=settings(max_examples=15, stateful_step_count=20, deadline=None))


@given(strategies.lists(strategies.integers(0, 3), max_size=6))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_jobs_come_in_the_order_in_which_they_are_due(opened_database: Any, ages: list[int]) -> None:
    Job.delete().execute()
    for age in ages:
        enqueue("x", {"age": age}, after_seconds=-age)
    assert [job.arguments["age"] for job in _drain()] == sorted(ages, reverse=True)


def _drain() -> Iterator[Job]:
    while (job := Job.claim("w", LEASE_MS)) is not None:
        yield job


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_lease_does_not_fit_another_row_that_got_the_same_id(opened_database: Any) -> None:
    """SQLite gives the id of a deleted last row out again."""
    with db.connection():
        enqueue("a", {})
        first = Job.claim("w1", 60_000)
        assert first is not None
        stale = Lease(Job, first.id, first.fence)
        Job.delete().execute()
        patience = threading.Event()
        while db.now_ms() == first.run_after_ms:
            patience.wait(0.001)
        enqueue("b", {})
        second = Job.claim("w2", 60_000)
        assert second is not None
        assert second.id == first.id
        with pytest.raises(LeaseLost):
            stale.finish()
        assert Job.get().state == "running"
