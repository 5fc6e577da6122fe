"""Who failed several times in a row is left alone, then tried once; who breaks the rules goes into quarantine."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from modelyard import InvalidInput, NotFound, Notifier, PluginError, PluginUnavailable
from modelyard.core.errors import PluginContractError, PluginSuspended, PluginTimeout
from modelyard.core.plugin_breaker import BreakerRules
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_providers import check_provider
from modelyard.core.plugin_statistics import BUCKETS_SECONDS, CallRecord
from modelyard.core.providers import bind
from tests.core.projects.conftest import Pager

RULES = BreakerRules(failures=3, pause_seconds=10, longest_pause_seconds=25)
MINUTE_MS = 60_000


class Clock:
    """A time that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def now_ms(self) -> int:
        return 1_760_000_000_000 + int(self.seconds * 1000)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(clock: Clock) -> Guard:
    return Guard(threads_per_connection=2, rules=RULES, clock=clock, now_ms=clock.now_ms)


def ask(guard: Guard, function: Callable[[], object], **more: object) -> object:
    wish = {"deadline_seconds": 10, "connection": "c1", **more}
    return guard.call("pigeon", "send", function, **wish)  # type: ignore[arg-type]


def fail(guard: Guard, times: int = 1, error: type[Exception] = ValueError, **more: object) -> None:
    def failing() -> None:
        raise error("lost")

    for _ in range(times):
        with pytest.raises(PluginError) as caught:
            ask(guard, failing, **more)
        assert not isinstance(caught.value, PluginSuspended)


def refused(guard: Guard, **more: object) -> PluginSuspended:
    """Ask, and see that the plugin is not."""
    asked: list[int] = []
    with pytest.raises(PluginSuspended) as caught:
        ask(guard, lambda: asked.append(1), **more)
    assert asked == []
    return caught.value


