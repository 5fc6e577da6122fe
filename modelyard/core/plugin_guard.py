"""The one gate through which Modelyard calls into plugins.

Whatever a plugin does, its caller gets a value of the promised type or one of our own errors, by the deadline:

- `Guard.call` runs on a daemon thread of the connection's own bounded pool. At the deadline the caller goes on with
  `PluginTimeout`; the thread counts as lost until it returns. While all of a pool are lost, calls fail at once.
- `Guard.direct` runs on the caller's thread: the same capture without a deadline, for hot local calls.
- `Guard.stream` reads chunks from a plugin, `Guard.feed` hands chunks to one; the deadline is the time between chunks.

Before a call two things are looked at. A plugin on hold (blocked, or in quarantine) is not asked, except to load it. A
connection (or plugin, where there is none) that failed several times in a row is left alone until the trial of its
breaker; answers such as `NotFound` are no failures. Direct calls have no breaker: they wait for nobody, so it would
save nothing, and one tenant's bad input could keep the others from what all share. For the same reason the check of
settings has none.

Every call is counted (`statistics`), kept if it failed (`last_failures`), and told to the `observers`. The texts that
come out are short and hold no secret of the connection; what a plugin's exception says is found out on the plugin's
thread (`modelyard.core.plugin_failures`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from queue import Empty
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from modelyard.core import hookspecs
from modelyard.core.errors import ModelyardError, PluginContractError, PluginError, PluginRefused, PluginTimeout
from modelyard.core.plugin_breaker import CLOSED, Breaker, BreakerOpen, BreakerRules, BreakerState
from modelyard.core.plugin_calls import Call, Expected, Outcome, all_lost, breaker_open, capture, held, late
from modelyard.core.plugin_holds import QUARANTINE_STRIKES, Holds
from modelyard.core.plugin_statistics import ANSWER, OK, CallRecord, CallStatistics, Failure, GuardStatistics
from modelyard.core.plugin_streams import ChunkReader, ChunkSource, GuardedStream, HandedChunks, WatchedChunks
from modelyard.core.plugin_threads import AllThreadsLost, PluginThreads, Task, Word

T = TypeVar("T")
Key = tuple[str, str | None]

LOADING = frozenset({"import", "register", "startup", *(name for name in vars(hookspecs) if name[:9] == "register_")})
MOMENTS = frozenset(hookspecs.MOMENT_OF_ACTION.values())
WITHOUT_BREAKER = LOADING | {"settings"}
MOST_CLOSED_BREAKERS = 1000
STRIKES_OF_A_HANGING_MOMENT = 2
LONGEST_WAIT_SECONDS = 1.0
"""A signal that comes just before a wait begins is heard at the wait's end only: so no wait of ours is long."""


def _time_of_day_ms() -> int:
    return time.time_ns() // 1_000_000


