"""Whatever a plugin does, the caller gets a value or one of our errors, in time, with no secret in it."""

import sys
import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from modelyard import InvalidInput, ModelyardError, NotFound, PluginError, PluginUnavailable
from modelyard.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidTransition,
    PluginContractError,
    PluginTimeout,
    TooLarge,
)
from modelyard.core.plugin_guard import Guard

SECRET = 'hunter2 & more/"ünï'
Caller = Callable[..., object]


@pytest.fixture
def guard() -> Guard:
    return Guard(threads_per_connection=2)


@pytest.fixture(params=["call", "direct"])
def caller(request: pytest.FixtureRequest, guard: Guard) -> Caller:
    """Both ways to call, so that what is promised of one holds for the other."""

    def call(function: Callable[..., object], *args: object, **options: object) -> object:
        if request.param == "direct":
            return guard.direct("pigeon", "send", function, *args, **options)  # type: ignore[arg-type]
        return guard.call("pigeon", "send", function, *args, deadline_seconds=10, **options)  # type: ignore[arg-type]

    return call


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What hanging functions wait for; opened at the end."""
    event = threading.Event()
    yield event
    event.set()


def raising(exception: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise exception

    return function


def hang(guard: Guard, gate: threading.Event, times: int, connection: str | None = "c1") -> None:
    for _ in range(times):
        with pytest.raises(PluginTimeout):
            guard.call("pigeon", "send", gate.wait, deadline_seconds=0.05, connection=connection)


class IndescribableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("nor this")


class DeeplyIndescribableError(Exception):
    def __str__(self) -> str:
        raise SystemExit

    def __repr__(self) -> str:
        raise SystemExit

    def __getattribute__(self, name: str) -> object:
        raise SystemExit


class HugeText(str):
    def __getitem__(self, key: object) -> str:
        raise AssertionError("not this way")


class TestValues:
    def test_the_value_comes_back(self, caller: Caller) -> None:
        assert caller(lambda a, b: a + b, 1, 2) == 3
        assert caller(lambda: None) is None

    def test_a_value_of_the_expected_type_passes(self, caller: Caller) -> None:
        assert caller(lambda: "text", expect=str) == "text"
        assert caller(lambda: 1, expect=(str, int)) == 1

    @pytest.mark.parametrize(("value", "named"), [(None, "NoneType"), (b"x", "bytes"), (type, "type")])
    def test_a_value_of_another_type_breaks_the_contract(
        self, caller: Caller, guard: Guard, value: object, named: str
    ) -> None:
        with pytest.raises(PluginContractError, match=f"'pigeon' answered 'send' with {named} instead of str"):
            caller(lambda: value, expect=str)

        assert guard.failures == {("pigeon", "send"): 1}

    def test_a_class_that_lies_about_itself_is_still_only_a_wrong_answer(self, caller: Caller) -> None:
        class Liar:
            @property  # type: ignore[misc]
            def __class__(self) -> type:
                raise RuntimeError("guess")

        with pytest.raises(PluginError):
            caller(Liar, expect=str)


class TestExceptions:
    @pytest.mark.parametrize(
        ("exception", "said"),
        [
            (ValueError("boom"), "ValueError: boom"),
            (KeyError("k"), "KeyError: 'k'"),
            (ValueError(), "ValueError"),
            (SystemExit(3), "SystemExit: 3"),
            (GeneratorExit(), "GeneratorExit"),
            (StopIteration(5), "StopIteration: 5"),
            (RecursionError("deep"), "RecursionError: deep"),
            (MemoryError(), "MemoryError"),
            (IndescribableError(), "with an exception that cannot be described"),
            (DeeplyIndescribableError(), "with an exception that cannot be described"),
            (ModelyardError("ours, but not one that plugins raise"), "ModelyardError: ours"),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
    )
    def test_what_it_raises_becomes_a_plugin_error(
        self, caller: Caller, guard: Guard, exception: BaseException, said: str
    ) -> None:
        with pytest.raises(PluginError) as caught:
            caller(raising(exception))

        assert type(caught.value) is PluginError
        assert said in caught.value.message
        assert (caught.value.plugin, caught.value.operation) == ("pigeon", "send")
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert guard.failures == {("pigeon", "send"): 1}

    def test_real_recursion_is_survived(self, caller: Caller) -> None:
        def endless() -> None:
            endless()

        with pytest.raises(PluginError, match="RecursionError"):
            caller(endless)

    def test_a_keyboard_interrupt_of_the_plugin_is_an_error(self, guard: Guard) -> None:
        with pytest.raises(PluginError, match="KeyboardInterrupt"):
            guard.call("pigeon", "send", raising(KeyboardInterrupt()), deadline_seconds=10)

    def test_ctrl_c_passes_a_direct_call_in_the_main_thread(self, guard: Guard) -> None:
        with pytest.raises(KeyboardInterrupt):
            guard.direct("pigeon", "send", raising(KeyboardInterrupt()))

    @pytest.mark.parametrize(
        "text", ["x" * (64 * 1024 * 1024), HugeText("x" * 10_000)], ids=["64 MiB", "a str of its own"]
    )
    def test_a_huge_message_is_cut(self, caller: Caller, text: str) -> None:
        with pytest.raises(PluginError) as caught:
            caller(raising(ValueError(text)))

        assert 400 < len(str(caught.value)) < 700

    def test_a_huge_type_name_is_cut(self, caller: Caller) -> None:
        with pytest.raises(PluginError) as caught:
            caller(raising(type("E" * 100_000, (Exception,), {})()))

        assert len(str(caught.value)) < 700

    def test_text_that_no_database_takes_is_mended(self, caller: Caller) -> None:
        with pytest.raises(PluginError) as caught:
            caller(raising(ValueError("a\0b\ud800c")))

        assert caught.value.message.endswith("a\N{REPLACEMENT CHARACTER}b?c")

    @pytest.mark.parametrize("kind", [NotFound, InvalidInput, Conflict, AlreadyExists, InvalidTransition, TooLarge])
    def test_an_answer_passes_and_counts_as_no_failure(
        self, caller: Caller, guard: Guard, kind: type[ModelyardError]
    ) -> None:
        raised = kind(f"no {SECRET}", hint=f"try {SECRET}", path=f"a/{SECRET}", size=3, odd=object(), message2=None)
        with pytest.raises(kind) as caught:
            caller(raising(raised), secrets=[SECRET])

        assert caught.value.message == "no ***"
        assert caught.value.hint == "try ***"
        assert caught.value.details == {"path": "a/***", "size": 3, "message2": None}
        assert guard.failures == {}

    def test_a_plugins_own_plugin_error_passes_with_the_right_names(self, caller: Caller) -> None:
        class Sleeping(PluginUnavailable):
            """A plugin's own."""

        with pytest.raises(PluginUnavailable) as caught:
            caller(
                raising(Sleeping(f"asleep: {SECRET}", plugin="someone", operation="else", hint="wait")),
                secrets=[SECRET],
            )

        error = caught.value
        assert type(error) is PluginUnavailable
        assert (error.plugin, error.operation, error.message, error.hint) == ("pigeon", "send", "asleep: ***", "wait")


