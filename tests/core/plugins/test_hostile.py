"""Whatever a plugin does when it is called costs that call and nothing else: its neighbours, its other connections, the
process and what it was given stay as they were.

What happens while a plugin is loaded is in `test_loading`; what no guard can hold (`os._exit`, a crash in native code)
is said in docs/plugins.md.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from modelyard import Notification, PluginError
from modelyard.core.errors import ModelyardError, PluginContractError, PluginTimeout
from modelyard.core.events import EventRecord
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.providers import bind

Install = Callable[..., str]
Check = Callable[[PluginManager], None]

HOSTILE = """
    import builtins
    from marshmallow import Schema, fields
    from modelyard import Health, Notifier, hookimpl

    class Settings(Schema):
        well = fields.Boolean(load_default=False)
        token = fields.String(load_default="", metadata={{"secret": True}})

    class Hostile(Notifier):
        name = "hostile"
        title = "Hostile"
        settings_schema = Settings

        def health(self):
            return Health(True) if self.settings["well"] else act(self.settings)

        def send(self, notification):
            return None if self.settings["well"] else act(notification)

    def act(given):
{body}

    @hookimpl
    def register_notifiers(register):
        register(Hostile)

    @hookimpl
    def run_finished(event):
        act(event)
"""

ACTS = {
    "raises": "raise ValueError('boom')",
    "raises a BaseException of its own": "raise type('Mine', (BaseException,), {})()",
    "exits": "import sys; sys.exit(3)",
    "interrupts": "raise KeyboardInterrupt",
    "raises a huge text": "raise ValueError('x' * (32 * 1024 * 1024))",
    "raises a text that hangs": (
        "class Slow(Exception):\n    def __str__(self): return str(builtins.modelyard_test_hang.wait())\nraise Slow"
    ),
    "raises what cannot be described": "class Bad(Exception):\n    def __str__(self): raise self\nraise Bad",
    "recurses": "return act(given)",
    "recurses in its text": "class Deep(Exception):\n    def __str__(self): return str(self)\nraise Deep",
    "hangs": "builtins.modelyard_test_hang.wait()",
    "runs out of memory": "raise MemoryError",
    "ends a generator": "raise StopIteration",
    "raises with a cycle": "a, b = ValueError('a'), ValueError('b'); a.__cause__, b.__cause__ = b, a; raise a",
    "deletes what it was given": "getattr(given, '__dict__', {}).clear()\nraise ValueError",
}


def hostile(body: str) -> str:
    lines = "\n".join(f"        {line}" for line in body.splitlines())
    return HOSTILE.format(body=lines)


def event() -> EventRecord:
    ours = {"id": "e1", "action": "run.finished", "object_kind": "run", "object_id": "r1", "object_name": "r1"}
    theirs = {"actor_kind": "user", "actor_id": "u1", "actor_name": "ada", "organization": "acme", "project": "churn"}
    return EventRecord(**ours, **theirs, occurred_at_ms=1, after={"status": "FINISHED"})  # type: ignore[arg-type]


def notification() -> Notification:
    return Notification("n1", "run.finished", "A run has finished", "", 0, event={"after": {"status": "FINISHED"}})


@pytest.fixture
def manager(install: Install, request: pytest.FixtureRequest, hang: threading.Event) -> Callable[..., PluginManager]:
    """Load a hostile plugin beside two neighbours, with deadlines of a moment."""
    request.getfixturevalue("neighbours_work")

    def load(body: str, *, threads: int = 2) -> PluginManager:
        install("hostile", hostile(body))
        found = PluginManager(guard=Guard(threads_per_connection=threads))
        assert (found.plugin("hostile").state, found.plugin("hostile").error) == ("loaded", None)
        return found

    return load


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.core.plugin_manager.MOMENT_DEADLINE_SECONDS", 0.5)
    monkeypatch.setattr("modelyard.core.providers.SEND_SECONDS", 0.5)
    monkeypatch.setattr("modelyard.core.providers.HEALTH_SECONDS", 0.5)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("act", ACTS)
def test_an_act_costs_its_own_call(manager: Callable[..., PluginManager], neighbours_work: Check, act: str) -> None:
    loaded = manager(ACTS[act])
    entry = loaded.provider("notifier", "hostile")
    ill, well = (
        bind(entry, {"well": is_well}, {"token": "hunter2"}, loaded.guard, f"c{is_well}") for is_well in (False, True)
    )
    place, limit, hook = Path.cwd(), sys.getrecursionlimit(), threading.excepthook
    calls: list[Callable[[], object]] = [
        lambda: ill.send(notification()),  # type: ignore[attr-defined]
        ill.health,
        lambda: loaded.tell("hostile", "run_finished", event()),
    ]

    for call in calls:
        with pytest.raises(PluginError) as caught:
            call()
        assert (caught.value.plugin, len(str(caught.value)) < 1000) == ("hostile", True)
        assert "hunter2" not in str(caught.value)
        neighbours_work(loaded)
        assert well.health().ok
        well.send(notification())  # type: ignore[attr-defined]

    assert (Path.cwd(), sys.getrecursionlimit(), threading.excepthook) == (place, limit, hook)
    counted = loaded.guard.failures
    assert sum(count for (plugin, _), count in counted.items() if plugin == "hostile") == 3
    assert {plugin for plugin, _ in counted} == {"hostile"}


@pytest.mark.parametrize("rubbish", ["7", "'fine'", "None", "Health", "Health(1)", "Health(True, 7)", "object()"])
def test_rubbish_for_an_answer_is_a_broken_contract(manager: Callable[..., PluginManager], rubbish: str) -> None:
    loaded = manager(f"return {rubbish}")
    bound = bind(loaded.provider("notifier", "hostile"), {}, {}, loaded.guard, "c1")
    with pytest.raises(PluginContractError):
        bound.health()


def test_what_it_was_given_is_its_own(manager: Callable[..., PluginManager]) -> None:
    body = """
        if isinstance(given, dict):
            given["token"] = "changed"
            given.clear()
        else:
            given.event["after"] = "changed"
        return Health(True)
    """
    loaded = manager(dedent(body))
    entry = loaded.provider("notifier", "hostile")
    plain: dict[str, Any] = {"well": False}
    secret = {"token": "hunter2"}
    bound = bind(entry, plain, secret, loaded.guard, "c1")
    with pytest.raises(PluginError):
        bound.health()  # its settings are gone, which is its own trouble
        bound.health()
    assert (plain, secret) == ({"well": False}, {"token": "hunter2"})
    assert bind(entry, plain, secret, loaded.guard, "c2").provider.settings["token"] == "hunter2"


def test_its_threads_do_not_keep_the_process(manager: Callable[..., PluginManager], hang: threading.Event) -> None:
    body = """
        import threading
        for _ in range(20):
            threading.Thread(target=builtins.modelyard_test_hang.wait).start()
    """
    loaded = manager(dedent(body))
    before = {thread for thread in threading.enumerate() if not thread.daemon}
    loaded.tell("hostile", "run_finished", event())
    assert {thread for thread in threading.enumerate() if not thread.daemon} == before
    hang.set()


@pytest.mark.usefixtures("short")
def test_one_that_hangs_on_and_on_ends_in_quarantine(
    manager: Callable[..., PluginManager], neighbours_work: Check
) -> None:
    loaded = manager("builtins.modelyard_test_hang.wait()", threads=4)
    told: list[type[ModelyardError]] = []
    for _ in range(5):
        with pytest.raises(PluginError) as caught:
            loaded.tell("hostile", "run_finished", event())
        told.append(type(caught.value))
    assert told[:3] == [PluginTimeout] * 3
    assert [cls.code for cls in told[3:]] == ["plugin_suspended"] * 2
    neighbours_work(loaded)