class Guard:
    """Calls plugins; one for each process. `observers` are told of each call that ended, on the caller's thread."""

    def __init__(
        self,
        *,
        threads_per_connection: int = 4,
        rules: BreakerRules | None = None,
        holds: Holds | None = None,
        clock: Callable[[], float] = monotonic,
        now_ms: Callable[[], int] = _time_of_day_ms,
    ) -> None:
        self.observers: list[Callable[[CallRecord], None]] = []
        self.holds = holds or Holds(now_ms=now_ms)
        self._rules = rules or BreakerRules()
        self._clock = clock
        self._now_ms = now_ms
        self._size = threads_per_connection
        self._lock = threading.Lock()
        self._counts = CallStatistics()
        self._breakers: dict[Key, Breaker] = {}
        # A pool lives as long as one of its threads does (a lost one, too) or a caller holds it.
        self._pools: WeakValueDictionary[Key, PluginThreads] = WeakValueDictionary()

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

        Raises `PluginTimeout`, `PluginUnavailable` while every thread of the connection is lost, `PluginSuspended`
        where the plugin is not asked, `PluginContractError` where the value is no `expect`, the plugin's own
        `PluginError`, its answers (`NotFound`, `InvalidInput`, the `Conflict` family, `TooLarge`), and `PluginError`
        for whatever else it raised.
        """
        call = Call(plugin, operation, deadline_seconds, connection, secrets, expect)
        value: T = self._ask(call, lambda: self._on_thread(call, lambda: function(*args)))
        return value

    def direct(
        self,
        plugin: str,
        operation: str,
        function: Callable[..., T],
        *args: Any,
        connection: str | None = None,
        secrets: Collection[str] = (),
        expect: Expected | None = None,
    ) -> T:
        """Do as `call` does on the caller's own thread, without deadline and breaker.

        Ctrl-C in the main thread passes.
        """
        call = Call(plugin, operation, 0.0, connection, secrets, expect, is_direct=True)
        value: T = self._ask(call, lambda: capture(call, lambda: function(*args)))
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
        is_direct = deadline_seconds is None
        call = Call(plugin, operation, deadline_seconds or 0.0, connection, secrets, is_direct=is_direct)
        run = capture if is_direct else self._on_thread
        reader = ChunkReader(plugin, operation, max_bytes)
        first = self._ask(call, lambda: run(call, lambda: reader.open(function(*args))))
        return GuardedStream(reader, first, lambda work: self._go_on(call, lambda: run(call, work)))

    def feed(
        self,
        plugin: str,
        operation: str,
        function: Callable[[Iterator[bytes]], T],
        chunks: Iterable[bytes],
        *,
        deadline_seconds: float | None,
        connection: str | None = None,
        lane: str = "",
        secrets: Collection[str] = (),
        expect: Expected | None = None,
    ) -> T:
        """Call the function with an iterator over `chunks`, which stay with the caller's thread.

        The deadline bounds how long the plugin takes for each chunk and for its end, not how long the caller takes to
        make one; None means the caller's own thread. What `chunks` raises reaches the plugin as the end of its source
        with an error, and the caller unchanged. Calls of a `lane` have threads of their own.
        """
        is_direct = deadline_seconds is None
        call = Call(plugin, operation, deadline_seconds or 0.0, connection, secrets, expect, lane, is_direct)
        source: ChunkSource
        if is_direct:
            source = watched = WatchedChunks(chunks)
            value: T = self._ask(call, lambda: capture(call, lambda: function(watched)), source)
        else:
            source = handed = HandedChunks(chunks)
            value = self._ask(call, lambda: self._on_thread(call, lambda: function(handed), handed), source)
        return value

    def require_callable(self, plugin: str, operation: str) -> None:
        """Raise `PluginSuspended` where the plugin is on hold: for the few calls that do not come through here."""
        self._refuse_held(Call(plugin, operation))

    @property
    def failures(self) -> dict[tuple[str, str], int]:
        """How many calls failed, by plugin and operation."""
        return self._counts.failures()

    def last_failures(self, plugin: str) -> list[Failure]:
        """The plugin's last failures in this process, newest first, at most 20."""
        return self._counts.last_failures(plugin)

    def lost_threads(self) -> dict[Key, int]:
        """How many threads hang, by plugin and connection; those with none are left out."""
        with self._lock:
            pools = dict(self._pools)
        return {key: pool.lost for key, pool in pools.items() if pool.lost}

    def breakers(self, plugin: str | None = None) -> dict[Key, BreakerState]:
        """The breakers, of one plugin or all, that are open or half-open."""
        with self._lock:
            breakers = dict(self._breakers)
        states = {key: breaker.state() for key, breaker in breakers.items() if plugin in (None, key[0])}
        return {key: state for key, state in states.items() if state.state != CLOSED}

    def statistics(self) -> GuardStatistics:
        """What was counted since the process began."""
        calls, durations = self._counts.snapshot()
        states = {key: state.state for key, state in self.breakers().items()}
        return GuardStatistics(calls, durations, self.lost_threads(), states)

    def release(self, plugin: str) -> None:
        """Forget the plugin's open breakers and its hold in this process: its next call is made."""
        self.holds.release(plugin)
        with self._lock:
            for key in [key for key in self._breakers if key[0] == plugin]:
                del self._breakers[key]

    def _ask(self, call: Call, run: Callable[[], Outcome], source: ChunkSource | None = None) -> Any:
        """Make a call if it may be made, and note how it went."""
        breaker, trial = self._admit(call)
        began = self._clock()
        outcome = None
        try:
            outcome = run()
        finally:
            if breaker is not None and (outcome is None or not outcome.was_asked):
                breaker.gave_up(trial=trial)
        if (
            source is not None and source.failure is not None
        ):  # the caller's own failure, which says nothing of the plugin
            if breaker is not None:
                breaker.gave_up(trial=trial)
            raise source.failure
        self._note(call, outcome, trial, began)
        return _value_of(outcome)

    def _go_on(self, call: Call, run: Callable[[], Outcome]) -> Any:
        """Ask for more of what a call has begun: only a failure is news."""
        began = self._clock()
        outcome = run()
        if isinstance(outcome.error, PluginError):
            self._note(call, outcome, False, began)
        return _value_of(outcome)

    def _admit(self, call: Call) -> tuple[Breaker | None, bool]:
        if call.operation not in LOADING:
            self._refuse_held(call)
        breaker = self._breakers.get((call.plugin, call.connection))
        if breaker is None or call.is_direct or call.operation in WITHOUT_BREAKER:
            return None, False
        try:
            return breaker, breaker.admit()
        except BreakerOpen as exc:
            raise breaker_open(call, exc.state) from None

    def _refuse_held(self, call: Call) -> None:
        hold = self.holds.of(call.plugin)
        if hold is not None:
            raise held(call, hold, self._now_ms())

    def _note(self, call: Call, outcome: Outcome, trial: bool, began: float) -> None:
        error = outcome.error
        failed = isinstance(error, PluginError)
        word = error.code if isinstance(error, PluginError) else OK if error is None else ANSWER
        text = error.message if error is not None and failed else ""
        record = CallRecord(call.plugin, call.operation, call.connection, word, self._clock() - began, text)
        self._counts.add(record, self._now_ms())
        if not call.is_direct and call.operation not in WITHOUT_BREAKER and outcome.was_asked:
            answered = not failed or isinstance(error, PluginRefused)  # whoever says no is there
            self._tell_breaker(call, None if answered else text, trial)
        if failed:
            self._count_strikes(call, error)
        for observer in self.observers:
            observer(record)

    def _tell_breaker(self, call: Call, failure: str | None, trial: bool) -> None:
        key = (call.plugin, call.connection)
        breaker = self._breakers.get(key)
        if failure is None:
            if breaker is not None:
                breaker.succeeded(trial=trial)
            return
        if breaker is None:
            with self._lock:
                if len(self._breakers) >= MOST_CLOSED_BREAKERS:
                    self._drop_closed_breakers()
                breaker = self._breakers.setdefault(key, Breaker(self._rules, clock=self._clock, now_ms=self._now_ms))
        breaker.failed(failure, trial=trial)

    def _drop_closed_breakers(self) -> None:
        for key in [key for key, breaker in self._breakers.items() if breaker.state().state == CLOSED]:
            del self._breakers[key]

    def _count_strikes(self, call: Call, error: ModelyardError | None) -> None:
        """A broken contract is a strike; a hang where all of a plugin's moments wait counts for more."""
        if isinstance(error, PluginContractError):
            self.holds.strike(call.plugin, error.message)
        elif isinstance(error, PluginTimeout) and call.operation == "startup":
            self.holds.strike(call.plugin, error.message, strikes=QUARANTINE_STRIKES)
        elif isinstance(error, PluginTimeout) and call.operation in MOMENTS:
            self.holds.strike(call.plugin, error.message, strikes=STRIKES_OF_A_HANGING_MOMENT)

    def _on_thread(self, call: Call, work: Callable[[], Any], handed: HandedChunks | None = None) -> Outcome:
        pool = self._pool(call)
        try:
            task = pool.submit(lambda: capture(call, work), handed.messages if handed else None)
        except AllThreadsLost:
            return all_lost(call, threads=pool.size)
        try:
            return _wait(call, pool, task, handed)
        finally:
            pool.leave(task)
            if handed is not None:
                handed.stop()

    def _pool(self, call: Call) -> PluginThreads:
        connection = " ".join(filter(None, (call.connection, call.lane))) or None
        key = (call.plugin, connection)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                self._pools[key] = pool = PluginThreads(" ".join(filter(None, key)), self._size)
            return pool


def _value_of(outcome: Outcome) -> Any:
    if outcome.error is None:
        return outcome.value
    raise outcome.error


def _wait(call: Call, pool: PluginThreads, task: Task, handed: HandedChunks | None) -> Outcome:
    """Wait for the task, serving it chunks meanwhile; each chunk renews the deadline."""
    expires = monotonic() + call.deadline_seconds
    while True:
        try:
            word = task.messages.get(timeout=max(min(expires - monotonic(), LONGEST_WAIT_SECONDS), 0.0))
        except Empty:
            if monotonic() < expires:
                continue
            return late(call, threads=pool.size, started=task.started)
        if word is Word.ENDED:
            outcome: Outcome = task.result
            return outcome
        if word is Word.LOST:
            return all_lost(call, threads=pool.size)
        if handed is not None:
            handed.hand_over()
            expires = monotonic() + call.deadline_seconds