class TestSecrets:
    @pytest.mark.parametrize(
        "text",
        [
            SECRET,
            f"https://user:{SECRET}@host/",
            "hunter2%20%26%20more%2F%22%C3%BCn%C3%AF",
            repr({"password": SECRET}),
            '{"password": "hunter2 & more/\\"\\u00fcn\\u00ef"}',
            f"{SECRET}{SECRET}",
            "x" * 495 + SECRET,
            SECRET + "x" * 10_000 + SECRET,
            SECRET + "x" * (500 - len(SECRET)) + SECRET,
        ],
    )
    def test_no_form_of_it_comes_out(self, caller: Caller, text: str) -> None:
        with pytest.raises(PluginError) as caught:
            caller(raising(ValueError(text)), secrets=[SECRET, "", " "])

        assert "hunter2" not in str(caught.value)
        assert "***" in str(caught.value)

    def test_the_longer_of_two_goes_first(self, caller: Caller) -> None:
        with pytest.raises(PluginError, match=r"ValueError: \*\*\* and \*\*\*$"):
            caller(raising(ValueError("abcdef and abc")), secrets=["abc", "abcdef"])

    def test_nothing_of_the_first_exception_is_kept(self, caller: Caller) -> None:
        with pytest.raises(PluginError) as caught:
            caller(raising(ValueError(SECRET)), secrets=[SECRET])

        trace = caught.tb
        names = set()
        while trace is not None:
            names |= {id(value) for value in trace.tb_frame.f_locals.values() if isinstance(value, ValueError)}
            trace = trace.tb_next  # type: ignore[assignment]
        assert names == set()


