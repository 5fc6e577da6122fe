"""Bound providers: every method through the guard, every answer checked, no secret in any text."""

import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from marshmallow import Schema, fields

from modelyard import (
    DeploymentTarget,
    Health,
    InvalidInput,
    NotFound,
    Notification,
    Notifier,
    PluginError,
    Provider,
    ReplicaSpec,
    ReplicaStatus,
    Storage,
    StoredFile,
    Tracker,
)
from modelyard.core import providers
from modelyard.core.errors import PluginContractError, PluginTimeout, TooLarge
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_providers import check_provider
from modelyard.core.providers import (
    BoundNotifier,
    BoundProvider,
    BoundStorage,
    BoundTarget,
    BoundTracker,
    bind,
    check_path,
)
from modelyard.core.tracking.entities import Query

NOTIFICATION = Notification("id", "run.finished", "title", "text", 0)
SPEC = ReplicaSpec("d1", "risk", 1, 0, Path("/replica"), Path("/model"))


class Settings(Schema):
    token = fields.String(load_default="", metadata={"secret": True})


class Scripted(Provider):
    """Each method does what `script` says for it: return a value, raise an exception, or call a function."""

    settings_schema = Settings
    script: ClassVar[dict[str, Any]] = {}

    def act(self, name: str, *args: Any, **options: Any) -> Any:
        wanted = self.script[name]
        if isinstance(wanted, BaseException):
            raise wanted
        return wanted(*args, **options) if callable(wanted) else wanted

    def health(self) -> Health:
        return self.act("health")  # type: ignore[no-any-return]


class ScriptedStorage(Scripted, Storage):
    name = "scripted"
    title = "Scripted"

    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        return self.act("write", path, chunks)  # type: ignore[no-any-return]

    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self.act("read", path, offset=offset, length=length)  # type: ignore[no-any-return]

    def stat(self, path: str) -> StoredFile:
        return self.act("stat", path)  # type: ignore[no-any-return]

    def list(self, path: str) -> Iterable[StoredFile]:
        return self.act("list", path)  # type: ignore[no-any-return]

    def delete(self, path: str) -> None:
        self.act("delete", path)


class LocalStorage(ScriptedStorage):
    capabilities = frozenset({"local"})


class ScriptedNotifier(Scripted, Notifier):
    name = "scripted"
    title = "Scripted"

    def send(self, notification: Notification) -> None:
        self.act("send", notification)


class ScriptedTarget(Scripted, DeploymentTarget):
    name = "scripted"
    title = "Scripted"

    def start(self, spec: ReplicaSpec) -> ReplicaStatus:
        return self.act("start", spec)  # type: ignore[no-any-return]

    def observe(self, spec: ReplicaSpec) -> ReplicaStatus:
        return self.act("observe", spec)  # type: ignore[no-any-return]

    def stop(self, spec: ReplicaSpec) -> None:
        self.act("stop", spec)

    def logs(self, spec: ReplicaSpec, *, lines: int = 200) -> str:
        return self.act("logs", spec, lines=lines)  # type: ignore[no-any-return]


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def bound(guard: Guard) -> Iterator[Callable[..., Any]]:
    def make(cls: type[Scripted], **script: Any) -> BoundProvider[Any]:
        cls.script = script
        kind = next(
            kind
            for kind, interface in (
                ("storage", Storage),
                ("notifier", Notifier),
                ("deployment_target", DeploymentTarget),
            )
            if issubclass(cls, interface)
        )
        return bind(check_provider(kind, "plugin", cls), {}, {"token": "hunter2"}, guard, "c1")

    yield make
    Scripted.script = {}


