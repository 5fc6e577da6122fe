"""What hot requests need to know of who asks and where, without asking the database for it each time.

An entry counts for at most 5 seconds and only while the generation in the database is the one that it was read under.
Triggers raise that number with every change of users, tokens, members, projects and connections, so that a token that
is revoked is refused by every process at its next request.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeVar

from peewee import BigIntegerField

from modelyard.core.db import Table, database
from modelyard.core.errors import Unavailable

T = TypeVar("T")

MOST_ENTRIES = 10_000
LONGEST_SECONDS = 5.0


class AccessGeneration(Table):
    """One row; triggers raise `number`."""

    number = BigIntegerField()


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Any
    generation: int
    expires: float


class AccessCache:
    """The entries of one process."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._entries: dict[Hashable, _Entry] = {}
        self._lock = threading.Lock()

    def view(self, credential: bytes) -> AccessView:
        """Return what counts now for whoever shows the credential, for the time of one request."""
        row = database.execute_sql("SELECT number FROM access_generation").fetchone()
        if row is None:
            raise Unavailable(
                "The table access_generation is empty.", hint="Insert its one row again, with any number."
            )
        return AccessView(self, credential, row[0])

    def find(self, key: Hashable, generation: int) -> Any:
        """Return a value that counts under the generation; None where there is none."""
        entry = self._entries.get(key)
        if entry is None or entry.generation != generation or entry.expires < self._clock():
            return None
        return entry.value

    def keep(self, key: Hashable, value: Any, generation: int) -> None:
        """Keep a value; the oldest entry goes where there are too many."""
        entry = _Entry(value, generation, self._clock() + LONGEST_SECONDS)
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = entry
            if len(self._entries) > MOST_ENTRIES:
                del self._entries[next(iter(self._entries))]


class AccessView:
    """The entries of one credential, under the generation that was read at the beginning of a request.

    Entries belong to a credential because what is quick would else tell a stranger that somebody else found it there.
    """

    def __init__(self, cache: AccessCache, credential: bytes, generation: int) -> None:
        self._cache = cache
        self._credential = credential
        self._generation = generation

    def fetch(self, key: Hashable, look_up: Callable[[], T]) -> T:
        """Return what is kept under the key, or look it up and keep it; that there is nothing (None) is not kept."""
        kept: T | None = self.kept(key)
        if kept is not None:
            return kept
        value = look_up()
        if value is not None:
            self._cache.keep((self._credential, key), value, self._generation)
        return value

    def kept(self, key: Hashable) -> Any:
        """Return what is kept under the key, or None."""
        return self._cache.find((self._credential, key), self._generation)
