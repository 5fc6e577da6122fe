"""The one gate through which Modelyard calls into plugins.

Whatever a plugin does, its caller gets a value of the promised type or one of our own errors, by the deadline:

- `Guard.call` runs on a daemon thread of the connection's own bounded pool. At the deadline the caller goes on with
  `PluginTimeout`; the thread counts as lost until it returns. While all of a pool are lost, calls fail at once.
- `Guard.direct` runs on the caller's thread: the same capture without a deadline, for hot local calls.
- `Guard.stream` reads chunks from a plugin, `Guard.feed` hands chunks to one; the deadline is the time between chunks.

Failures are counted by plugin and operation (`Guard.failures`). The texts that come out are short and hold no secret of
the connection; what a plugin's exception says is found out on the plugin's thread (`modelyard.core.plugin_failures`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import structlog

from modelyard.core.errors import (
    ModelyardError,
    PluginContractError,
    PluginError,
    PluginTimeout,
    PluginUnavailable,
)
from modelyard.core.plugin_failures import describe, places
from modelyard.core.plugin_streams import ChunkReader, ChunkSource, GuardedStream, HandedChunks, WatchedChunks
from modelyard.core.plugin_threads import AllThreadsLost, PluginThreads, Task, Word

T = TypeVar("T")
E = TypeVar("E", bound=PluginError)
Expected = type[Any] | tuple[type[Any], ...]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """Which plugin is asked for what, by whom: everything about a call but the function."""

    plugin: str
    operation: str
    deadline_seconds: float = 0.0
    connection: str | None = None
    secrets: Collection[str] = ()
    expect: Expected | None = None


@dataclass(slots=True)
class Outcome:
    """What came of a call: the value, or the error to raise."""

    value: Any = None
    error: ModelyardError | None = None


class Guard:
    """Calls plugins; one for each process. `failures` counts by (plugin, operation) and is changed under `lock`."""

    def __init__(self, *, threads_per_connection: int = 4) -> None:
        self.failures: dict[tuple[str, str], int] = {}
        self.lock = threading.Lock()
        self._size = threads_per_connection
        # A pool lives as long as one of its threads does (a lost one, too) or a caller holds it.
        self._pools: WeakValueDictionary[tuple[str, str | None], PluginThreads] = WeakValueDictionary()

    def call(
        self,
        plugin: str,
        operation: str,
        function: Callable[..., T],
        *args: Any,
        deadline_seconds: float,
        connection: str | None = None,
        secrets: Collection[str] = (),
        expect: Expected | None = None,
    ) -> T:
        """Return what the function returns, within the deadline, waiting for a free thread included.

        Raises `PluginTimeout`, `PluginUnavailable` while every thread of the connection is lost, `PluginContractError`
        where the value is no `expect`, the plugin's own `PluginError`, its answers (`NotFound`, `InvalidInput`, the
        `Conflict` family, `TooLarge`), and `PluginError` for whatever else it raised.
        """
        call = Call(plugin, operation, deadline_seconds, connection, secrets, expect)
        value: T = self._value_of(call, self._on_thread(call, lambda: function(*args)))
        return value

    def direct(
        self,
        plugin: str,
        operation: str,
        function: Callable[..., T],
        *args: Any,
        secrets: Collection[str] = (),
        expect: Expected | None = None,
    ) -> T:
        """Do as `call` does on the caller's own thread, without a deadline. Ctrl-C in the main thread passes."""
        call = Call(plugin, operation, secrets=secrets, expect=expect)
        value: T = self._value_of(call, _capture(call, lambda: function(*args)))
        return value

    def stream(
        self,
        plugin: str,
        operation: str,
        function: Callable[..., Iterable[bytes]],
        *args: Any,
        max_bytes: int,
        deadline_seconds: float | None,
        connection: str | None = None,
        secrets: Collection[str] = (),
    ) -> GuardedStream:
        """Return the chunks that the function's iterable yields; the first is fetched here, so its errors come here.

        `deadline_seconds` bounds the time to each chunk; None means the caller's own thread. More than `max_bytes`, a
        chunk that is no bytes and one of more than 1 MiB are `PluginContractError`. Close it when leaving early.
        """
        call = Call(plugin, operation, deadline_seconds or 0.0, connection, secrets)
        run = _capture if deadline_seconds is None else self._on_thread

        def step(work: Callable[[], Any]) -> Any:
            return self._value_of(call, run(call, work))

        reader = ChunkReader(plugin, operation, max_bytes)
        return GuardedStream(reader, step(lambda: reader.open(function(*args))), step)

    def feed(
        self,
        plugin: str,
        operation: str,
        function: Callable[[Iterator[bytes]], T],
        chunks: Iterable[bytes],
        *,
        deadline_seconds: float | None,
        connection: str | None = None,
        secrets: Collection[str] = (),
        expect: Expected | None = None,
    ) -> T:
        """Call the function with an iterator over `chunks`, which stay with the caller's thread.

        The deadline bounds how long the plugin takes for each chunk and for its end, not how long the caller takes to
        make one; None means the caller's own thread. What `chunks` raises reaches the plugin as the end of its source
        with an error, and the caller unchanged.
        """
        call = Call(plugin, operation, deadline_seconds or 0.0, connection, secrets, expect)
        source: ChunkSource
        if deadline_seconds is None:
            source = watched = WatchedChunks(chunks)
            outcome = _capture(call, lambda: function(watched))
        else:
            source = handed = HandedChunks(chunks)
            outcome = self._on_thread(call, lambda: function(handed), handed)
        if source.failure is not None:
            raise source.failure
        value: T = self._value_of(call, outcome)
        return value

    def lost_threads(self) -> dict[tuple[str, str | None], int]:
        """How many threads hang, by plugin and connection; those with none are left out."""
        with self.lock:
            pools = dict(self._pools)
        return {key: pool.lost for key, pool in pools.items() if pool.lost}

    def _on_thread(self, call: Call, work: Callable[[], Any], handed: HandedChunks | None = None) -> Outcome:
        pool = self._pool(call)
        try:
            task = pool.submit(lambda: _capture(call, work), handed.messages if handed else None)
        except AllThreadsLost:
            return _all_lost(call, pool)
        try:
            return _wait(call, pool, task, handed)
        finally:
            pool.leave(task)
            if handed is not None:
                handed.stop()

    def _pool(self, call: Call) -> PluginThreads:
        key = (call.plugin, call.connection)
        with self.lock:
            pool = self._pools.get(key)
            if pool is None:
                self._pools[key] = pool = PluginThreads(" ".join(filter(None, key)), self._size)
            return pool

    def count(self, error: E) -> E:
        """Count a failure that was found in a plugin's answer, and return it to be raised."""
        with self.lock:
            key = (error.plugin, error.operation)
            self.failures[key] = self.failures.get(key, 0) + 1
        return error

    def _value_of(self, call: Call, outcome: Outcome) -> Any:
        if outcome.error is None:
            return outcome.value
        raise self.count(outcome.error) if isinstance(outcome.error, PluginError) else outcome.error


