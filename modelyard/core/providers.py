"""Providers as services use them: one of a connection, every method through the guard, every answer checked.

A bound provider has the methods of its interface, each with its documented deadline. A provider with the capability
``local`` waits for no network: it is called on the caller's own thread, without a deadline.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property, partial
from itertools import islice
from typing import Any, ClassVar, Generic, TypeVar, get_origin, get_type_hints

from modelyard.core.errors import InvalidInput, PluginContractError, TooLarge
from modelyard.core.interfaces import (
    REPLICA_STATES,
    DeploymentTarget,
    Health,
    Notification,
    Notifier,
    Provider,
    ReplicaSpec,
    ReplicaStatus,
    Storage,
    StoredFile,
    Tracker,
)
from modelyard.core.plugin_failures import strip_secrets
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_providers import ProviderEntry
from modelyard.core.plugin_streams import GuardedStream
from modelyard.core.provider_settings import check_settings, secret_texts, split_secrets, validate_settings

__all__ = [
    "BoundNotifier",
    "BoundProvider",
    "BoundStorage",
    "BoundTarget",
    "BoundTracker",
    "bind",
    "check_path",
    "split_secrets",
    "validate_settings",
]

LOCAL = "local"
ARTIFACTS = "artifacts"
TRANSACTIONAL = "transactional"
CONSTRUCT_SECONDS = 5.0
HEALTH_SECONDS = 5.0
SEND_SECONDS = 30.0
FILE_SECONDS = 30.0
CHUNK_SECONDS = 30.0
COUNT_SECONDS = 600.0
START_SECONDS = 60.0
OBSERVE_SECONDS = 10.0
STOP_SECONDS = 30.0
LOGS_SECONDS = 10.0
VERB_SECONDS = 30.0
SEARCH_SECONDS = 60.0
SEARCHES = frozenset(
    {"search_experiments", "search_runs", "count_runs", "search_logged_models", "metric_history", "sample_metric"}
    | {"metric_summaries"}
)
MAX_LOG_CHARACTERS = 1024 * 1024
MAX_IDENTITY_BYTES = 64 * 1024
MAX_LISTED_FILES = 100_000
MAX_COUNTED_FOLDERS = 1_000_000
MAX_FILE_BYTES = 5 * 1024**4

P = TypeVar("P", bound=Provider)
T = TypeVar("T")


class BoundProvider(Generic[P]):
    """A provider of one connection. `provider` is the bare instance: calling it directly goes past the guard."""

    kind: ClassVar[str] = ""

    def __init__(
        self, entry: ProviderEntry, provider: P, *, guard: Guard, connection_id: str, secrets: Collection[str] = ()
    ) -> None:
        self.entry = entry
        self.provider = provider
        self.connection_id = connection_id
        self.local = LOCAL in entry.capabilities
        self._guard = guard
        self._secrets = tuple(secrets)

    def health(self) -> Health:
        """What the provider says of itself, within 5 seconds."""
        return self._call("health", lambda: self._health(self.provider.health()), seconds=HEALTH_SECONDS)

    def _health(self, health: object) -> Health:
        if not isinstance(health, Health):
            raise self._broken("health", f"{type(health).__name__} instead of Health")
        if not isinstance(health.ok, bool) or not isinstance(health.message, str):
            raise self._broken("health", "a Health whose ok is no bool or whose message is no str")
        return replace(health, message=strip_secrets(health.message, self._secrets))

    def _call(
        self, operation: str, function: Callable[..., T], *args: Any, seconds: float, expect: type[Any] | None = None
    ) -> T:
        """Call through the guard. What checks an answer runs in `function`, so that a broken contract counts as one."""
        if self.local:
            return self._guard.direct(
                self.entry.plugin,
                operation,
                function,
                *args,
                connection=self.connection_id,
                secrets=self._secrets,
                expect=expect,
            )
        return self._guard.call(
            self.entry.plugin,
            operation,
            function,
            *args,
            deadline_seconds=seconds,
            connection=self.connection_id,
            secrets=self._secrets,
            expect=expect,
        )

    def _broken(self, operation: str, problem: str) -> PluginContractError:
        message = f"The plugin '{self.entry.plugin}' answered '{operation}' with {problem}."
        return PluginContractError(message, plugin=self.entry.plugin, operation=operation)


class BoundStorage(BoundProvider[Storage]):
    """Files of one connection, by relative path with forward slashes."""

    kind = "storage"

    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        """Store the chunks as one file, atomically. What `chunks` raises is raised again here; nothing is changed then.

        A write holds a thread for as long as its caller sends, so writes have a pool of their own.
        """
        check_path(path)
        sent = 0

        def counted() -> Iterable[bytes]:
            nonlocal sent
            for chunk in chunks:
                sent += len(chunk)
                yield chunk

        def stored(source: Iterator[bytes]) -> StoredFile:
            file = self._checked("write", self.provider.write(path, source))
            if file.size_bytes != sent:
                raise self._broken("write", f"{file.size_bytes} bytes stored of {sent}")
            return file

        return self._guard.feed(
            self.entry.plugin,
            "write",
            stored,
            counted(),
            deadline_seconds=None if self.local else CHUNK_SECONDS,
            connection=self.connection_id,
            lane="writes",
            secrets=self._secrets,
        )

    def read(
        self, path: str, *, offset: int = 0, length: int | None = None, max_bytes: int = MAX_FILE_BYTES
    ) -> GuardedStream:
        """Return the file's bytes from `offset`, at most `length` of them. `NotFound` comes here, not with a chunk.

        More than `length` or `max_bytes` is `PluginContractError`. Close the stream when leaving it early.
        """
        check_path(path)
        if offset < 0 or (length is not None and length < 0):
            raise InvalidInput(f"offset {offset} and length {length} must not be negative.")
        return self._guard.stream(
            self.entry.plugin,
            "read",
            partial(self.provider.read, path, offset=offset, length=length),
            max_bytes=max_bytes if length is None else min(length, max_bytes),
            deadline_seconds=None if self.local else CHUNK_SECONDS,
            connection=self.connection_id,
            secrets=self._secrets,
        )

    def stat(self, path: str) -> StoredFile:
        """Describe one file or folder; `NotFound` where neither is."""
        check_path(path, root=True)
        return self._call("stat", lambda: self._checked("stat", self.provider.stat(path)), seconds=FILE_SECONDS)

    def list(self, path: str) -> list[StoredFile]:
        """The direct children of a folder by name; `TooLarge` where there are more than 100,000."""
        check_path(path, root=True)

        def listed() -> list[StoredFile]:
            files = [self._checked("list", file) for file in islice(self.provider.list(path), MAX_LISTED_FILES + 1)]
            if len(files) > MAX_LISTED_FILES:
                raise TooLarge(f"The folder '{path:.200}' holds more than {MAX_LISTED_FILES} files.")
            return sorted(files, key=lambda file: file.path)

        return self._call("list", listed, seconds=FILE_SECONDS)

    def sizes(self, path: str) -> tuple[int, Sequence[str]]:
        """How many bytes the files directly in a folder have together, and the names of the folders in it.

        There may be any number of files, and a million folders; 10 minutes.
        """
        check_path(path, root=True)

        def added_up() -> tuple[int, Sequence[str]]:
            total, folders = 0, []
            for found in self.provider.list(path):
                child = self._checked("list", found)
                if not child.is_directory:
                    total += child.size_bytes
                    continue
                folders.append(child.path.rstrip("/").rsplit("/", 1)[-1])
                if len(folders) > MAX_COUNTED_FOLDERS:
                    raise TooLarge(f"The folder '{path:.200}' holds more than {MAX_COUNTED_FOLDERS} folders.")
            return total, folders

        return self._call("list", added_up, seconds=COUNT_SECONDS)

    def delete(self, path: str) -> None:
        """Remove the file, or the folder with all in it; silent where neither is."""
        check_path(path)
        self._call("delete", self.provider.delete, path, seconds=FILE_SECONDS)

    def _checked(self, operation: str, stored: object) -> StoredFile:
        if not isinstance(stored, StoredFile):
            raise self._broken(operation, f"{type(stored).__name__} instead of StoredFile")
        size = stored.size_bytes
        if not isinstance(stored.path, str) or isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise self._broken(operation, "a StoredFile whose path is no str or whose size_bytes is no count")
        return stored


class BoundNotifier(BoundProvider[Notifier]):
    """A way to tell people, with its settings."""

    kind = "notifier"

    def send(self, notification: Notification) -> None:
        """Deliver it within 30 seconds, or raise. `PluginUnavailable` and `PluginTimeout` are worth another try."""
        self._call("send", self.provider.send, notification, seconds=SEND_SECONDS)


class BoundTarget(BoundProvider[DeploymentTarget]):
    """A place where models run, with its settings."""

    kind = "deployment_target"

    def start(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Make the replica run if it does not; 60 seconds."""
        return self._call("start", lambda: self._status("start", self.provider.start(spec)), seconds=START_SECONDS)

    def observe(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Look at the replica as it is now; 10 seconds."""
        return self._call(
            "observe", lambda: self._status("observe", self.provider.observe(spec)), seconds=OBSERVE_SECONDS
        )

    def stop(self, spec: ReplicaSpec) -> None:
        """End the replica; silent where it does not run; 30 seconds."""
        self._call("stop", self.provider.stop, spec, seconds=STOP_SECONDS)

    def logs(self, spec: ReplicaSpec, *, lines: int = 200) -> str:
        """The last lines that the replica wrote, at most 1 MiB, without the connection's secrets; 10 seconds."""
        text = self._call("logs", partial(self.provider.logs, spec, lines=lines), seconds=LOGS_SECONDS, expect=str)
        return strip_secrets(text[-MAX_LOG_CHARACTERS:], self._secrets, limit=MAX_LOG_CHARACTERS)

    def _status(self, operation: str, status: object) -> ReplicaStatus:
        if not isinstance(status, ReplicaStatus):
            raise self._broken(operation, f"{type(status).__name__} instead of ReplicaStatus")
        if not isinstance(status.state, str) or status.state not in REPLICA_STATES:
            raise self._broken(operation, f"a state that is none of {', '.join(sorted(REPLICA_STATES))}")
        if not isinstance(status.message, str) or not isinstance(status.address, str | None):
            raise self._broken(operation, "a message or an address that is no str")
        return replace(
            status,
            message=strip_secrets(status.message, self._secrets),
            identity=self._plain_identity(operation, status.identity),
        )

    def _plain_identity(self, operation: str, identity: object) -> dict[str, Any]:
        try:
            text = json.dumps(dict(identity), allow_nan=False) if isinstance(identity, Mapping) else ""
        except (TypeError, ValueError, RecursionError):
            text = ""
        if not text or len(text) > MAX_IDENTITY_BYTES:
            raise self._broken(operation, f"an identity that is no JSON object of at most {MAX_IDENTITY_BYTES} bytes")
        plain: dict[str, Any] = json.loads(text)
        return plain


class BoundTracker(BoundProvider[Tracker]):
    """A tracker that stands elsewhere: it has the verbs of `Tracker`, each of which answers with the promised type."""

    kind = "tracker"

    @property
    def capabilities(self) -> frozenset[str]:
        """What the tracker can do besides the interface."""
        return self.entry.capabilities

    @cached_property
    def artifacts(self) -> BoundStorage | None:
        """The storage of what the tracker keeps itself; None where artifacts are no affair of it."""
        if ARTIFACTS not in self.capabilities:
            return None
        storage = self._call("artifacts", lambda: self.provider.artifacts, seconds=CONSTRUCT_SECONDS, expect=Storage)
        return BoundStorage(
            self.entry, storage, guard=self._guard, connection_id=self.connection_id, secrets=self._secrets
        )

    @property
    def is_direct(self) -> bool:
        """Whether its verbs are called without the guard: it is our own database's."""
        return self.local or TRANSACTIONAL in self.capabilities

    def __getattr__(self, verb: str) -> Any:
        """Return a verb of the tracker; reading may take 60 seconds, everything else 30."""
        if verb not in Tracker.__abstractmethods__:
            raise AttributeError(verb)
        seconds = SEARCH_SECONDS if verb in SEARCHES else VERB_SECONDS
        method, expect = getattr(self.provider, verb), _answer_of(verb)
        return lambda *args, **more: self._call(verb, partial(method, *args, **more), seconds=seconds, expect=expect)


@cache
def _answer_of(verb: str) -> type[Any]:
    """Return the class that the interface promises as the verb's answer."""
    promised = get_type_hints(getattr(Tracker, verb))["return"]
    answer: type[Any] = get_origin(promised) or promised
    return answer


_BOUND: dict[str, type[BoundProvider[Any]]] = {
    cls.kind: cls for cls in (BoundStorage, BoundNotifier, BoundTarget, BoundTracker)
}


def bind(
    entry: ProviderEntry,
    settings: Mapping[str, Any],
    secrets: Mapping[str, Any],
    guard: Guard,
    connection_id: str,
) -> BoundProvider[Any]:
    """Build the provider of a connection from its stored settings, and wrap it by its kind.

    Raises `InvalidInput` naming each wrong field.
    """
    hidden = secret_texts(secrets)
    checked = check_settings(entry, {**settings, **secrets}, guard)
    provider = guard.call(
        entry.plugin,
        "construct",
        entry.cls,
        checked,
        deadline_seconds=CONSTRUCT_SECONDS,
        connection=connection_id,
        secrets=hidden,
        expect=entry.cls,
    )
    bound = _BOUND.get(entry.kind, BoundProvider)
    return bound(entry, provider, guard=guard, connection_id=connection_id, secrets=hidden)


def check_path(path: str, *, root: bool = False) -> None:
    """Refuse a storage path that is absolute, climbs, holds an empty part or NUL, or is longer than 1024 bytes.

    ``""``, the root, is taken only where `root` is true.
    """
    if path == "" and root:
        return
    parts = path.split("/")
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        size = 0
    if "\0" in path or not 0 < size <= 1024 or any(part in ("", ".", "..") for part in parts):
        raise InvalidInput(
            f"'{path:.200}' is no path inside of a storage.".replace("\0", "\\0"),
            hint="Use a relative path with forward slashes, without '..' and empty parts, of at most 1024 bytes.",
        )
