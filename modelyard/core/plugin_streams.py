"""Bytes on their way from and to plugins, chunk by chunk: the parts of `Guard.stream` and `Guard.feed`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Protocol, Self

from modelyard.core.errors import ModelyardError, PluginContractError

MAX_CHUNK_BYTES = 1024 * 1024
MAX_EMPTY_CHUNKS = 1000

_END = object()
_STOP = object()
_WANTED = object()


class ChunksStopped(Exception):
    """What a plugin meets when the chunks it stores come to no good end: it must leave everything as it was."""


class ChunkReader:
    """Reads what a plugin yields and checks it. Every method runs foreign code: on the plugin's thread only."""

    def __init__(self, plugin: str, operation: str, max_bytes: int) -> None:
        self._plugin = plugin
        self._operation = operation
        self._max_bytes = max_bytes
        self._sent = 0
        self._iterator: Iterator[object] = iter(())

    def open(self, iterable: object) -> bytes | None:
        """Take up the plugin's answer and return its first chunk, None where there is none."""
        if not isinstance(iterable, Iterable):
            raise self._broken(f"{type(iterable).__name__} instead of chunks of bytes")
        self._iterator = iter(iterable)
        return self.pull()

    def pull(self) -> bytes | None:
        """Return the next chunk that is not empty, None at the end."""
        for _ in range(MAX_EMPTY_CHUNKS):
            chunk = next(self._iterator, _END)
            if chunk is _END:
                return None
            if problem := self._problem(chunk):
                self.close()
                raise self._broken(problem)
            if isinstance(chunk, bytes) and chunk:
                self._sent += len(chunk)
                return chunk
        self.close()
        raise self._broken("nothing but empty chunks")

    def close(self) -> None:
        """Let the plugin clean up behind a stream that is not read to its end."""
        close = getattr(self._iterator, "close", None)
        if callable(close):
            close()

    def _problem(self, chunk: object) -> str | None:
        if not isinstance(chunk, bytes):
            return f"a chunk of type {type(chunk).__name__} instead of bytes"
        if len(chunk) > MAX_CHUNK_BYTES:
            return f"a chunk of {len(chunk)} bytes, more than {MAX_CHUNK_BYTES}"
        if self._sent + len(chunk) > self._max_bytes:
            return f"more than the {self._max_bytes} bytes asked for"
        return None

    def _broken(self, problem: str) -> PluginContractError:
        message = f"The plugin '{self._plugin}' answered '{self._operation}' with {problem}."
        return PluginContractError(message, plugin=self._plugin, operation=self._operation)


class GuardedStream(Iterator[bytes]):
    """Chunks from a plugin, none of them empty. After an error or `close` there are no more."""

    def __init__(self, reader: ChunkReader, first: bytes | None, step: Callable[[Callable[[], Any]], Any]) -> None:
        self._reader = reader
        self._ahead = first
        self._over = first is None
        self._step = step

    def __next__(self) -> bytes:
        if self._over:
            raise StopIteration
        chunk, self._ahead = self._ahead, None
        if chunk is None:
            try:
                chunk = self._step(self._reader.pull)
            except BaseException:
                self._over = True
                raise
        if chunk is None:
            self._over = True
            raise StopIteration
        return chunk

    def close(self) -> None:
        """Read no further; the plugin's clean-up runs under the guard, and its failure is counted, not raised."""
        if not self._over:
            self._over = True
            self._ahead = None
            try:
                self._step(self._reader.close)
            except ModelyardError:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ChunkSource(Protocol):
    """Chunks on their way to a plugin; `failure` is what making them raised, if it did."""

    failure: BaseException | None


class WatchedChunks(Iterator[bytes]):
    """The caller's chunks, for a plugin on the same thread."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._source = iter(chunks)
        self.failure: BaseException | None = None

    def __next__(self) -> bytes:
        if self.failure is not None:
            raise ChunksStopped
        try:
            return next(self._source)
        except StopIteration:
            raise
        except BaseException as exc:  # noqa: BLE001 - `Guard.feed` raises it again when the plugin has ended
            self.failure = exc
            raise ChunksStopped from None


class HandedChunks(Iterator[bytes]):
    """The caller's chunks, for a plugin on another thread: each is made on the caller's thread when the plugin asks.

    `__next__` is the plugin's side and says in `messages` that it wants one; `hand_over` and `stop` are the caller's.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._source = iter(chunks)
        self._given: SimpleQueue[Any] = SimpleQueue()
        self.messages: SimpleQueue[Any] = SimpleQueue()
        self.failure: BaseException | None = None

    def __next__(self) -> bytes:
        self.messages.put(_WANTED)
        chunk = self._given.get()
        if chunk is _STOP:
            self.stop()
            raise ChunksStopped
        if chunk is _END:
            raise StopIteration
        given: bytes = chunk
        return given

    def hand_over(self) -> None:
        """Make the next chunk and give it to the plugin."""
        try:
            chunk = next(self._source, None) if self.failure is None else None
        except BaseException as exc:  # noqa: BLE001 - `Guard.feed` raises it again when the plugin has ended
            self.failure = exc
        if self.failure is not None:
            self._given.put(_STOP)
        elif chunk is None:
            self._given.put(_END)
        else:
            self._given.put(chunk)

    def stop(self) -> None:
        """Give nothing more: a plugin that still asks meets `ChunksStopped`."""
        self._given.put(_STOP)
