"""The database: opened in one place, the same schema on SQLite and PostgreSQL.

A service says `with atomic():` and nothing else about transactions. On SQLite every transaction takes the write lock
at its start (BEGIN IMMEDIATE): a deferred one that reads and then writes fails at once with "database is locked",
whatever the busy timeout. Threads of a process queue for it first come, first served; competing by the busy timeout
alone starves some of them for seconds.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from peewee import BigAutoField, DatabaseProxy, Model, OperationalError, SqliteDatabase, TextField

from modelyard.core.errors import ConfigurationError, Unavailable

database = DatabaseProxy()

BUSY_TIMEOUT_SECONDS = 30
PAGE_CACHE_KIB = 2000
"""What each thread's connection to SQLite keeps: 128 MiB for 64 threads. More saves next to nothing in a search."""
URL_HINT = "Write sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME."


class FairLock:
    """A lock that is handed over in the order of arrival."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self) -> None:
        """Wait until all who came before have released."""
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def release(self) -> None:
        """Hand over to the one who has waited longest."""
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class FairSqliteDatabase(SqliteDatabase):
    """SQLite whose transactions queue fairly within the process before they compete with other processes."""

    def __init__(self, path: str) -> None:
        self._writer = FairLock()
        self._turn = threading.local()
        super().__init__(
            path,
            pragmas={"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1, "cache_size": -PAGE_CACHE_KIB},
            lock_type="IMMEDIATE",
            timeout=BUSY_TIMEOUT_SECONDS,
        )

    def _connect(self) -> Any:
        """Open a connection; a new file is for our eyes only, as are its companions, which take its mode.

        A file that is there is never opened here: closing it would drop the locks that SQLite has on it here.
        """
        with suppress(OSError):
            os.close(os.open(self.database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        return super()._connect()  # type: ignore[misc]

    def begin(self, lock_type: str | None = None) -> None:
        """Queue for the process's turn, then take the write lock of the file."""
        self._writer.acquire()
        self._turn.mine = True
        try:
            super().begin(lock_type)
        except BaseException:
            self._give_up_turn()
            raise

    def commit(self) -> Any:
        """Commit and let the next thread go; a failed commit keeps the turn until its rollback."""
        result = super().commit()
        self._give_up_turn()
        return result

    def rollback(self) -> Any:
        """Roll back and let the next thread go."""
        try:
            if self.connection().in_transaction:  # type: ignore[no-untyped-call]
                return super().rollback()
            return None  # SQLite has rolled back by itself, as it does when the disk is full
        finally:
            self._give_up_turn()

    def _give_up_turn(self) -> None:
        if getattr(self._turn, "mine", False):
            self._turn.mine = False
            self._writer.release()


def open_database(
    url: str, *, pool_size: int = 8, pool_timeout_seconds: int = 10, idle_transaction_timeout_seconds: int = 30
) -> Any:
    """Bind every table to the database at `url`; no connection is made yet.

    PostgreSQL ends a connection that does nothing inside a transaction for so long; 0 is never.
    Raises `ConfigurationError` for a scheme other than ``sqlite`` and ``postgresql``, or without the driver.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(f"database.url cannot be read: {error}.", hint=URL_HINT) from None
    if parts.scheme == "sqlite":
        if parts.query or parts.fragment:
            raise ConfigurationError("database.url has a ? or #.", hint="Write %3F and %23 for them in a path.")
        opened: Any = FairSqliteDatabase(unquote(parts.path))
    elif parts.scheme in {"postgresql", "postgres"}:
        opened = _open_postgresql(parts, pool_size, pool_timeout_seconds, idle_transaction_timeout_seconds)
    else:
        raise ConfigurationError(
            f"database.url starts with {parts.scheme!r}.",
            hint=URL_HINT,
        )
    database.initialize(opened)
    return opened


def _open_postgresql(parts: Any, pool_size: int, pool_timeout_seconds: int, idle_seconds: int) -> Any:
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise ConfigurationError(
            "database.url names PostgreSQL, but its driver psycopg is not installed.",
            hint="pip install 'modelyard[postgres]'",
        ) from None
    from playhouse.pool import PooledPostgresqlDatabase

    return PooledPostgresqlDatabase(
        unquote(parts.path.lstrip("/")),
        user=unquote(parts.username or "") or None,
        password=unquote(parts.password or "") or None,
        host=parts.hostname,
        port=parts.port or 5432,
        max_connections=pool_size,
        timeout=pool_timeout_seconds,
        stale_timeout=300,
        prefer_psycopg3=True,
        connect_timeout=10,
        options=f"-c idle_in_transaction_session_timeout={idle_seconds * 1000}" if idle_seconds else None,
    )


def close_database(opened: Any = None) -> None:
    """Close this thread's connection and those that wait in the pool, of the database that is bound or of another."""
    closing = opened or database.obj
    if not closing.is_closed():
        closing.close()
    if not isinstance(closing, SqliteDatabase):
        closing.close_idle()


