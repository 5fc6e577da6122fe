"""Group commit for SQLite: what several threads want to write at the same moment becomes one transaction.

SQLite takes one writer at a time and waits for the disk at each commit. So whoever comes while a group is being
written waits in line; when that group is durable, the first of the line writes for all who wait by then. Nobody ever
waits for more to come: a single writer commits at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from modelyard.core.db import HeldTransaction, atomic, database, is_postgresql

T = TypeVar("T")

MOST_IN_A_GROUP = 64


class _Entry:
    """One piece of work in the line; its thread wakes when the work is done or it is its turn to write."""

    __slots__ = ("error", "is_done", "value", "wake", "work")

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work
        self.value: Any = None
        self.error: BaseException | None = None
        self.is_done = False
        self.wake = threading.Lock()
        self.wake.acquire()

    def do(self, *, alone: bool) -> None:
        """Do the work; of a group, one that fails takes nobody else's writes along."""
        if alone:
            self.value = self.work()
            return
        try:
            with atomic():
                self.value = self.work()
        except Exception as error:
            self.error = error
            if not database.connection().in_transaction:
                raise  # SQLite rolled the whole group back by itself: what comes after would be kept alone

    def outcome(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


class GroupCommit:
    """The line of one process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._line: deque[_Entry] = deque()
        self._is_writing = False

    def write(self, work: Callable[[], T]) -> T:
        """Do the work in a transaction, perhaps by another thread, and return its value once that is durable.

        Raises what the work raises, then nothing of it is kept, and what the commit raises. The work may touch nothing
        that belongs to its thread, and it must not start a group itself.
        """
        entry = _Entry(work)
        with self._guard:
            self._line.append(entry)
            mine = not self._is_writing
            self._is_writing = True
        if not mine:
            entry.wake.acquire()
        if not entry.is_done:
            self._write_group()
        value: T = entry.outcome()
        return value

    def _write_group(self) -> None:
        """Write for all who wait, and hand over to the first of those who came meanwhile."""
        with self._guard:
            group = [self._line.popleft() for _ in range(min(MOST_IN_A_GROUP, len(self._line)))]
        try:
            with atomic():
                for entry in group:
                    entry.do(alone=len(group) == 1)
        except BaseException as error:  # noqa: BLE001 - each thread of the group raises it again
            for entry in group:
                entry.error = entry.error or error
        finally:
            for entry in group:
                entry.is_done = True
                entry.wake.release()
            with self._guard:
                self._is_writing = bool(self._line)
                if self._line:
                    self._line[0].wake.release()


_line = GroupCommit()


def write_together(work: Callable[[], T]) -> T:
    """Do the work in the caller's transaction, in a group of its own database's, or in a transaction of its own."""
    if database.transaction_depth():
        return work()
    if is_postgresql() or HeldTransaction.here() is not None:
        with atomic():
            return work()
    return _line.write(work)
