"""Bytes of artifacts: counted as they come, bounded by a quota, and put right by a count in the storage."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard.core.access_cache import AccessGeneration
from modelyard.core.artifacts import tasks, usage
from modelyard.core.bootstrap import Services
from modelyard.core.db import now_ms
from modelyard.core.errors import PluginError, QuotaExceeded
from modelyard.core.identity.actor import Actor
from modelyard.core.jobs import Job, Lease
from modelyard.core.projects.models import Project
from modelyard.core.worker import Worker
from modelyard.plugins.local_files.storage import LocalFiles
from tests.core.projects.test_leaving import at_once
from tests.factories import Factories, system_owner

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


@pytest.fixture
def folder(services: Services, project: Project) -> Path:
    return Path(services.settings.data.directory) / "artifacts" / project.public_id


def limit(project: Project, most: int | None) -> Project:
    Project.update(max_artifact_bytes=most).where(Project.id == project.id).execute()
    found: Project = Project.get_by_id(project.id)
    return found


def counted(project: Project) -> int:
    return int(Project.get_by_id(project.id).artifact_bytes)


def work_off(worker: Worker) -> None:
    for _ in range(20):
        Job.update(run_after_ms=1).where(Job.state == "queued", Job.run_after_ms < now_ms() + 5_000).execute()
        if not worker.run_once(jobs_only=True):
            return


def test_uploads_are_counted_by_what_they_add(services: Services, owner: Actor, project: Project) -> None:
    write = services.artifacts.write
    sizes = []
    for path, content in (("a", b"x" * 100), ("b/c", b"x" * 20), ("a", b"x" * 30), ("a", b"x" * 60), ("a", b"")):
        write(owner, project, path, [content], size_bytes=len(content))
        sizes.append(counted(project))
    assert sizes == [100, 120, 50, 80, 20]
    assert services.projects.usage(owner, Project.get_by_id(project.id))["artifact_bytes"] == 20


def test_counting_makes_nothing_cached_old(services: Services, owner: Actor, project: Project) -> None:
    before = AccessGeneration.get().number
    services.artifacts.write(owner, project, "a", [b"x" * 100])
    assert (counted(project), AccessGeneration.get().number) == (100, before)
    Project.update(archived_at_ms=1).execute()
    assert AccessGeneration.get().number == before + 1


def never() -> Iterator[bytes]:
    raise AssertionError("a chunk was taken of an upload that was known to be too large")
    yield b""


@on_sqlite
def test_what_is_known_to_go_over_is_refused_at_once(services: Services, owner: Actor, project: Project) -> None:
    limited = limit(project, 100)
    services.artifacts.write(owner, limited, "a", [b"x" * 90], size_bytes=90)
    with pytest.raises(QuotaExceeded, match=r"90 of 100 bytes of artifacts, and 'b' would add at least 11"):
        services.artifacts.write(owner, limited, "b", never(), size_bytes=11)
    services.artifacts.write(owner, limited, "a", [b"y" * 100], size_bytes=100)  # in place of the other: 10 more
    assert counted(project) == 100


@on_sqlite
def test_what_goes_over_on_its_way_is_stopped_there(
    services: Services, owner: Actor, project: Project, folder: Path
) -> None:
    limited = limit(project, 100)
    services.artifacts.write(owner, limited, "a", [b"old"])
    taken: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(50):
            taken.append(number)
            yield b"x" * 30

    with pytest.raises(QuotaExceeded):
        services.artifacts.write(owner, limited, "a", chunks())
    assert len(taken) == 4
    assert (counted(project), (folder / "a").read_bytes()) == (3, b"old")
    assert [path.name for path in folder.iterdir()] == ["a"]


@on_sqlite
def test_over_a_lowered_quota_files_may_only_shrink(services: Services, owner: Actor, project: Project) -> None:
    services.artifacts.write(owner, project, "a", [b"x" * 100])
    limited = limit(project, 50)
    services.artifacts.write(owner, limited, "a", [b"x" * 90])
    services.artifacts.write(owner, limited, "empty", [])
    with pytest.raises(QuotaExceeded):
        services.artifacts.write(owner, limited, "b", [b"x"])
    assert counted(project) == 90


def test_of_two_at_once_one_is_kept(services: Services, owner: Actor, project: Project, folder: Path) -> None:
    limited = limit(project, 100)
    under_way = threading.Barrier(2)

    def upload(path: str) -> Callable[[], object]:
        def chunks() -> Iterator[bytes]:
            under_way.wait()  # both were let in
            yield b"x" * 60

        return lambda: services.artifacts.write(owner, limited, path, chunks(), size_bytes=60)

    refusals = at_once(upload("a"), upload("b"))
    assert [type(refused) for refused in refusals] == [QuotaExceeded]
    assert (counted(project), len(list(folder.iterdir()))) == (60, 1)


@on_sqlite
def test_what_the_storage_does_not_keep_does_not_count(
    services: Services, owner: Actor, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: LocalFiles, path: str, chunks: Any) -> Any:
        assert len(b"".join(chunks)) == 50
        assert counted(project) == 50
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LocalFiles, "write", full)
    with pytest.raises(PluginError):
        services.artifacts.write(owner, project, "a", [b"x" * 50])
    assert counted(project) == 0


def test_a_deletion_is_counted_by_the_worker(
    services: Services, owner: Actor, project: Project, worker: Worker
) -> None:
    for path in ("a/1", "a/b/2", "c"):
        services.artifacts.write(owner, project, path, [b"x" * 10])
    for _ in range(3):
        services.artifacts.delete(owner, project, "a")
    assert [job.kind for job in Job.select()] == ["artifacts.recount"]
    work_off(worker)
    assert (counted(project), Job.get().state) == (10, "done")


@on_sqlite
def test_what_a_killed_process_left_uncounted_is_counted_the_next_day(
    services: Services, factories: Factories, project: Project, folder: Path, worker: Worker
) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "a").write_bytes(b"x" * 70)
    (folder / "b").write_bytes(b"x" * 5)
    other = factories.project()
    Project.update(artifact_bytes=1000).execute()
    for _ in range(2):
        tasks.begin()
    due = Job.get().run_after_ms
    assert due > now_ms() + 23 * 3600 * 1000
    assert not worker.run_once(jobs_only=True)
    Job.update(run_after_ms=1).execute()
    work_off(worker)
    assert (counted(project), counted(other)) == (75, 0)
    assert Job.get(kind="artifacts.recount_all").run_after_ms > now_ms() + 23 * 3600 * 1000


@on_sqlite
def test_what_comes_during_a_count_is_counted_and_looked_at_again(
    services: Services, owner: Actor, project: Project, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.artifacts.write(owner, project, "a", [b"x" * 10])
    Project.update(artifact_bytes=500).execute()
    real = usage.measure

    def measure(storage: Any, path: str) -> int:
        found = real(storage, path)
        services.artifacts.write(owner, project, "b", [b"x" * 7])
        return found

    monkeypatch.setattr(usage, "measure", measure)
    usage.enqueue_recount(project)
    assert worker.run_once(jobs_only=True)
    job = Job.get()
    assert (counted(project), job.state) == (17, "queued")
    assert now_ms() + 3_500_000 < job.run_after_ms


@on_sqlite
def test_a_deleted_project_is_not_counted(services: Services, owner: Actor, project: Project) -> None:
    services.projects.delete(owner, project, confirm="churn")
    usage.enqueue_recounts()
    assert Job.select().where(Job.kind == "artifacts.recount").count() == 0
    usage.enqueue_recount(project)
    job = Job.claim("test", 60_000)
    assert job is not None
    assert services.artifacts.recount(Lease(Job, job.id, job.fence), project.public_id) is None