class HeldTransaction:
    """One transaction around all that a request changes, committed by whoever holds it and not by the services.

    It begins with the first `atomic()` of this thread inside the block, so that what comes before, such as a plugin's
    check of settings, runs outside; `on_begin` is called as its first act and may refuse by raising. What a finished
    `atomic()` wrote is kept even if the request fails after it, just as without a holder. What leaves the block without
    `commit` is rolled back.
    """

    _thread = threading.local()

    def __init__(self, on_begin: Callable[[], None]) -> None:
        self._on_begin = on_begin
        self._transaction: Any = None

    @classmethod
    def here(cls) -> HeldTransaction | None:
        """Return the one that this thread holds."""
        return getattr(cls._thread, "held", None)

    @property
    def has_begun(self) -> bool:
        """Whether anything may have been changed."""
        return self._transaction is not None

    def __enter__(self) -> Self:
        self._thread.held = self
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.held = None
        if self._transaction is not None:
            self._end(RuntimeError, RuntimeError("not committed"))

    def begin(self) -> None:
        """Open the transaction, once."""
        if self._transaction is None:
            self._transaction = database.atomic()
            self._transaction.__enter__()
            self._on_begin()

    def commit(self) -> None:
        """Keep what was changed; raises what the database raises, and then nothing is kept."""
        if self._transaction is not None:
            self._end(None, None)

    def _end(self, kind: Any, error: Any) -> None:
        transaction, self._transaction = self._transaction, None
        transaction.__exit__(kind, error, None)


def atomic() -> Any:
    """Open a transaction, or a savepoint inside one: all of the block is kept, or nothing."""
    held = HeldTransaction.here()
    if held is not None:
        held.begin()
    return database.atomic()


@contextmanager
def unsynced() -> Iterator[None]:
    """Open a transaction whose commit is not waited for until it is on the disk, unless one is open already.

    The death of a process loses nothing of it, a power failure may: it is for what is worked out anew by itself.
    """
    if database.transaction_depth() or HeldTransaction.here() is not None:
        with atomic():
            yield
    elif is_postgresql():
        with atomic():
            database.execute_sql("SET LOCAL synchronous_commit = off")
            yield
    else:
        database.execute_sql("PRAGMA synchronous = NORMAL")
        try:
            with atomic():
                yield
        finally:
            database.execute_sql("PRAGMA synchronous = FULL")


@contextmanager
def connection() -> Iterator[None]:
    """Hold a connection for the block and give it back to the pool after it; nested blocks share it.

    On SQLite the thread keeps its connection: opening one costs more than a request. Raises `Unavailable` when the
    database does not answer or the pool stays empty.
    """
    try:
        opened = database.connect(reuse_if_open=True)
    except (OperationalError, ValueError) as error:
        raise Unavailable("The database does not answer.", hint="Try again in a moment.") from error
    try:
        yield
    finally:
        if opened and is_postgresql() and not database.is_closed():
            database.close()


def is_postgresql() -> bool:
    """Say whether this process works on PostgreSQL."""
    return not isinstance(database.obj, SqliteDatabase)


def locked(query: Any) -> Any:
    """Lock the rows that `query` selects until the transaction ends; on SQLite it holds the whole file already."""
    return query.for_update() if is_postgresql() else query


def held(query: Any) -> Any:
    """Lock the rows against other changes until the transaction ends; rows that point to them may still be added.

    It is what a tenant's own row is locked with: each event points to it, and would wait, or wait for one another.
    """
    return query.for_update("FOR NO KEY UPDATE") if is_postgresql() else query


class JSONText(TextField):
    """A JSON value in a text column, the same on both databases."""

    def db_value(self, value: Any) -> str | None:
        """Encode compactly, keys in the given order."""
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def python_value(self, value: str | None) -> Any:
        """Decode."""
        return None if value is None else json.loads(value)


class Table(Model):
    """What all tables share: an integer key for joins, and the one database."""

    id = BigAutoField()

    class Meta:
        database = database
        legacy_table_names = False


def now_ms() -> int:
    """Now, in milliseconds since 1970 UTC."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """Make a public id: a UUIDv7 (RFC 9562) as 32 hex digits, so that later ids sort after earlier ones."""
    stamp = now_ms().to_bytes(6, "big")
    noise = bytearray(secrets.token_bytes(10))
    noise[0] = 0x70 | (noise[0] & 0x0F)
    noise[2] = 0x80 | (noise[2] & 0x3F)
    return (stamp + noise).hex()