def _capture(call: Call, work: Callable[[], Any]) -> Outcome:
    """Run foreign code; come back with an outcome whatever it did: a plugin's SystemExit must not end our thread."""
    try:
        value = work()
        if call.expect is not None and not isinstance(value, call.expect):
            raise _wrong_type(call, value)
        return Outcome(value)
    except BaseException as exc:
        if type(exc) is KeyboardInterrupt and threading.current_thread() is threading.main_thread():
            raise
        return _failure(call, exc)


def _failure(call: Call, exception: BaseException) -> Outcome:
    try:
        error = describe(exception, plugin=call.plugin, operation=call.operation, secrets=call.secrets)
        if type(error) is PluginError:
            log.warning(
                "plugin_call_failed",
                plugin=call.plugin,
                operation=call.operation,
                connection=call.connection,
                error=error.message,
                trace=places(exception.__traceback__),
            )
        return Outcome(error=error)
    except BaseException:  # noqa: BLE001 - the exception's own str, name or attributes raise
        message = f"The plugin '{call.plugin}' failed in '{call.operation}' with an exception that cannot be described."
        return Outcome(error=PluginError(message, plugin=call.plugin, operation=call.operation))


def _wrong_type(call: Call, value: object) -> PluginContractError:
    wanted = call.expect if isinstance(call.expect, tuple) else (call.expect,)
    names = " or ".join(cls.__name__ for cls in wanted if cls is not None)
    return PluginContractError(
        f"The plugin '{call.plugin}' answered '{call.operation}' with {type(value).__name__} instead of {names}.",
        plugin=call.plugin,
        operation=call.operation,
    )


def _wait(call: Call, pool: PluginThreads, task: Task, handed: HandedChunks | None) -> Outcome:
    """Wait for the task, serving it chunks meanwhile; each chunk renews the deadline."""
    expires = monotonic() + call.deadline_seconds
    while True:
        try:
            word = task.messages.get(timeout=max(expires - monotonic(), 0.0))
        except Empty:
            return _late(call, pool, task)
        if word is Word.ENDED:
            outcome: Outcome = task.result
            return outcome
        if word is Word.LOST:
            return _all_lost(call, pool)
        if handed is not None:
            handed.hand_over()
            expires = monotonic() + call.deadline_seconds


def _late(call: Call, pool: PluginThreads, task: Task) -> Outcome:
    asked = f"The plugin '{call.plugin}' did not answer '{call.operation}' within {call.deadline_seconds:g} seconds"
    message = f"{asked}." if task.started else f"{asked}: all {pool.size} threads are busy."
    error = PluginTimeout(message, plugin=call.plugin, operation=call.operation)
    return Outcome(error=error)


def _all_lost(call: Call, pool: PluginThreads) -> Outcome:
    error = PluginUnavailable(
        f"The plugin '{call.plugin}' was not asked for '{call.operation}': {pool.size} of {pool.size} threads hang.",
        plugin=call.plugin,
        operation=call.operation,
        hint="It is asked again as soon as one of them returns; restarting the process ends them.",
    )
    return Outcome(error=error)
