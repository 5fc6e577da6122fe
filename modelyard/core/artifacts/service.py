"""Artifacts: files of a project by path, kept in its storage under a folder of the project's own.

A path here is what stands behind ``mlflow-artifacts:/``. Bytes pass through in chunks; nothing is held as a whole, and
no database connection is held while they pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from typing import Any, Protocol
from urllib.parse import unquote

from modelyard.core.artifacts.usage import AFTER_DELETION_SECONDS, CountedUpload, enqueue_recount, recount
from modelyard.core.db import database, is_postgresql
from modelyard.core.errors import InvalidInput, NotFound, TooLarge
from modelyard.core.identity.actor import Actor
from modelyard.core.interfaces import StoredFile
from modelyard.core.jobs import Again, Lease
from modelyard.core.projects.access import authorize
from modelyard.core.projects.models import Project

MAX_STORED_PATH_BYTES = 1024
SCHEME = "mlflow-artifacts:/"
CHUNK_BYTES = 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_ENCODINGS = 10


class Files(Protocol):
    """What the service needs of a storage: the verbs of `modelyard.core.interfaces.Storage`."""

    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        """As in `Storage`."""

    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """As in `Storage`."""

    def stat(self, path: str) -> StoredFile:
        """As in `Storage`."""

    def list(self, path: str) -> Iterable[StoredFile]:
        """As in `Storage`."""

    def delete(self, path: str) -> None:
        """As in `Storage`."""

    def sizes(self, path: str) -> tuple[int, Sequence[str]]:
        """As in `BoundStorage`."""


class ArtifactService:
    """Lists, reads, writes and deletes artifacts.

    `storage_of` gives the storage that a project's artifacts are in; none may be larger than `max_artifact_bytes`.
    """

    def __init__(self, storage_of: Callable[[Project], Files], *, max_artifact_bytes: int) -> None:
        self._storage_of = storage_of
        self._max_bytes = max_artifact_bytes

    def list(self, actor: Actor, project: Project, path: str = "") -> list[StoredFile]:
        """Return the children of a folder by name, their paths relative to it.

        There are none of a file or of what is not there.
        """
        authorize(actor, project, "artifact.read")
        place = _place(project, path, root=True)
        children = [
            StoredFile(child.path.rstrip("/").rsplit("/", 1)[-1], child.size_bytes, child.is_directory)
            for child in self._storage_of(project).list(place)
        ]
        return sorted(children, key=lambda child: child.path)

    def stat(self, actor: Actor, project: Project, path: str) -> StoredFile:
        """Describe a file or folder; `NotFound` where neither is."""
        authorize(actor, project, "artifact.read")
        stored = self._stat(self._storage_of(project), project, path)
        return StoredFile(path, stored.size_bytes, stored.is_directory)

    def read(
        self, actor: Actor, project: Project, path: str, *, offset: int = 0, length: int | None = None
    ) -> tuple[StoredFile, Iterator[bytes]]:
        """Return what the file is, and its bytes in chunks; `NotFound` comes before the first. A folder is not read.

        Close the iterator when leaving it early.
        """
        authorize(actor, project, "artifact.read")
        storage = self._storage_of(project)
        stored = self._stat(storage, project, path)
        if stored.is_directory:
            raise InvalidInput(f"{path!r} is a folder.", hint="List it, and read its files one by one.")
        chunks = storage.read(_place(project, path), offset=offset, length=length)
        _release_connection()
        return StoredFile(path, stored.size_bytes), _sliced(chunks)

    def write(
        self, actor: Actor, project: Project, path: str, chunks: Iterable[bytes], *, size_bytes: int | None = None
    ) -> StoredFile:
        """Store the chunks as one file, replacing what was there; a reader sees all of it or nothing.

        `size_bytes` is how many were announced: fewer or more are refused with `InvalidInput`, as an upload that broke
        off. `TooLarge` for more than the server's limit, `QuotaExceeded` for more than the project may have, before the
        first chunk where that is known.
        """
        authorize(actor, project, "artifact.write")
        place = _place(project, path)
        if size_bytes is not None and size_bytes > self._max_bytes:
            raise self._too_large(path)
        storage = self._storage_of(project)
        upload = CountedUpload(project, path, replaced_bytes=_size_of(storage, place))
        upload.check(size_bytes or 0)
        _release_connection()
        try:
            stored = storage.write(place, self._counted(path, chunks, size_bytes, upload))
        except BaseException:
            upload.take_back()
            raise
        return StoredFile(path, stored.size_bytes)

    def delete(self, actor: Actor, project: Project, path: str) -> None:
        """Remove a file, or a folder with all in it; silent where neither is. The worker counts what is left."""
        authorize(actor, project, "artifact.write")
        self._storage_of(project).delete(_place(project, path))
        enqueue_recount(project, after_seconds=AFTER_DELETION_SECONDS)

    def recount(self, lease: Lease, project_id: str) -> Again | None:
        """Count a project's bytes in its storage, for the worker; nothing happens to one that is deleted."""
        return recount(lease, project_id, self._storage_of)

    def _stat(self, storage: Files, project: Project, path: str) -> StoredFile:
        place = _place(project, path)
        try:
            return storage.stat(place)
        except NotFound:
            raise NotFound(f"There is no artifact {path!r}.") from None

    def _counted(
        self, path: str, chunks: Iterable[bytes], size_bytes: int | None, upload: CountedUpload
    ) -> Iterator[bytes]:
        """Yield the chunks; before the storage learns that there are no more, all of them are counted."""
        sent = 0
        for chunk in _sliced(chunks):
            sent += len(chunk)
            if sent > self._max_bytes:
                raise self._too_large(path)
            upload.check(sent)
            yield chunk
        if size_bytes is not None and sent != size_bytes:
            raise InvalidInput(
                f"The upload of {path!r} broke off: {sent} of {size_bytes} bytes came.", hint="Send it again."
            )
        upload.count(sent)

    def _too_large(self, path: str) -> TooLarge:
        return TooLarge(
            f"The artifact {path!r} is larger than {self._max_bytes} bytes.",
            hint="The setting server.max_artifact_bytes is the limit.",
        )