class TestBreaker:
    def test_it_opens_after_so_many_failures_and_says_since_when_why_and_until_when(self, guard: Guard) -> None:
        fail(guard, 3)
        error = refused(guard)
        assert isinstance(error, PluginUnavailable)
        assert (error.plugin, error.operation, error.retry_after_seconds) == ("pigeon", "send", 10)
        for word in ("since 2025-10-09 09:10:00Z", "ValueError: lost", "next trial is in 10 seconds"):
            assert word in error.message

    @pytest.mark.parametrize("error", [NotFound, InvalidInput])
    def test_an_answer_is_no_failure_and_ends_the_row(self, guard: Guard, error: type[Exception]) -> None:
        def answering() -> None:
            raise error("no")

        for _ in range(4):
            fail(guard, 2)
            with pytest.raises(error):
                ask(guard, answering)
        assert guard.breakers() == {}

    def test_timeouts_crashes_broken_contracts_and_outages_count(self, guard: Guard) -> None:
        gate = threading.Event()
        with pytest.raises(PluginTimeout):
            ask(guard, gate.wait, deadline_seconds=0.01)
        with pytest.raises(PluginContractError):
            ask(guard, lambda: 7, expect=str)
        gate.set()
        fail(guard, 1, PluginUnavailable)
        assert refused(guard)

    def test_the_trial_closes_it(self, guard: Guard, clock: Clock) -> None:
        fail(guard, 3)
        clock.seconds += 10
        assert ask(guard, lambda: "back") == "back"
        fail(guard, 2)
        assert ask(guard, lambda: "well") == "well"

    def test_a_trial_that_is_answered_closes_it(self, guard: Guard, clock: Clock) -> None:
        def missing() -> None:
            raise NotFound("no such thing")

        fail(guard, 3)
        clock.seconds += 10
        with pytest.raises(NotFound):
            ask(guard, missing)
        assert guard.breakers() == {}

    def test_failed_trials_double_the_pause_up_to_the_longest(self, guard: Guard, clock: Clock) -> None:
        fail(guard, 3)
        for pause in (10, 20, 25, 25):
            clock.seconds += pause - 1
            assert refused(guard).retry_after_seconds == 1
            clock.seconds += 1
            fail(guard)
        since = guard.breakers()["pigeon", "c1"].opened_at_ms
        assert since == 1_760_001_000_000, "it has been failing since the first opening"

    def test_only_one_of_many_threads_gets_the_trial(self, guard: Guard, clock: Clock) -> None:
        fail(guard, 3)
        clock.seconds += 10
        running, go, ends = threading.Event(), threading.Event(), []

        def trial() -> None:
            running.set()
            go.wait(30)

        thread = threading.Thread(target=lambda: ends.append(ask(guard, trial, deadline_seconds=60)))
        thread.start()
        assert running.wait(30)
        assert "a trial runs just now" in refused(guard).message
        go.set()
        thread.join(30)
        assert ends == [None]
        assert ask(guard, lambda: 1) == 1

    def test_a_trial_that_is_interrupted_leaves_the_next_one_free(
        self, guard: Guard, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fail(guard, 3)
        clock.seconds += 10

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(guard, "_on_thread", interrupted)
            with pytest.raises(KeyboardInterrupt):
                ask(guard, lambda: 1)
        assert ask(guard, lambda: 1) == 1

    def test_what_began_before_it_opened_does_not_close_it(self, guard: Guard) -> None:
        running, go = threading.Event(), threading.Event()

        def slow() -> None:
            running.set()
            go.wait(30)

        fail(guard, 2)
        thread = threading.Thread(target=lambda: ask(guard, slow, deadline_seconds=60))
        thread.start()
        assert running.wait(30)
        fail(guard)
        go.set()
        thread.join(30)
        assert refused(guard)

    def test_connections_and_plugins_have_their_own(self, guard: Guard) -> None:
        fail(guard, 3)
        assert ask(guard, lambda: 1, connection="c2") == 1
        assert guard.call("owl", "send", lambda: 2, deadline_seconds=10, connection="c1") == 2
        assert guard.call("pigeon", "stage_changed", lambda: 3, deadline_seconds=10) == 3
        fail(guard, 3, connection=None)
        assert refused(guard, connection=None)

    def test_direct_calls_and_the_check_of_settings_have_none(self, guard: Guard) -> None:
        def failing() -> None:
            raise ValueError

        for _ in range(9):
            with pytest.raises(PluginError, match="ValueError"):
                guard.direct("pigeon", "read", failing, connection="c1")
            with pytest.raises(PluginError, match="ValueError"):
                guard.call("pigeon", "settings", failing, deadline_seconds=10)

    def test_writes_and_reads_of_a_connection_share_one(self, guard: Guard) -> None:
        def failing(chunks: object) -> None:
            raise ValueError

        for _ in range(3):
            with pytest.raises(PluginError):
                guard.feed("pigeon", "write", failing, [b"x"], deadline_seconds=10, connection="c1", lane="writes")
        assert refused(guard)
        with pytest.raises(PluginSuspended):
            guard.stream("pigeon", "read", lambda: [b"x"], max_bytes=9, deadline_seconds=10, connection="c1")

    def test_what_the_caller_raises_while_it_sends_is_no_failure(self, guard: Guard, clock: Clock) -> None:
        def broken() -> object:
            raise OSError("the client left")
            yield b""

        def send() -> None:
            with pytest.raises(OSError, match="the client left"):
                guard.feed("pigeon", "write", list, broken(), deadline_seconds=10, connection="c1")  # type: ignore[arg-type]

        for _ in range(4):
            send()
        fail(guard, 3)
        clock.seconds += 10
        send()
        assert ask(guard, lambda: "the trial is still to come") == "the trial is still to come"

    def test_a_stream_that_began_goes_on_while_it_is_open(self, guard: Guard) -> None:
        stream = guard.stream("pigeon", "read", lambda: [b"a", b"b"], max_bytes=9, deadline_seconds=10, connection="c1")
        fail(guard, 3)
        assert list(stream) == [b"a", b"b"]

    def test_chunks_that_fail_count(self, guard: Guard) -> None:
        def chunks() -> object:
            yield b"a"
            raise ValueError

        for _ in range(3):
            stream = guard.stream("pigeon", "read", chunks, max_bytes=9, deadline_seconds=10, connection="c1")  # type: ignore[arg-type]
            with pytest.raises(PluginError):
                list(stream)
        assert guard.failures == {("pigeon", "read"): 3}

    def test_threads_that_all_hang_open_nothing_by_themselves(self, guard: Guard) -> None:
        gate = threading.Event()
        for _ in range(2):
            with pytest.raises(PluginTimeout):
                ask(guard, gate.wait, deadline_seconds=0.01)
        for _ in range(5):
            with pytest.raises(PluginUnavailable, match="2 of 2 threads hang"):
                ask(guard, lambda: 1)
        gate.set()
        assert guard.breakers() == {}

    def test_it_counts_right_under_load(self) -> None:
        guard = Guard(rules=BreakerRules(failures=50))
        suspended: list[int] = []

        def failing() -> None:
            raise ValueError

        def work() -> None:
            for _ in range(25):
                try:
                    guard.call("pigeon", "send", failing, deadline_seconds=60, connection="c1")
                except PluginSuspended:
                    suspended.append(1)
                except PluginError:
                    pass

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        asked = guard.failures["pigeon", "send"]
        assert asked + len(suspended) == 200
        assert 50 <= asked < 60, "the threads that were under way when it opened, and no more"

    def test_there_are_never_more_than_a_bounded_number(self, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("modelyard.core.plugin_guard.MOST_CLOSED_BREAKERS", 4)
        fail(guard, 3, connection="open")
        for number in range(20):
            fail(guard, connection=f"c{number}")
        assert len(guard._breakers) <= 4
        assert refused(guard, connection="open")


class TestQuarantine:
    def break_contract(self, guard: Guard, times: int, plugin: str = "pigeon") -> None:
        for number in range(times):
            with pytest.raises(PluginContractError):
                guard.call(plugin, "stat", lambda: 7, deadline_seconds=10, expect=str, connection=f"c{number}")

    def test_who_breaks_the_contract_again_and_again_is_asked_nothing(self, guard: Guard, clock: Clock) -> None:
        self.break_contract(guard, 5)
        for call in (
            lambda: guard.call("pigeon", "health", lambda: 1, deadline_seconds=1, connection="another"),
            lambda: guard.direct("pigeon", "health", lambda: 1),
            lambda: guard.require_callable("pigeon", "track"),
        ):
            with pytest.raises(PluginSuspended, match=r"in quarantine from .*with int instead of str") as caught:
                call()
            assert "modelyard plugins unblock pigeon" in str(caught.value)
        assert guard.call("owl", "health", lambda: 1, deadline_seconds=1) == 1
        clock.seconds += 600
        assert guard.call("pigeon", "health", lambda: 1, deadline_seconds=1) == 1

    def test_it_is_released_by_hand(self, guard: Guard) -> None:
        self.break_contract(guard, 5)
        guard.release("pigeon")
        assert guard.call("pigeon", "health", lambda: 1, deadline_seconds=1) == 1
        self.break_contract(guard, 4)

    def test_old_strikes_are_forgotten(self, guard: Guard, clock: Clock) -> None:
        self.break_contract(guard, 4)
        clock.seconds += 601
        self.break_contract(guard, 1)
        assert guard.holds.of("pigeon") is None

    def test_answers_of_providers_that_keep_no_contract_count(self, guard: Guard) -> None:
        class Liar(Pager):
            name = "liar"

            def health(self) -> object:  # type: ignore[override]
                return "fine"

        bound = bind(check_provider("notifier", "pigeon", Liar), {"number": 1}, {}, guard, "c9")
        assert issubclass(Liar, Notifier)
        for _ in range(3):
            with pytest.raises(PluginContractError, match="str instead of Health"):
                bound.health()
        with pytest.raises(PluginSuspended):
            bound.health()

    def test_moments_that_hang_lead_there_and_startup_at_once(self, guard: Guard) -> None:
        gate = threading.Event()
        with pytest.raises(PluginTimeout):
            guard.call("owl", "startup", gate.wait, deadline_seconds=0.01)
        with pytest.raises(PluginSuspended, match="did not answer 'startup'"):
            guard.call("owl", "send", lambda: 1, deadline_seconds=1, connection="c1")
        many = Guard(threads_per_connection=9)
        for _ in range(3):
            with pytest.raises(PluginTimeout):
                many.call("owl", "stage_changed", gate.wait, deadline_seconds=0.01)
        gate.set()
        with pytest.raises(PluginSuspended, match="quarantine"):
            many.call("owl", "send", lambda: 1, deadline_seconds=1, connection="c1")

    def test_it_can_still_be_loaded(self, guard: Guard) -> None:
        self.break_contract(guard, 5)
        assert guard.call("pigeon", "import", lambda: 1, deadline_seconds=1) == 1


class TestStatistics:
    def test_calls_are_counted_by_outcome_and_timed(self, guard: Guard, clock: Clock) -> None:
        def slow() -> None:
            clock.seconds += 0.4

        ask(guard, slow)
        ask(guard, lambda: None)
        fail(guard)
        with pytest.raises(NotFound):
            guard.direct("pigeon", "stat", lambda: (_ for _ in ()).throw(NotFound("no")))

        found = guard.statistics()
        assert found.calls == {
            ("pigeon", "send", "ok"): 2,
            ("pigeon", "send", "plugin_failed"): 1,
            ("pigeon", "stat", "answer"): 1,
        }
        durations = found.durations["pigeon", "send"]
        assert sum(durations.counts) == 3
        assert durations.counts[BUCKETS_SECONDS.index(0.5)] == 1
        assert durations.sum_seconds == pytest.approx(0.4)

    def test_open_breakers_and_lost_threads_are_in_it(self, guard: Guard, clock: Clock) -> None:
        gate = threading.Event()
        with pytest.raises(PluginTimeout):
            ask(guard, gate.wait, deadline_seconds=0.01)
        fail(guard, 2)
        found = guard.statistics()
        assert found.breakers == {("pigeon", "c1"): "open"}
        assert found.lost_threads == {("pigeon", "c1"): 1}
        clock.seconds += 10
        assert guard.statistics().breakers == {("pigeon", "c1"): "half_open"}
        gate.set()

    def test_the_last_failures_are_kept_and_no_more(self, guard: Guard, clock: Clock) -> None:
        for number in range(25):
            clock.seconds += 1
            fail(guard, connection=f"c{number}")
        last = guard.last_failures("pigeon")
        assert [failure.connection for failure in last] == [f"c{number}" for number in range(24, 4, -1)]
        assert last[0].at_ms == clock.now_ms()
        assert (last[0].operation, last[0].code) == ("send", "plugin_failed")
        assert "ValueError: lost" in last[0].error
        assert guard.last_failures("owl") == []

    def test_observers_are_told_of_each_call_and_of_no_argument(self, guard: Guard) -> None:
        told: list[CallRecord] = []
        guard.observers.append(told.append)
        guard.call("pigeon", "send", lambda text: text, "a secret", deadline_seconds=10, connection="c1")
        fail(guard)
        assert [(record.operation, record.outcome) for record in told] == [("send", "ok"), ("send", "plugin_failed")]
        assert "a secret" not in repr(told)
