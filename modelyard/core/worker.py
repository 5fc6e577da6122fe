"""The job worker: claims jobs and deliveries, keeps their leases alive, and can be killed at any point."""

from __future__ import annotations

import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import structlog
from peewee import PeeweeException, fn

import modelyard.core.deployments.tasks
import modelyard.core.identity.tasks  # noqa: F401 - these register what does their jobs
from modelyard.config.settings import Settings
from modelyard.core import db, telemetry
from modelyard.core.artifacts.tasks import begin as begin_recounts
from modelyard.core.bootstrap import Services, build
from modelyard.core.errors import InvalidInput, LeaseLost, ModelyardError, NotFound, PluginRefused, PluginSuspended
from modelyard.core.jobs import Bell, Handlers, Job, Lease, LeasedTable, WorkerRow
from modelyard.core.notifications.models import LONGEST_HOLD_SECONDS, Delivery, DeliveryAttempt
from modelyard.core.notifications.tasks import begin as begin_retention
from modelyard.core.projects.tasks import begin as begin_purges
from modelyard.core.tracking.tasks import begin as begin_tracking_purges

log = structlog.get_logger("modelyard.worker")

POLL_SECONDS = 0.1
STOP_SECONDS = 8
LONGEST_ERROR = 2000
LONGEST_PAUSE_SECONDS = LONGEST_HOLD_SECONDS
FINAL = (InvalidInput, NotFound, PluginRefused)


