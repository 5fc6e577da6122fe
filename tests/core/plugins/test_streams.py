"""Chunks from plugins and to plugins: checked, bounded, and never on the wrong thread."""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat

import pytest

from modelyard import NotFound, PluginError
from modelyard.core.errors import PluginContractError, PluginTimeout
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_streams import MAX_CHUNK_BYTES, ChunksStopped, GuardedStream

Opener = Callable[..., GuardedStream]


@pytest.fixture
def guard() -> Guard:
    return Guard(threads_per_connection=2)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(params=[10.0, None], ids=["on a thread", "direct"])
def seconds(request: pytest.FixtureRequest) -> float | None:
    value: float | None = request.param
    return value


@pytest.fixture
def stream(guard: Guard, seconds: float | None) -> Opener:
    def opened(function: Callable[[], object], max_bytes: int = 1000) -> GuardedStream:
        return guard.stream(
            "pigeon",
            "read",
            function,
            max_bytes=max_bytes,
            deadline_seconds=seconds,
            secrets=["hunter2"],  # type: ignore[arg-type]
        )

    return opened


class TestReading:
    def test_the_chunks_come_without_the_empty_ones(self, stream: Opener) -> None:
        assert list(stream(lambda: iter([b"", b"a", b"", b"bc", b""]))) == [b"a", b"bc"]
        assert list(stream(lambda: [b"a list"])) == [b"a list"]
        assert list(stream(list)) == []

    def test_exactly_as_much_as_was_asked_for_is_fine(self, stream: Opener) -> None:
        assert list(stream(lambda: [b"12345", b"67890"], max_bytes=10)) == [b"12345", b"67890"]

    def test_the_first_chunks_error_comes_at_once(self, stream: Opener, guard: Guard) -> None:
        def missing() -> Iterator[bytes]:
            raise NotFound("no such file")
            yield b""

        with pytest.raises(NotFound, match="no such file"):
            stream(missing)
        assert guard.failures == {}

    @pytest.mark.parametrize(
        ("answer", "problem"),
        [
            (None, "NoneType instead of chunks"),
            (5, "int instead of chunks"),
            (b"bytes", "a chunk of type int"),
            (["text"], "a chunk of type str"),
            ([bytearray(b"x")], "a chunk of type bytearray"),
            ([None], "a chunk of type NoneType"),
            ([b"x" * (MAX_CHUNK_BYTES + 1)], "1048577 bytes, more than 1048576"),
            ([b"x" * 1001], "more than the 1000 bytes"),
        ],
    )
    def test_a_wrong_answer_breaks_the_contract(
        self, stream: Opener, guard: Guard, answer: object, problem: str
    ) -> None:
        with pytest.raises(PluginContractError, match=f"'pigeon' answered 'read' with .*{problem}"):
            stream(lambda: answer)
        assert guard.failures == {("pigeon", "read"): 1}

    def test_an_endless_one_is_bounded(self, stream: Opener) -> None:
        closed = []

        def endless() -> Iterator[bytes]:
            try:
                yield from repeat(b"x" * 1024)
            finally:
                closed.append(True)

        chunks = stream(endless, max_bytes=1024**3 // 64)

        with pytest.raises(PluginContractError, match="more than the 16777216 bytes"):
            for _ in chunks:
                pass
        assert closed == [True]
        assert list(chunks) == []

    def test_an_endless_one_of_empty_chunks_is_bounded(self, stream: Opener) -> None:
        with pytest.raises(PluginContractError, match="nothing but empty chunks"):
            stream(lambda: repeat(b""))

    def test_an_error_in_the_middle_is_captured_and_ends_it(self, stream: Opener) -> None:
        def broken() -> Iterator[bytes]:
            yield b"first"
            raise ValueError("token hunter2 expired")

        chunks = stream(broken)
        assert next(chunks) == b"first"

        with pytest.raises(PluginError, match=r"ValueError: token \*\*\* expired"):
            next(chunks)
        assert list(chunks) == []

    def test_closing_early_cleans_up_and_survives_a_broken_clean_up(self, stream: Opener, guard: Guard) -> None:
        closed = []

        def careful() -> Iterator[bytes]:
            try:
                yield b"a"
                yield b"b"
            finally:
                closed.append(True)
                raise OSError("cannot close")

        with stream(careful) as chunks:
            assert next(chunks) == b"a"

        assert closed == [True]
        assert list(chunks) == []
        assert guard.failures == {("pigeon", "read"): 1}
        chunks.close()

    def test_a_hanging_chunk_runs_into_the_deadline(self, guard: Guard, gate: threading.Event) -> None:
        def hanging() -> Iterator[bytes]:
            yield b"first"
            gate.wait()
            yield b"second"

        chunks = guard.stream("pigeon", "read", hanging, max_bytes=1000, deadline_seconds=0.1)
        assert next(chunks) == b"first"

        with pytest.raises(PluginTimeout):
            next(chunks)
        assert list(chunks) == []
        chunks.close()

    def test_between_chunks_no_thread_is_held(self, guard: Guard) -> None:
        streams = [
            guard.stream("pigeon", "read", lambda: [b"a", b"b"], max_bytes=10, deadline_seconds=10) for _ in range(20)
        ]

        assert [list(chunks) for chunks in streams] == [[b"a", b"b"]] * 20


class TestFeeding:
    def feed(
        self,
        guard: Guard,
        seconds: float | None,
        function: Callable[[Iterator[bytes]], object],
        chunks: Iterable[bytes],
    ) -> object:
        return guard.feed("pigeon", "write", function, chunks, deadline_seconds=seconds, secrets=["hunter2"])

    def test_the_plugin_gets_the_chunks(self, guard: Guard, seconds: float | None) -> None:
        assert self.feed(guard, seconds, b"".join, [b"a", b"", b"bc"]) == b"abc"
        assert self.feed(guard, seconds, b"".join, (chunk for chunk in ())) == b""

    def test_they_are_made_on_the_callers_thread(self, guard: Guard, seconds: float | None) -> None:
        makers = []

        def chunks() -> Iterator[bytes]:
            for _ in range(3):
                makers.append(threading.get_ident())
                yield b"x"

        assert self.feed(guard, seconds, b"".join, chunks()) == b"xxx"
        assert set(makers) == {threading.get_ident()}

    def test_what_making_them_raises_comes_back_as_it_is(self, guard: Guard, seconds: float | None) -> None:
        seen: list[object] = []

        def chunks() -> Iterator[bytes]:
            yield b"first"
            raise ConnectionResetError("the client left")

        def write(source: Iterator[bytes]) -> None:
            try:
                seen.extend(source)
            except ChunksStopped as exc:
                seen.append(type(exc))
                raise

        with pytest.raises(ConnectionResetError, match="the client left"):
            self.feed(guard, seconds, write, chunks())
        assert seen == [b"first", ChunksStopped]
        assert guard.failures == {}

    def test_it_comes_back_also_when_the_plugin_swallows_it(self, guard: Guard, seconds: float | None) -> None:
        def chunks() -> Iterator[bytes]:
            raise ConnectionResetError("the client left")
            yield b""

        def write(source: Iterator[bytes]) -> str:
            for _ in range(3):
                with pytest.raises(ChunksStopped):
                    next(source)
            return "all is well"

        with pytest.raises(ConnectionResetError):
            self.feed(guard, seconds, write, chunks())

    def test_what_the_plugin_raises_is_captured(self, guard: Guard, seconds: float | None) -> None:
        def write(source: Iterator[bytes]) -> None:
            raise OSError(f"disk full, hunter2, {next(source)!r}")

        with pytest.raises(PluginError, match=r"'write': OSError: disk full, \*\*\*, b'a'"):
            self.feed(guard, seconds, write, [b"a", b"b"])
        assert guard.failures == {("pigeon", "write"): 1}

    def test_it_may_leave_chunks_and_ask_beyond_the_end(self, guard: Guard, seconds: float | None) -> None:
        assert self.feed(guard, seconds, next, [b"a", b"b"]) == b"a"
        assert self.feed(guard, seconds, lambda source: [*source, next(source, None)], [b"a"]) == [b"a", None]

    def test_a_slow_caller_is_no_late_plugin(self, guard: Guard) -> None:
        pause = threading.Event()

        def chunks() -> Iterator[bytes]:
            for _ in range(4):
                pause.wait(0.3)
                yield b"x"

        assert guard.feed("pigeon", "write", b"".join, chunks(), deadline_seconds=0.25) == b"xxxx"

    def test_a_hanging_plugin_runs_into_the_deadline_and_gets_no_more(
        self, guard: Guard, gate: threading.Event
    ) -> None:
        ended, made = threading.Event(), []

        def chunks() -> Iterator[bytes]:
            for number in range(10):
                made.append(number)
                yield b"x"

        def write(source: Iterator[bytes]) -> None:
            try:
                next(source)
                gate.wait()
                next(source)
            except ChunksStopped:
                ended.set()

        with pytest.raises(PluginTimeout):
            guard.feed("pigeon", "write", write, chunks(), deadline_seconds=0.1)
        gate.set()

        assert ended.wait(10)
        assert made == [0]
