"""What holds when processes are killed: on both databases, with real ones."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from modelyard.core import db
from modelyard.core.jobs import Job, enqueue
from modelyard.core.notifications.models import Delivery
from tests.functional.conftest import Tenant
from tests.functional.running_server import RunningServer, eventually


def test_the_server_starts_and_stops_in_order(server: RunningServer, settings: Any, database_url: str) -> None:
    server.start()
    pids = server.pids("server") + server.pids("web") + server.pids("worker")
    assert len(server.pids("worker")) == 1
    assert server.stop() == 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_second_server_names_the_first(server: RunningServer, environment: dict[str, str]) -> None:
    server.start()
    assert server.process is not None
    second = subprocess.run(
        [sys.executable, "-m", "modelyard.cli.main", "serve", "--port", str(server.port + 1)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 8
    assert f"pid {server.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_taken_port_is_refused(server: RunningServer, environment: dict[str, str], tmp_path: Path) -> None:
    server.start()
    elsewhere = {**environment, "MODELYARD_DATA_DIRECTORY": str(tmp_path / "other")}
    second = subprocess.run(
        [sys.executable, "-m", "modelyard.cli.main", "serve", "--port", str(server.port)],
        env=elsewhere,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 8
    assert str(server.port) in second.stderr


@pytest.mark.parametrize("part", ["web", "server", "worker"])
def test_a_killed_part_comes_back(server: RunningServer, part: str) -> None:
    server.start()
    killed = server.kill(part)
    eventually(lambda: killed not in server.pids(part) and server.pids(part), f"another {part}")
    eventually(lambda: server.status() == "ready", "readiness")


def test_everything_ends_with_the_supervisor(server: RunningServer) -> None:
    server.start()
    pids = server.pids("server") + server.pids("web") + server.pids("worker")
    assert len(pids) >= 3
    assert server.process is not None
    server.process.kill()
    server.process.wait()
    eventually(lambda: not any(_runs(pid) for pid in pids), "the end of the children")
    server.start()  # with the same data directory and port


def test_no_child_holds_the_data_directory_for_a_supervisor_that_is_gone(
    server: RunningServer, environment: dict[str, str]
) -> None:
    server.start()
    assert server.process is not None
    lock = str(Path(environment["MODELYARD_DATA_DIRECTORY"]).resolve() / "serve.lock")
    family = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    holders = [process.pid for process in family if lock in {file.path for file in process.open_files()}]
    assert len(family) >= 4
    assert holders == [server.process.pid]


def test_options_reach_every_process_and_each_says_what_it_is(
    environment: dict[str, str], database_kind: str, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "else where"
    server = RunningServer(environment, tmp_path / "serve.log", "--workers", "2", "--data-dir", str(elsewhere))
    try:
        server.start()
        assert server.process is not None
        first = psutil.Process(server.process.pid)

        def titles() -> list[str]:
            return sorted(" ".join(one.cmdline()).strip() for one in [first, *first.children(recursive=True)])

        webs = ["web 1", "web 2"] if database_kind == "postgresql" else ["web 1"]
        parts = ["server", "supervisor", *webs, "worker"]
        eventually(lambda: titles() == [f"modelyard: {part}" for part in parts], "all titles")
        assert (elsewhere / "secret.keys").exists()
        assert not (Path(environment["MODELYARD_DATA_DIRECTORY"]) / "secret.keys").exists()
    finally:
        server.kill_all()


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


WORKER = """
import sys, time
from pathlib import Path
from modelyard.config.sources import load_settings
from modelyard.core.jobs import Handlers
from modelyard.core import worker

@Handlers.register("slow")
def slow(services, lease, arguments):
    mark = Path(arguments["folder"]) / sys.argv[1]
    mark.touch()
    while (Path(arguments["folder"]) / "hold").exists():
        time.sleep(0.01)
    lease.confirm()
    (Path(arguments["folder"]) / f"{sys.argv[1]}.effect").touch()

sys.exit(worker.main(load_settings()))
"""


class Workers:
    """Workers that do a slow job: each marks its start, waits while the file `hold` is there, then has its effect."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.environment, self.folder = environment, folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.hold = folder / "hold"
        self.hold.touch()
        enqueue("slow", {"folder": str(folder)})

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """Start one; it writes to NAME.log."""
        with (self.folder / f"{name}.log").open("wb") as log:
            command = [sys.executable, "-c", WORKER, name]
            self.processes[name] = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        return self.processes[name]

    def has_begun(self, name: str) -> None:
        """Wait until it is in the middle of the job."""
        eventually((self.folder / name).exists, f"the start of the {name} worker's job")

    def had_effect(self, name: str) -> bool:
        """Say whether its job came to its end."""
        return (self.folder / f"{name}.effect").exists()


@pytest.fixture
def workers(opened_database: Any, environment: dict[str, str], tmp_path: Path) -> Iterator[Workers]:
    folder = tmp_path / "marks"
    folder.mkdir()
    workers = Workers(environment, folder)
    yield workers
    for process in workers.processes.values():
        process.kill()
        process.wait()