def path_of(root_uri: str, path: str) -> str:
    """Return the project's artifact path for a path below the root of a run or model; ``""`` is the root itself.

    `InvalidInput` for a root that is not kept here.
    """
    if not root_uri.startswith(SCHEME) or root_uri.startswith(f"{SCHEME}/"):
        raise InvalidInput(
            f"The artifacts are not kept on this server but at {root_uri!r}.",
            hint="Read them there, as their client does.",
        )
    root = root_uri.removeprefix(SCHEME)
    return f"{root}/{path}" if path else root


def check_artifact_path(path: str) -> str:
    """Return the path, or refuse one that is not plainly inside: `InvalidInput` says which rule it breaks.

    A path that would break a rule if it were percent-decoded again is refused as well: somebody behind us might do so.
    """
    decoded = path
    for _ in range(_MAX_ENCODINGS):
        _check_form(path, decoded)
        further = unquote(decoded, errors="surrogateescape")
        if further == decoded:
            return path
        decoded = further
    raise _bad_path(path, "is percent-encoded too often")


def _check_form(path: str, decoded: str) -> None:
    parts = decoded.split("/")
    if decoded.startswith("/"):
        raise _bad_path(path, "is absolute")
    if ".." in parts or "." in parts:
        raise _bad_path(path, "has the part '.' or '..'")
    if "" in parts:
        raise _bad_path(path, "has an empty part")
    if "\\" in decoded or _CONTROL.search(decoded):
        raise _bad_path(path, "has a backslash or a control character")


def _bad_path(path: str, why: str) -> InvalidInput:
    return InvalidInput(f"Invalid artifact path {path[:200]!r}: it {why}.")


def _place(project: Project, path: str, *, root: bool = False) -> str:
    """Return where in the storage the project's path is."""
    prefix: str = project.public_id
    if path == "" and root:
        return prefix
    place = f"{prefix}/{check_artifact_path(path)}"
    try:
        size = len(place.encode())
    except UnicodeEncodeError:
        raise _bad_path(path, "is not valid UTF-8") from None
    if size > MAX_STORED_PATH_BYTES:
        raise _bad_path(path, f"is longer than {MAX_STORED_PATH_BYTES - len(prefix) - 1} bytes")
    return place


def _size_of(storage: Files, place: str) -> int:
    """Return the size of the file that is there; 0 for none."""
    try:
        return storage.stat(place).size_bytes
    except NotFound:
        return 0


def _sliced(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the bytes in chunks of at most 1 MiB, closing the source at the end."""
    source: Any = chunks
    with closing(source) if hasattr(source, "close") else nullcontext():
        for chunk in source:
            if len(chunk) <= CHUNK_BYTES:
                yield chunk
                continue
            for start in range(0, len(chunk), CHUNK_BYTES):
                yield chunk[start : start + CHUNK_BYTES]


def _release_connection() -> None:
    """Give the thread's connection back to the pool: a transfer may take long, and needs none."""
    if is_postgresql() and not database.is_closed() and database.transaction_depth() == 0:
        database.close()
