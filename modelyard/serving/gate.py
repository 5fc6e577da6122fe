"""How many predictions run at once, and how many may wait for their turn."""

from __future__ import annotations

import threading
from types import TracebackType

from modelyard.serving.messages import RefusedError

WAITING = 60


class Gate:
    """Lets `threads` predictions run at once and `WAITING` more wait; whoever comes beyond that gets 503 at once.

    A server with more threads than both together always has one left that answers health checks.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._slots = threading.Semaphore(threads)
        self._lock = threading.Lock()
        self._inside = 0

    @property
    def running(self) -> int:
        """Predictions being computed now."""
        return min(self._inside, self._threads)

    @property
    def waiting(self) -> int:
        """Predictions that wait for their turn."""
        return max(self._inside - self._threads, 0)

    def __enter__(self) -> None:
        with self._lock:
            if self._inside >= self._threads + WAITING:
                message = f"{self._threads} predictions run and {WAITING} wait already; try again in a second"
                raise RefusedError(503, message, code="RESOURCE_EXHAUSTED", headers=(("Retry-After", "1"),))
            self._inside += 1
        self._slots.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slots.release()
        with self._lock:
            self._inside -= 1