class TestDeadlines:
    def test_the_caller_goes_on_at_the_deadline(self, guard: Guard, gate: threading.Event) -> None:
        began = monotonic()

        with pytest.raises(PluginTimeout, match=r"'pigeon' did not answer 'send' within 0\.1 seconds"):
            guard.call("pigeon", "send", gate.wait, deadline_seconds=0.1, connection="c1")

        assert monotonic() - began < 5
        assert guard.lost_threads() == {("pigeon", "c1"): 1}
        assert guard.failures == {("pigeon", "send"): 1}

    def test_while_one_thread_is_lost_the_other_works(self, guard: Guard, gate: threading.Event) -> None:
        hang(guard, gate, 1)

        assert guard.call("pigeon", "send", lambda: "sent", deadline_seconds=10, connection="c1") == "sent"

    def test_when_all_are_lost_calls_fail_at_once_until_one_returns(self, guard: Guard, gate: threading.Event) -> None:
        hang(guard, gate, 2)
        began = monotonic()

        with pytest.raises(PluginUnavailable, match="2 of 2 threads hang"):
            guard.call("pigeon", "send", lambda: "sent", deadline_seconds=60, connection="c1")
        assert monotonic() - began < 30

        gate.set()
        assert wait_until(lambda: guard.lost_threads() == {})
        assert guard.call("pigeon", "send", lambda: "sent", deadline_seconds=10, connection="c1") == "sent"

    def test_other_connections_and_plugins_do_not_notice(self, guard: Guard, gate: threading.Event) -> None:
        hang(guard, gate, 2)

        assert guard.call("pigeon", "send", lambda: 1, deadline_seconds=10, connection="c2") == 1
        assert guard.call("pigeon", "send", lambda: 2, deadline_seconds=10) == 2
        assert guard.call("owl", "send", lambda: 3, deadline_seconds=10, connection="c1") == 3

    def test_who_waits_for_a_thread_is_told_when_the_last_is_lost(self, guard: Guard, gate: threading.Event) -> None:
        waiting, errors = threading.Event(), []

        def wait_in_line() -> None:
            waiting.set()
            try:
                guard.call("pigeon", "send", lambda: None, deadline_seconds=60, connection="c1")
            except PluginError as exc:
                errors.append(exc)

        hang(guard, gate, 1)
        busy = threading.Event()

        def occupy() -> None:
            busy.set()
            gate.wait()

        holder = threading.Thread(target=lambda: hang_for(guard, occupy, 0.5))
        holder.start()
        assert busy.wait(10)
        waiter = threading.Thread(target=wait_in_line)
        waiter.start()
        waiter.join(30)
        holder.join(30)

        assert not waiter.is_alive()
        assert [type(error) for error in errors] == [PluginUnavailable]

    def test_a_call_that_never_got_a_thread_never_runs(self, guard: Guard, gate: threading.Event) -> None:
        ran = []
        busy = threading.Barrier(3)

        def occupy() -> None:
            busy.wait(10)
            gate.wait()

        holders = [
            threading.Thread(target=guard.call, args=("pigeon", "send", occupy), kwargs={"deadline_seconds": 60})
            for _ in range(2)
        ]
        for holder in holders:
            holder.start()
        busy.wait(10)

        with pytest.raises(PluginTimeout, match="all 2 threads are busy"):
            guard.call("pigeon", "send", ran.append, 1, deadline_seconds=0.05)
        gate.set()
        for holder in holders:
            holder.join(10)

        assert guard.call("pigeon", "send", lambda: "next", deadline_seconds=10) == "next"
        assert ran == []

    def test_a_late_answer_is_dropped(self, guard: Guard, gate: threading.Event) -> None:
        def late() -> str:
            gate.wait()
            return "late"

        with pytest.raises(PluginTimeout):
            guard.call("pigeon", "send", late, deadline_seconds=0.05)
        gate.set()
        assert wait_until(lambda: guard.lost_threads() == {})

        assert guard.call("pigeon", "send", lambda: "fresh", deadline_seconds=10) == "fresh"

    def test_an_exception_whose_text_hangs_runs_into_the_deadline(self, guard: Guard, gate: threading.Event) -> None:
        class SlowError(Exception):
            def __str__(self) -> str:
                gate.wait()
                return "slow"

        with pytest.raises(PluginTimeout):
            guard.call("pigeon", "send", raising(SlowError()), deadline_seconds=0.1)