def test_another_worker_takes_up_the_job_of_a_killed_one(workers: Workers) -> None:
    first = workers.start("first")
    workers.has_begun("first")
    fence = Job.get_by_id(1).fence
    first.kill()
    first.wait()
    workers.hold.unlink()
    second = workers.start("second")
    eventually(lambda: workers.had_effect("second"), "the second worker's effect")
    eventually(lambda: Job.get_by_id(1).state == "done", "the end of the job")
    assert (Job.get_by_id(1).fence - fence, Job.get_by_id(1).attempts) == (1, 2)
    assert not workers.had_effect("first")
    second.terminate()
    assert second.wait(20) == 0


IN_TRANSACTION = (
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    " AND pid <> pg_backend_pid()"
)


def stops_without_the_lock(process: subprocess.Popen[bytes]) -> bool:
    """Stop the process, unless it is in a transaction just now, whose locks nobody else could pass then."""
    process.send_signal(signal.SIGSTOP)
    if db.is_postgresql():
        if db.database.execute_sql(IN_TRANSACTION).fetchall() == [(0,)]:
            return True
        process.send_signal(signal.SIGCONT)
        return False
    connection = sqlite3.connect(db.database.obj.database, timeout=0.2, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return True
    except sqlite3.OperationalError:
        process.send_signal(signal.SIGCONT)
        return False
    finally:
        connection.close()


def test_a_stopped_worker_that_wakes_up_again_writes_nothing(workers: Workers) -> None:
    first = workers.start("first")
    workers.has_begun("first")
    eventually(lambda: stops_without_the_lock(first), "a moment in which the first may be stopped")
    workers.start("second")
    workers.has_begun("second")
    workers.hold.unlink()
    eventually(lambda: workers.had_effect("second"), "the second worker's effect")
    first.send_signal(signal.SIGCONT)
    log = workers.folder / "first.log"
    eventually(lambda: "lease lost" in log.read_text(), "the first worker's notice")
    assert not workers.had_effect("first")


def test_every_answered_write_is_there_after_the_server_was_killed(server: RunningServer, tenant: Tenant) -> None:
    server.start()
    wire = f"{tenant.mlflow}/api/2.0/mlflow"
    run = server.post(f"{wire}/runs/create", {"experiment_id": "0"}, token=tenant.token).json()["run"]["info"]["run_id"]
    answered: list[int] = []
    stop = threading.Event()

    def log() -> None:
        step = 0
        while not stop.is_set():
            body = {"run_id": run, "key": "loss", "value": step, "timestamp": 1000 + step, "step": step}
            try:
                if server.post(f"{wire}/runs/log-metric", body, token=tenant.token).status == 200:
                    answered.append(step)
            except OSError:
                pass
            step += 1

    thread = threading.Thread(target=log)
    thread.start()
    eventually(lambda: len(answered) > 20, "some answers")
    server.kill("web")
    eventually(lambda: server.status() == "ready", "readiness")
    before = len(answered)
    eventually(lambda: len(answered) > before + 20, "more answers")
    server.kill("server")
    eventually(lambda: server.status() == "ready", "readiness")
    stop.set()
    thread.join()
    path = f"{wire}/metrics/get-history?run_id={run}&metric_key=loss&max_results=20000"

    def history() -> list[dict[str, Any]]:
        try:
            return list(server.get(path, token=tenant.token).json()["metrics"])
        except OSError:
            return []

    kept = {point["step"] for point in eventually(history, "the history")}
    assert set(answered) <= kept


def test_a_notification_outlives_the_death_of_the_worker(
    server: RunningServer, tenant: Tenant, services: Any, factories: Any
) -> None:
    owner = factories.actor(tenant.project.organization.members.get().user)
    services.connections.create(
        owner,
        tenant.project,
        name="ghost",
        kind="notifier",
        provider="webhook",
        settings={"url": "http://127.0.0.1:1/"},
    )
    server.start()
    server.kill("worker")
    wire = f"{tenant.mlflow}/api/2.0/mlflow"
    server.post(f"{wire}/registered-models/create", {"name": "risk"}, token=tenant.token)

    def attempted() -> bool:
        row = Delivery.select().order_by(Delivery.id.desc()).first()
        return row is not None and row.last_error is not None and row.state == "queued"

    eventually(attempted, "an attempt that failed and is to be repeated")


def test_a_worker_alone_ends_at_once_on_sigterm(opened_database: Any, environment: dict[str, str]) -> None:
    worker = subprocess.Popen([sys.executable, "-m", "modelyard.cli.main", "worker"], env=environment)
    try:
        from modelyard.core.jobs import WorkerRow

        eventually(lambda: WorkerRow.select().exists(), "the worker's first heartbeat")
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(15) == 0
        assert not WorkerRow.select().exists()
    finally:
        worker.kill()
        worker.wait()
