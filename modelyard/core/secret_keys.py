"""The keys of stored secrets over time: which there are, a new one, and the end of an old one.

Whatever is sealed is in a column named `encrypted_*`; these are found by that name, so that none can be forgotten.
Everything here may be interrupted and begun again, with servers running.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from peewee import SQL, fn

from modelyard.core.db import Table, atomic, connection
from modelyard.core.errors import ConfigurationError, Conflict
from modelyard.core.secret_box import KEY_FILE, SecretBox, key_id, read_keys

PREFIX = "encrypted_"
BATCH = 100
PASSES = 5
UNNAMED = "before key ids"
SETTLED_SECONDS = 600
"""For how long after a rotation old keys are kept: a server may be about to store what it has sealed with one."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One key by its id (never the key itself), and how many stored values it seals."""

    id: str
    is_newest: bool
    is_known: bool
    values: int


def sealed_columns() -> list[Any]:
    """Every column of every table that holds what a `SecretBox` sealed."""
    waiting: list[type[Table]] = [Table]
    found: dict[str, Any] = {}
    while waiting:
        for table in waiting.pop().__subclasses__():
            waiting.append(table)
            for name, field in table._meta.fields.items():
                if name.startswith(PREFIX) and table.__module__.startswith("modelyard."):
                    found[f"{table._meta.table_name}.{name}"] = field
    return [found[name] for name in sorted(found)]


class SecretKeys:
    """The keys of one server: those of its key file, unless the setting `secret.keys` has them."""

    def __init__(self, *, configured: tuple[str, ...], data_directory: Path) -> None:
        self._file = None if configured else data_directory / KEY_FILE
        self._configured = configured

    def keys(self) -> list[str]:
        """Return the keys, newest first."""
        return list(self._configured) if self._file is None else read_keys(self._file)

    def uses(self) -> list[KeyUse]:
        """Return each key, newest first, and each that seals something and is not there, with its number of values."""
        counts: dict[str, int] = {}
        with connection():
            for column in sealed_columns():
                named = fn.SUBSTR(column, SQL("1"), SQL("9"))
                rows = (
                    column.model.select(named, fn.COUNT(column.model.id))
                    .where(column.is_null(False))
                    .group_by(named)
                    .tuples()
                )
                for prefix, count in rows:
                    name = prefix[:8] if prefix.endswith(".") else UNNAMED
                    counts[name] = counts.get(name, 0) + count
        ids = [key_id(key) for key in self.keys()]
        known = [KeyUse(name, place == 0, True, counts.pop(name, 0)) for place, name in enumerate(ids)]
        return known + [KeyUse(name, False, name == UNNAMED, count) for name, count in sorted(counts.items())]

    def add(self) -> str:
        """Put a new key before the others of the key file, and return its id; running servers notice it.

        `ConfigurationError` where the setting `secret.keys` has the keys: there is no file to put it into.
        """
        if self._file is None:
            raise ConfigurationError(
                "The keys come from the setting secret.keys.",
                hint="Put a new key before them, restart the servers, then run `modelyard admin keys rotate --resume`.",
            )
        with self._only_one(self._file):
            key = Fernet.generate_key().decode()
            _replace(self._file, [key, *read_keys(self._file)])
        return key_id(key)

    def reseal(self) -> Iterator[tuple[int, int]]:
        """Seal everything anew with the newest key, a hundred values to a transaction; yield (done, all) as it goes."""
        box = SecretBox(self.keys(), file=self._file)
        for _ in range(PASSES):  # servers that have not noticed the newest key yet may write with an older one
            left = self._count_old(box.newest)
            if not left:
                return
            done = 0
            for column in sealed_columns():
                for count in _reseal_column(column, box):
                    done += count
                    yield done, left

    def prune(self) -> list[str]:
        """Take keys that seal nothing out of the key file, and return their ids; the newest stays.

        `Conflict` within ten minutes after a rotation, and while values are sealed by a key that has no name in them.
        """
        if self._file is None:
            raise ConfigurationError("The keys come from the setting secret.keys.", hint="Take old ones out there.")
        with self._only_one(self._file):
            wait = self._file.stat().st_mtime + SETTLED_SECONDS - time.time()
            if wait > 0:
                raise Conflict(
                    "The key file was changed less than ten minutes ago: a server may yet store what one sealed.",
                    hint=f"Try again in {int(wait) + 1} seconds.",
                )
            uses = self.uses()
            if any(use.id == UNNAMED for use in uses):
                raise Conflict("Some values do not name their key.", hint="Run `modelyard admin keys rotate` first.")
            idle = {use.id for use in uses if use.is_known and not use.is_newest and not use.values}
            if idle:
                _replace(self._file, [key for key in read_keys(self._file) if key_id(key) not in idle])
            return sorted(idle)

    def _count_old(self, newest: str) -> int:
        with connection():
            return sum(column.model.select().where(_is_old(column, newest)).count() for column in sealed_columns())

    @contextmanager
    def _only_one(self, file: Path) -> Iterator[None]:
        """Keep others from changing the key file meanwhile."""
        descriptor = os.open(file.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _is_old(column: Any, newest: str) -> Any:
    return column.is_null(False) & ~column.startswith(f"{newest}.")


def _reseal_column(column: Any, box: SecretBox) -> Iterator[int]:
    table, after = column.model, 0
    while True:
        with connection(), atomic():
            rows = list(
                table.select(table.id, column)
                .where(table.id > after, _is_old(column, box.newest))
                .order_by(table.id)
                .limit(BATCH)
                .tuples()
            )
            for row_id, sealed in rows:
                unchanged = (table.id == row_id) & (column == sealed)  # else somebody stored a new value meanwhile
                table.update({column: box.seal(box.open(sealed))}).where(unchanged).execute()
        if not rows:
            return
        after = rows[-1][0]
        yield len(rows)


def _replace(file: Path, keys: list[str]) -> None:
    """Write the key file anew, whole or not at all, for our eyes only."""
    new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write("".join(f"{key}\n" for key in keys))
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