class TestThreads:
    def test_calls_of_one_connection_share_a_bounded_number(self, guard: Guard) -> None:
        seen = set()
        running, most, lock = 0, 0, threading.Lock()

        def work() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
                seen.add(threading.get_ident())
            with lock:
                running -= 1

        callers = [
            threading.Thread(target=guard.call, args=("pigeon", "send", work), kwargs={"deadline_seconds": 30})
            for _ in range(40)
        ]
        for one in callers:
            one.start()
        for one in callers:
            one.join(30)

        assert most <= 2
        assert len(seen) <= 2

    def test_they_are_daemons_and_so_are_their_children(self, guard: Guard) -> None:
        def inspect() -> tuple[bool, bool, bool]:
            here = threading.current_thread()
            return here.daemon, threading.Thread().daemon, here is threading.main_thread()

        assert guard.call("pigeon", "send", inspect, deadline_seconds=10) == (True, True, False)

    def test_a_direct_call_stays_on_the_callers(self, guard: Guard) -> None:
        assert guard.direct("pigeon", "send", threading.get_ident) == threading.get_ident()

    def test_idle_ones_end_and_their_pool_is_forgotten(self) -> None:
        from modelyard.core.plugin_threads import PluginThreads, Word

        pool = PluginThreads("idle", 2, idle_seconds=0.05)
        task = pool.submit(threading.current_thread)
        assert task.messages.get(timeout=10) is Word.ENDED

        task.result.join(10)

        assert not task.result.is_alive()
        again = pool.submit(lambda: "again")
        assert again.messages.get(timeout=10) is Word.ENDED
        assert again.result == "again"

    def test_a_machine_without_threads_to_give_makes_it_unavailable(
        self, guard: Guard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", full)
            with pytest.raises(PluginUnavailable):
                guard.call("pigeon", "send", lambda: None, deadline_seconds=10)

        assert guard.call("pigeon", "send", lambda: "sent", deadline_seconds=10) == "sent"

    def test_failures_are_counted_under_load(self, guard: Guard) -> None:
        def fail() -> None:
            with pytest.raises(PluginError):
                guard.direct("pigeon", "send", raising(ValueError()))

        threads = [threading.Thread(target=lambda: [fail() for _ in range(50)]) for _ in range(8)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
        finally:
            sys.setswitchinterval(interval)

        assert guard.failures == {("pigeon", "send"): 400}


def wait_until(condition: Callable[[], bool]) -> bool:
    """Poll until the condition holds, for at most 10 seconds."""
    expires, pause = monotonic() + 10, threading.Event()
    while not condition() and monotonic() < expires:
        pause.wait(0.01)
    return condition()


def hang_for(guard: Guard, function: Callable[[], None], seconds: float) -> None:
    with pytest.raises(PluginTimeout):
        guard.call("pigeon", "send", function, deadline_seconds=seconds, connection="c1")
