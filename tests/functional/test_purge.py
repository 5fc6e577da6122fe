"""The end of a deleted project, and of deleted runs, by real workers of which one is killed in the middle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from modelyard.core.artifacts.usage import enqueue_recount
from modelyard.core.bootstrap import Services
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import Metric, NewRun
from modelyard.core.tracking.models import MetricPoint, Run
from tests.factories import Factories, system_owner
from tests.functional.running_server import eventually

Start = Callable[[], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator[Start]:
    """Starts workers whose retention is over at once; what is left of them is ended."""
    started: list[subprocess.Popen[bytes]] = []

    def worker() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "modelyard.cli.main", "worker"]
        at_once = {"MODELYARD_DATA_DELETED_RETENTION_DAYS": "0", "MODELYARD_DATA_DELETED_RUN_RETENTION_DAYS": "0"}
        started.append(subprocess.Popen(command, env={**environment, **at_once}))
        return started[-1]

    yield worker
    for process in started:
        process.kill()
        process.wait()


def test_a_purge_goes_on_after_its_worker_was_killed(services: Services, factories: Factories, start: Start) -> None:
    project = factories.project("churn")
    owner = factories.actor(system_owner(project))
    for _ in range(60):
        run = services.runs.create(owner, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info
        services.runs.log_metric(owner, project, run.run_id, Metric("loss", 0.5, 1, 0))
    services.artifacts.write(owner, project, "0/a.txt", [b"hello"])
    services.projects.delete(owner, project, confirm="churn")
    first = start()
    eventually(lambda: not Project.select().where(Project.purge_started_at_ms.is_null()).exists(), "its beginning")
    first.kill()
    first.wait()
    start()
    eventually(lambda: not Project.select().exists(), "the project's end")
    assert not (services.settings.data.directory / "artifacts" / project.public_id).exists()
    told = Event.select().where(Event.action == "project.purged", Event.organization == project.organization_id)
    assert told.count() == 1
    assert Event.select().where(Event.object_id == project.public_id, Event.project.is_null()).count() == 3


def test_the_purge_of_runs_goes_on_after_its_worker_was_killed(
    services: Services, factories: Factories, start: Start
) -> None:
    project = factories.project("churn")
    owner = factories.actor(system_owner(project))
    gone = []
    for _ in range(40):
        run = services.runs.create(owner, project, NewRun(experiment_id="0", user_id="", start_time_ms=1)).info
        many = [Metric("loss", 0.5, 1, step) for step in range(500)]
        services.runs.log_batch(owner, project, run.run_id, metrics=many)
        services.artifacts.write(owner, project, f"0/{run.run_id}/artifacts/a.txt", [b"hello"])
        gone.append(run.run_id)
    kept = gone.pop()
    for run_id in gone:
        services.runs.delete(owner, project, run_id)
    first = start()
    eventually(lambda: Run.select().where(Run.purge_started_at_ms.is_null(False)).exists(), "its beginning")
    first.kill()
    first.wait()
    start()
    eventually(lambda: Run.select().count() == 1, "the runs' end")
    assert MetricPoint.select().count() == 500
    files = services.settings.data.directory / "artifacts" / project.public_id / "0"
    assert [path.name for path in files.iterdir()] == [kept]
    enqueue_recount(project)  # as every day: the first worker may have been killed before it took off what it deleted
    eventually(lambda: Project.get().artifact_bytes == 5, "the count of what is left")
    told = Event.select().where(Event.action == "run.purged", Event.project == project)
    assert sorted(run for event in told for run in event.before["ids"]) == sorted(gone)
