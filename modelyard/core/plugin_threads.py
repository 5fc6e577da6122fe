"""Daemon threads for calls that may never come back.

A `ThreadPoolExecutor` joins its threads when the interpreter ends, so one hanging plugin would hang the exit. These
threads are daemons, and the thread of a call whose caller has left counts as lost until the call returns.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from queue import SimpleQueue
from typing import Any


class AllThreadsLost(Exception):
    """Every thread of the pool is held by a call that its caller has left."""


class Word(Enum):
    """What a task's mailbox says besides the words of its user."""

    ENDED = auto()
    LOST = auto()


class _State(Enum):
    WAITING = auto()
    RUNNING = auto()
    LEFT = auto()
    ENDED = auto()


class Task:
    """One call on its way through a pool: `messages` tell the caller how it goes, `result` is there after `ENDED`."""

    __slots__ = ("messages", "result", "state", "work")

    def __init__(self, work: Callable[[], Any], messages: SimpleQueue[Any]) -> None:
        self.work = work
        self.messages = messages
        self.result: Any = None
        self.state = _State.WAITING

    @property
    def started(self) -> bool:
        """Whether a thread has taken it up."""
        return self.state is not _State.WAITING


class PluginThreads:
    """At most `size` daemon threads, started when they are needed and ended after `idle_seconds` without work."""

    def __init__(self, name: str, size: int, *, idle_seconds: float = 30.0) -> None:
        self.name = name
        self.size = size
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)
        self._waiting: deque[Task] = deque()
        self._threads = 0
        self._idle = 0
        self._lost = 0

    @property
    def lost(self) -> int:
        """How many threads run a call that its caller has left."""
        return self._lost

    def submit(self, work: Callable[[], Any], messages: SimpleQueue[Any] | None = None) -> Task:
        """Queue the work, which must not raise. Raises `AllThreadsLost` where no thread is left to wait for."""
        with self._lock:
            if self._lost >= self.size:
                raise AllThreadsLost
            task = Task(work, SimpleQueue() if messages is None else messages)
            self._waiting.append(task)
            if self._idle >= len(self._waiting):
                self._work_came.notify()
            elif self._threads < self.size:
                self._start_thread()
            return task

    def leave(self, task: Task) -> None:
        """The caller waits no longer. A waiting task never runs; a running one costs its thread until it returns."""
        with self._lock:
            if task.state is _State.WAITING:
                if task in self._waiting:
                    self._waiting.remove(task)
            elif task.state is _State.RUNNING:
                task.state = _State.LEFT
                self._lost += 1
                if self._lost >= self.size:
                    self._turn_away_waiting()

    def _turn_away_waiting(self) -> None:
        while self._waiting:
            self._waiting.popleft().messages.put(Word.LOST)

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._serve, name=f"plugin {self.name}", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no more threads on this machine: the ones that run must do, if there are any
            if self._threads == 0:
                self._turn_away_waiting()
        else:
            self._threads += 1

    def _serve(self) -> None:
        while (task := self._next()) is not None:
            task.result = task.work()
            self._end(task)
            del task

    def _next(self) -> Task | None:
        with self._lock:
            self._idle += 1
            try:
                if not self._waiting:
                    self._work_came.wait_for(lambda: bool(self._waiting), timeout=self._idle_seconds)
            finally:
                self._idle -= 1
            if not self._waiting:
                self._threads -= 1
                return None
            task = self._waiting.popleft()
            task.state = _State.RUNNING
            return task

    def _end(self, task: Task) -> None:
        with self._lock:
            if task.state is _State.LEFT:
                self._lost -= 1
                task.result = None
            task.state = _State.ENDED
        task.messages.put(Word.ENDED)