class TestBind:
    def test_the_wrapper_fits_the_kind(self, bound: Callable[..., Any]) -> None:
        assert type(bound(ScriptedStorage)) is BoundStorage
        assert type(bound(ScriptedNotifier)) is BoundNotifier
        assert type(bound(ScriptedTarget)) is BoundTarget

    def test_a_trackers_verbs_are_guarded_and_their_answers_checked(self, guard: Guard) -> None:
        verbs = {verb: lambda self, *args, **more: None for verb in Tracker.__abstractmethods__ - {"health"}}
        tracked = type("Tracked", (Scripted, Tracker), {"name": "tracked", "title": "Tracked", **verbs})
        tracked.script = {"health": Health(True)}  # type: ignore[attr-defined]

        tracker = bind(check_provider("tracker", "plugin", tracked), {}, {}, guard, "c1")

        assert isinstance(tracker, BoundTracker)
        assert tracker.health() == Health(True)
        assert not tracker.is_direct
        assert tracker.artifacts is None
        assert tracker.delete_run_tag(1, "r", "k") is None
        for verb, arguments in (("get_run", (1, "r")), ("search_runs", (1, Query())), ("metric_summaries", (1, []))):
            with pytest.raises(PluginContractError, match=verb):
                getattr(tracker, verb)(*arguments)
        assert guard.failures[("plugin", "get_run")] == 1
        assert not hasattr(tracker, "drop_everything")

    def test_wrong_settings_are_named(self, guard: Guard) -> None:
        entry = check_provider("storage", "plugin", ScriptedStorage)

        with pytest.raises(InvalidInput, match="speed: Unknown field"):
            bind(entry, {"speed": 3}, {}, guard, "c1")

    def test_a_constructor_that_raises_or_makes_something_else_is_captured(self, guard: Guard) -> None:
        class Failing(ScriptedStorage):
            def __init__(self, settings: Any) -> None:
                raise OSError(f"no good: {settings['token']}")

        class Lying(ScriptedStorage):
            def __new__(cls, settings: Any) -> Any:
                return "a storage"

        with pytest.raises(PluginError, match=r"'construct': OSError: no good: \*\*\*"):
            bind(check_provider("storage", "plugin", Failing), {}, {"token": "hunter2"}, guard, "c1")
        with pytest.raises(PluginContractError, match="str instead of Lying"):
            bind(check_provider("storage", "plugin", Lying), {}, {}, guard, "c1")