def backoff_seconds(attempts: int) -> float:
    """Return the pause after the given number of failed attempts: 1, 2, 4 ... 600 s, half of it by chance."""
    return float(min(600, 2 ** max(0, attempts - 1)) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret


def pause_seconds(attempts: int, error: Exception) -> float:
    """Return the pause before the next attempt: the back-off, or what the other side asked for where that is longer.

    What is asked for counts up to a day, and up to a tenth is added, so that not all come back in the same moment.
    """
    asked = getattr(error, "retry_after_seconds", None) or 0.0
    jitter = random.uniform(1.0, 1.1)  # noqa: S311 - jitter, no secret
    return max(backoff_seconds(attempts), min(LONGEST_PAUSE_SECONDS, asked) * jitter)


class Worker:
    """One worker process with several threads, each doing one job or delivery at a time."""

    def __init__(self, services: Services, *, threads: int, lease_seconds: int, max_attempts: int) -> None:
        self.name = f"{socket.gethostname()[:40]}-{os.getpid()}-{random.randrange(16**4):04x}"  # noqa: S311
        self._services = services
        self._threads = threads
        self._lease_ms = lease_seconds * 1000
        self._max_attempts = max_attempts
        self._held: dict[tuple[type[LeasedTable], int], Lease] = {}
        self._held_lock = threading.Lock()
        self._work = threading.Condition()
        self._stopping = threading.Event()

    def run_once(self, *, jobs_only: bool = False) -> bool:
        """Claim one due job or delivery and do it; says whether there was one."""
        kinds: list[tuple[type[LeasedTable], Callable[[Any, Lease], None]]] = [(Job, self._do_job)]
        if not jobs_only:
            kinds.insert(0, (Delivery, self._deliver))
        with db.connection():
            for table, act in kinds:
                row = table.claim(self.name, self._lease_ms)
                if row is not None:
                    self._attempt(table, row, act)
                    return True
        return False

    def _attempt(self, table: type[LeasedTable], row: Any, act: Callable[[Any, Lease], None]) -> None:
        lease = Lease(table, row.id, row.fence)
        started_at_ms = db.now_ms()
        with self._held_lock:
            self._held[table, row.id] = lease
        began, outcome = time.perf_counter(), "done"
        try:
            if row.attempts > self._max_attempts:
                lease.fail(
                    f"Given up after {self._max_attempts} attempts that ended with their worker.",
                    retry_after_seconds=None,
                )
            else:
                act(row, lease)
        except LeaseLost:
            outcome = "lost"
            log.warning("lease lost", table=table.__name__, row=row.public_id)
        except PluginSuspended as error:
            outcome = "postponed"
            self._postpone(row, lease, error)
        except Exception as error:  # noqa: BLE001 - the job boundary: whatever a job raises is its own failure
            outcome = "failed"
            self._record_failure(row, lease, error, started_at_ms)
        finally:
            kind = "delivery" if table is Delivery else row.kind if row.kind in Handlers.known else "unknown"
            telemetry.ATTEMPTS.add(kind, outcome)
            telemetry.ATTEMPT_SECONDS.add(time.perf_counter() - began, kind)
            with self._held_lock:
                self._held.pop((table, row.id), None)

    def _do_job(self, job: Job, lease: Lease) -> None:
        handler = Handlers.known.get(job.kind)
        if handler is None:
            raise InvalidInput(f"No subject knows jobs of the kind {job.kind!r}.")
        again = handler(self._services, lease, job.arguments)
        lease.finish(again)

    def _deliver(self, delivery: Delivery, lease: Lease) -> None:
        started_at_ms = db.now_ms()
        self._services.notifications.deliver(delivery)
        with db.atomic():
            lease.finish(delivered_at_ms=db.now_ms())
            DeliveryAttempt.note(delivery, started_at_ms=started_at_ms, outcome="delivered")

    def _record_failure(self, row: Any, lease: Lease, error: Exception, started_at_ms: int) -> None:
        refused = isinstance(error, FINAL)
        final = refused or row.attempts >= self._max_attempts
        text = str(error) if isinstance(error, ModelyardError) else f"{type(error).__name__}: {error}"
        expected = isinstance(error, ModelyardError)
        log.warning("attempt failed", row=row.public_id, attempts=row.attempts, error=text, exc_info=not expected)
        pause = None if final else pause_seconds(row.attempts, error)
        try:
            with db.atomic():
                lease.fail(text[:LONGEST_ERROR], retry_after_seconds=pause)
                if isinstance(row, Delivery):
                    outcome = "refused" if refused else "failed"
                    DeliveryAttempt.note(row, started_at_ms=started_at_ms, outcome=outcome, error=text[:LONGEST_ERROR])
                    row.hold_back_others(getattr(error, "retry_after_seconds", None))
        except (LeaseLost, PeeweeException) as lost:
            log.warning("failure not recorded", row=row.public_id, error=str(lost))

    def _postpone(self, row: Any, lease: Lease, error: PluginSuspended) -> None:
        """Let the row wait, at no attempt's cost, until the plugin is asked again; not all at the same moment."""
        seconds = (error.retry_after_seconds or 1.0) * random.uniform(1.0, 1.5)  # noqa: S311 - jitter, no secret
        try:
            lease.postpone(error.message[:LONGEST_ERROR], after_seconds=seconds)
        except (LeaseLost, PeeweeException) as lost:
            log.warning("postponement not recorded", row=row.public_id, error=str(lost))

    def heartbeat(self) -> None:
        """Prolong every lease that is held and say that this worker lives."""
        with self._held_lock:
            held = list(self._held.values())
        with db.connection():
            for lease in held:
                try:
                    lease.prolong(self._lease_ms)
                except LeaseLost:
                    log.warning("lease lost while working", row=lease.row_id)
            alive = WorkerRow.update(seen_at_ms=db.now_ms()).where(WorkerRow.name == self.name).execute()
            if not alive:
                WorkerRow.create(name=self.name, host=socket.gethostname(), pid=os.getpid())
            WorkerRow.delete().where(WorkerRow.seen_at_ms < db.now_ms() - 24 * 3600 * 1000).execute()

    def run(self) -> None:
        """Work until `stop`; the threads get up to 8 s to end what they do, then their leases are left to run out."""
        self.heartbeat()
        threads = [
            threading.Thread(target=self._loop, args=(number == 0,), name=f"worker-{number}", daemon=True)
            for number in range(self._threads)
        ]
        beat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        for thread in (beat, *threads):
            thread.start()
        self._listen()
        with self._work:
            self._work.notify_all()
        deadline = time.monotonic() + STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with db.connection():
            WorkerRow.delete().where(WorkerRow.name == self.name).execute()

    def stop(self) -> None:
        """Ask `run` to end; callable from a signal handler."""
        self._stopping.set()

    def _loop(self, jobs_only: bool) -> None:
        """Do what is due; one thread leaves deliveries alone, so that receivers that hang do not stop the jobs."""
        while not self._stopping.is_set():
            try:
                busy = self.run_once(jobs_only=jobs_only)
            except (PeeweeException, ModelyardError) as error:
                log.error("the database does not answer", error=str(error))
                self._stopping.wait(1)
                busy = False
            if not busy and not self._stopping.is_set():
                with self._work:
                    self._work.wait(1)

    def _beat(self) -> None:
        while not self._stopping.wait(self._lease_ms / 3000):
            try:
                self.heartbeat()
            except (PeeweeException, ModelyardError) as error:
                log.error("heartbeat failed", error=str(error))

    def _listen(self) -> None:
        """Wake the threads whenever something is due, until the worker is asked to stop."""
        while not self._stopping.is_set():
            try:
                with db.connection():
                    self._listen_on_connection()
            except Exception as error:  # noqa: BLE001 - a lost database must not end the worker; drivers raise their own kinds
                log.error("the database does not answer", error=str(error))
                self._stopping.wait(1)

    def _listen_on_connection(self) -> None:
        on_postgresql = db.is_postgresql()
        if on_postgresql:
            db.database.execute_sql(f"LISTEN {Bell.CHANNEL}")
        while not self._stopping.is_set():
            if on_postgresql:
                seconds = max(POLL_SECONDS, _seconds_until_due())
                next(db.database.connection().notifies(timeout=seconds, stop_after=1), None)
            else:
                self._stopping.wait(POLL_SECONDS)
            if _seconds_until_due() == 0:
                with self._work:
                    self._work.notify_all()


def _seconds_until_due() -> float:
    """Return how long nothing will be due by itself, at most a second."""
    now = db.now_ms()
    waits = [
        moment - now
        for table in (Job, Delivery)
        for moment in (
            table.select(fn.MIN(table.run_after_ms)).where(table.state == "queued").scalar(),
            table.select(fn.MIN(table.lease_until_ms)).where(table.state == "running").scalar(),
        )
        if moment is not None
    ]
    return float(min([1.0, *(max(0, wait) / 1000 for wait in waits)]))


def main(settings: Settings) -> NoReturn:
    """Run a worker until SIGTERM or SIGINT, then end the process with 0."""
    services = build(settings, process="worker")
    worker = Worker(
        services,
        threads=settings.worker.threads,
        lease_seconds=settings.worker.lease_seconds,
        max_attempts=settings.worker.max_attempts,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    with db.connection():
        begin_retention()
        begin_purges()
        begin_recounts()
        begin_tracking_purges()
    log.info("worker started", worker=worker.name)
    worker.run()
    log.info("worker stopped", worker=worker.name)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # a plugin's own thread pool would be waited for otherwise, however long it hangs
