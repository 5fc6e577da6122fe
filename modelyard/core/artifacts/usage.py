"""How many bytes of artifacts a project has: a number in its row that every upload moves, and jobs that count anew.

An upload is put into the number when all its bytes have come and before the storage keeps them, by one conditional
UPDATE: of any number of uploads at once, no more are kept than the quota has room for. Where the storage then fails it
is taken back. A process that is killed in between leaves the number too high until the next count in the storage,
which also is how deletions lower it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from peewee import Case

from modelyard.core.db import atomic, connection, held, unsynced
from modelyard.core.jobs import Again, Lease, enqueue
from modelyard.core.projects.access import living_projects
from modelyard.core.projects.models import Project
from modelyard.core.projects.quotas import artifact_room, refuse_artifact

RECOUNT = "artifacts.recount"
AFTER_DELETION_SECONDS = 1.0
AFTER_CHANGES_SECONDS = 3600.0


class Folders(Protocol):
    """What a count needs of a storage."""

    def sizes(self, path: str) -> tuple[int, Sequence[str]]:
        """As in `BoundStorage`."""


class CountedUpload:
    """One file on its way into a project's number; `replaced_bytes` is the size of what it replaces."""

    def __init__(self, project: Project, path: str, *, replaced_bytes: int) -> None:
        self._project = project
        self._path = path
        self._replaced_bytes = replaced_bytes
        self._room = artifact_room(project)
        self._added = 0

    def check(self, size_bytes: int) -> None:
        """Raise `QuotaExceeded` where it is plain already that a file of that size is too much."""
        added = size_bytes - self._replaced_bytes
        if self._room is not None and added > max(0, self._room):
            refuse_artifact(self._project, self._path, added)

    def count(self, size_bytes: int) -> None:
        """Put the whole file into the number; `QuotaExceeded` where others have taken the room meanwhile."""
        added = size_bytes - self._replaced_bytes
        with connection():
            if added and not _move(self._project.id, added, within_quota=added > 0):
                refuse_artifact(self._project, self._path, added)
        self._added = added

    def take_back(self) -> None:
        """Take the file out of the number again, if it is in it."""
        added, self._added = self._added, 0
        if added:
            with connection():
                _move(self._project.id, -added, within_quota=False)


def _move(project_id: int, added: int, *, within_quota: bool) -> bool:
    """Move the number, which is never less than 0; says whether the quota let it.

    A move that a power failure takes back is found by the next count, so that no upload waits for the disk once more.
    """
    moved = Project.artifact_bytes + added
    mine = Project.id == project_id
    if within_quota:
        mine &= Project.max_artifact_bytes.is_null() | (moved <= Project.max_artifact_bytes)
    with unsynced():
        return bool(Project.update(artifact_bytes=Case(None, [(moved > 0, moved)], 0)).where(mine).execute())


def delete_counted(project: Project, storage: Any, folder: str) -> None:
    """Delete a folder of the project's and take its bytes off; killed in between, the next count does."""
    place = f"{project.public_id}/{folder}"
    size_bytes = measure(storage, place)
    storage.delete(place)
    if size_bytes:
        _move(project.id, -size_bytes, within_quota=False)


def enqueue_recount(project: Project, *, after_seconds: float = 0) -> None:
    """Have the project's bytes counted in its storage; what is asked for often in a row is done once."""
    key = f"{RECOUNT}:{project.public_id}"
    enqueue(RECOUNT, {"id": project.public_id}, dedupe_key=key, after_seconds=after_seconds)


def enqueue_recounts() -> None:
    """Have every project's bytes counted."""
    for project in list(living_projects()):
        enqueue_recount(project)


def recount(lease: Lease, project_id: str, storage_of: Any) -> Again | None:
    """Set the project's number to what its storage holds.

    What comes and goes during the count is added as its uploads counted it, some of it perhaps twice: another count
    follows an hour later.
    """
    project = living_projects().where(Project.public_id == project_id).first()
    if project is None:
        return None
    before = project.artifact_bytes
    found = measure(storage_of(project), project.public_id)
    with atomic():
        lease.confirm()
        now = held(Project.select(Project.artifact_bytes).where(Project.id == project.id)).scalar()
        if now is None:
            return None
        Project.update(artifact_bytes=max(0, found + now - before)).where(Project.id == project.id).execute()
    return None if now == before else Again(AFTER_CHANGES_SECONDS)


def measure(storage: Folders, path: str) -> int:
    """Add up all files in a folder and the folders in it."""
    total, folders = 0, [path]
    while folders:
        folder = folders.pop()
        size_bytes, names = storage.sizes(folder)
        total += size_bytes
        folders += [f"{folder}/{name}" for name in names]
    return total