class TestHealth:
    def test_it_comes_without_secrets(self, bound: Callable[..., Any]) -> None:
        provider = bound(ScriptedNotifier, health=Health(False, "401 for hunter2"))

        assert provider.health() == Health(False, "401 for ***")

    def test_a_long_message_is_cut(self, bound: Callable[..., Any]) -> None:
        assert len(bound(ScriptedNotifier, health=Health(True, "x" * 10**6)).health().message) < 600

    @pytest.mark.parametrize("answer", [None, True, "ok", Health("yes"), Health(True, None)])  # type: ignore[arg-type]
    def test_anything_else_breaks_the_contract(self, bound: Callable[..., Any], guard: Guard, answer: object) -> None:
        with pytest.raises(PluginContractError, match="'plugin' answered 'health' with"):
            bound(ScriptedStorage, health=answer).health()
        assert guard.failures == {("plugin", "health"): 1}

    def test_it_has_its_deadline(
        self, bound: Callable[..., Any], gate: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(providers, "HEALTH_SECONDS", 0.1)

        with pytest.raises(PluginTimeout, match=r"'health' within 0\.1"):
            bound(ScriptedStorage, health=gate.wait).health()


@pytest.mark.parametrize("cls", [ScriptedStorage, LocalStorage])
class TestStorage:
    def test_a_file_goes_and_comes(self, bound: Callable[..., Any], cls: type[Scripted]) -> None:
        storage = bound(
            cls,
            write=lambda path, chunks: StoredFile(path, len(b"".join(chunks))),
            read=lambda path, offset, length: iter([b"0123456789"[offset:][:length]]),
            stat=lambda path: StoredFile(path, 3),
            list=lambda path: iter([StoredFile("b", 1), StoredFile("a", 1)]),
            delete=lambda path: "ignored",
        )

        assert storage.write("a/b", [b"one", b"two"]) == StoredFile("a/b", 6)
        assert b"".join(storage.read("a/b", offset=2, length=3)) == b"234"
        assert b"".join(storage.read("a/b")) == b"0123456789"
        assert storage.stat("a/b") == StoredFile("a/b", 3)
        assert [file.path for file in storage.list("")] == ["a", "b"]
        assert storage.delete("a/b") is None

    def test_not_found_comes_with_the_call(self, bound: Callable[..., Any], cls: type[Scripted]) -> None:
        storage = bound(cls, read=NotFound("no file"), stat=NotFound("no file"))

        with pytest.raises(NotFound):
            storage.read("f")
        with pytest.raises(NotFound):
            storage.stat("f")

    def test_more_than_the_length_breaks_the_contract(self, bound: Callable[..., Any], cls: type[Scripted]) -> None:
        storage = bound(cls, read=lambda path, offset, length: [b"12345"])

        with pytest.raises(PluginContractError, match="more than the 4 bytes"):
            storage.read("f", length=4)
        with pytest.raises(PluginContractError, match="more than the 3 bytes"):
            storage.read("f", max_bytes=3)

    @pytest.mark.parametrize(
        "stored", [None, "f", StoredFile("f", -1), StoredFile("f", 1.5), StoredFile(None, 3), StoredFile("f", 7)]
    )  # type: ignore[arg-type]
    def test_a_write_must_say_what_it_stored(
        self, bound: Callable[..., Any], cls: type[Scripted], stored: object
    ) -> None:
        def write(path: str, chunks: Iterable[bytes]) -> object:
            assert b"".join(chunks) == b"abc"
            return stored

        with pytest.raises(PluginContractError, match="answered 'write' with"):
            bound(cls, write=write).write("f", [b"abc"])

    def test_a_client_that_leaves_is_no_fault_of_the_plugin(
        self, bound: Callable[..., Any], cls: type[Scripted], guard: Guard
    ) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"a"
            raise ConnectionResetError("gone")

        with pytest.raises(ConnectionResetError):
            bound(cls, write=lambda path, source: b"".join(source)).write("f", chunks())
        assert guard.failures == {}

    @pytest.mark.parametrize("answer", [None, 5, [None], ["f"], [StoredFile("f", -1)]])
    def test_a_list_holds_stored_files(self, bound: Callable[..., Any], cls: type[Scripted], answer: object) -> None:
        with pytest.raises(PluginError, match="'list'"):
            bound(cls, list=answer).list("")

    def test_an_endless_list_is_too_large(
        self, bound: Callable[..., Any], cls: type[Scripted], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(providers, "MAX_LISTED_FILES", 100)

        with pytest.raises(TooLarge, match="more than 100 files"):
            bound(cls, list=lambda path: iter(lambda: StoredFile("f", 1), None)).list("")

    @pytest.mark.parametrize("operation", ["write", "read", "stat", "list", "delete"])
    def test_no_secret_comes_out(self, bound: Callable[..., Any], cls: type[Scripted], operation: str) -> None:
        storage = bound(cls, **{operation: OSError("denied to hunter2")})
        arguments = ("f", [b"x"]) if operation == "write" else ("f",)

        with pytest.raises(PluginError, match=rf"'{operation}': OSError: denied to \*\*\*$"):
            getattr(storage, operation)(*arguments)


def test_a_local_provider_stays_on_the_callers_thread(bound: Callable[..., Any]) -> None:
    threads = []
    note = lambda path: threads.append(threading.get_ident()) or StoredFile(path, 1)  # noqa: E731

    bound(LocalStorage, stat=note).stat("f")
    bound(ScriptedStorage, stat=note).stat("f")

    assert threads[0] == threading.get_ident()
    assert threads[1] != threading.get_ident()


def test_slow_uploads_do_not_keep_readers_waiting(bound: Callable[..., Any]) -> None:
    go, waiting = threading.Event(), threading.Barrier(5)

    def slow() -> Iterator[bytes]:
        waiting.wait(10)
        go.wait(30)
        yield b"x"

    storage = bound(
        ScriptedStorage,
        write=lambda path, chunks: StoredFile(path, len(b"".join(chunks))),
        stat=lambda path: StoredFile(path, 1),
    )
    uploads = [threading.Thread(target=storage.write, args=(f"f{number}", slow())) for number in range(4)]
    for upload in uploads:
        upload.start()
    waiting.wait(10)

    assert storage.stat("f") == StoredFile("f", 1)
    go.set()
    for upload in uploads:
        upload.join(10)


class TestNotifier:
    def test_it_sends(self, bound: Callable[..., Any]) -> None:
        sent: list[Notification] = []

        assert bound(ScriptedNotifier, send=sent.append).send(NOTIFICATION) is None
        assert sent == [NOTIFICATION]

    def test_it_has_its_deadline(
        self, bound: Callable[..., Any], gate: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(providers, "SEND_SECONDS", 0.1)

        with pytest.raises(PluginTimeout):
            bound(ScriptedNotifier, send=lambda one: gate.wait()).send(NOTIFICATION)


class TestTarget:
    def test_a_status_passes_without_secrets(self, bound: Callable[..., Any]) -> None:
        status = ReplicaStatus("ready", "http://127.0.0.1:5000", "started with hunter2", {"pid": 7})
        target = bound(ScriptedTarget, start=status, observe=status, stop=lambda spec: None)

        for answer in (target.start(SPEC), target.observe(SPEC)):
            assert answer == ReplicaStatus("ready", "http://127.0.0.1:5000", "started with ***", {"pid": 7})
        assert target.stop(SPEC) is None

    @pytest.mark.parametrize(
        "answer",
        [
            None,
            "ready",
            ReplicaStatus("running"),
            ReplicaStatus(None),  # type: ignore[arg-type]
            ReplicaStatus(["ready"]),  # type: ignore[arg-type]
            ReplicaStatus("ready", address=5000),  # type: ignore[arg-type]
            ReplicaStatus("ready", message=None),  # type: ignore[arg-type]
            ReplicaStatus("ready", identity=None),  # type: ignore[arg-type]
            ReplicaStatus("ready", identity={"process": object()}),
            ReplicaStatus("ready", identity={"nan": float("nan")}),
            ReplicaStatus("ready", identity={"huge": "x" * 100_000}),
        ],
    )
    def test_anything_else_breaks_the_contract(self, bound: Callable[..., Any], answer: object) -> None:
        target = bound(ScriptedTarget, start=answer, observe=answer)

        with pytest.raises(PluginContractError, match="answered 'start'"):
            target.start(SPEC)
        with pytest.raises(PluginContractError, match="answered 'observe'"):
            target.observe(SPEC)

    def test_logs_are_the_last_mebibyte_without_secrets(self, bound: Callable[..., Any]) -> None:
        target = bound(ScriptedTarget, logs=lambda spec, lines: "x" * 2**21 + f"the end of {lines} with hunter2")

        text = target.logs(SPEC, lines=7)

        assert text.endswith("the end of 7 with ***")
        assert len(text) <= 2**20

    @pytest.mark.parametrize("answer", [None, b"bytes", ["lines"]])
    def test_logs_are_a_text(self, bound: Callable[..., Any], answer: object) -> None:
        with pytest.raises(PluginContractError, match="instead of str"):
            bound(ScriptedTarget, logs=lambda spec, lines: answer).logs(SPEC)


class TestPaths:
    @pytest.mark.parametrize("path", ["a", "a/b", "a b/ü/.hidden", "..a/b..", "x" * 1024, "a:b\\c"])
    def test_good(self, path: str) -> None:
        check_path(path)

    @pytest.mark.parametrize(
        "path", ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\0b", "x" * 1025, "a/\ud800"]
    )
    def test_bad(self, path: str) -> None:
        with pytest.raises(InvalidInput):
            check_path(path)

    def test_the_root_where_it_makes_sense(self) -> None:
        check_path("", root=True)

    @pytest.mark.parametrize("operation", ["write", "read", "stat", "list", "delete"])
    def test_a_storage_never_sees_a_bad_one(self, bound: Callable[..., Any], operation: str) -> None:
        storage = bound(ScriptedStorage)
        arguments = ("../f", [b"x"]) if operation == "write" else ("../f",)

        with pytest.raises(InvalidInput):
            getattr(storage, operation)(*arguments)

    def test_a_range_is_not_negative(self, bound: Callable[..., Any]) -> None:
        with pytest.raises(InvalidInput):
            bound(ScriptedStorage).read("f", offset=-1)
        with pytest.raises(InvalidInput):
            bound(ScriptedStorage).read("f", length=-1)
