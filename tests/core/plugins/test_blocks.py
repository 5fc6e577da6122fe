"""Blocks and quarantines hold in every process, say who and why, and end when they are lifted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from modelyard.config.settings import Settings
from modelyard.core import bootstrap
from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    PluginContractError,
    PluginSuspended,
)
from modelyard.core.identity.actor import Actor
from modelyard.core.notifications.models import Event
from modelyard.core.plugin_blocks import MAX_AGE_SECONDS, PluginBlock, StoredHolds
from modelyard.core.plugin_guard import Guard
from modelyard.core.projects.models import Project
from tests.factories import Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def root(factories: Factories) -> Actor:
    return factories.actor(factories.user("root", is_instance_admin=True))


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn")


def call(guard: Guard, plugin: str = "log") -> object:
    return guard.call(plugin, "send", lambda: "sent", deadline_seconds=10, connection="c1")


def age(guard: Guard) -> None:
    """Let what the guard has read become too old."""
    assert isinstance(guard.holds, StoredHolds)
    guard.holds._read_at -= MAX_AGE_SECONDS


@pytest.fixture
def another(settings: Settings, services: Services) -> Guard:
    """The guard of another process on the same database."""
    holds = StoredHolds()
    holds.events = services.events
    guard = bootstrap._guard(settings, holds)
    assert call(guard) == "sent"
    return guard


def test_a_blocked_plugin_is_called_by_no_process(services: Services, root: Actor, another: Guard) -> None:
    services.plugin_blocks.block(root, "log", reason="it leaks")

    for guard in (services.guard, another):
        age(guard)
        with pytest.raises(PluginSuspended, match=r"root blocked it at 20\d\d-.*: it leaks") as caught:
            call(guard)
        assert "modelyard plugins unblock log" in str(caught.value)
        assert call(guard, "webhook") == "sent"

    services.plugin_blocks.unblock(root, "log")
    age(another)
    assert (call(services.guard), call(another)) == ("sent", "sent")


@on_sqlite
def test_it_holds_over_a_restart(services: Services, root: Actor, settings: Settings) -> None:
    services.plugin_blocks.block(root, "log", reason="it leaks")
    restarted = bootstrap.build(settings, process="worker")
    with pytest.raises(PluginSuspended):
        call(restarted.guard)
    assert restarted.plugins.plugin("log").state == "loaded", "so that lifting the block needs no restart"


@on_sqlite
def test_what_was_read_is_used_for_five_seconds(services: Services, root: Actor, another: Guard) -> None:
    PluginBlock.create(plugin="log", reason="r", blocked_by="root")
    assert call(another) == "sent"
    age(another)
    with pytest.raises(PluginSuspended):
        call(another)


@on_sqlite
def test_blocks_are_events(services: Services, root: Actor) -> None:
    services.plugin_blocks.block(root, "log", reason="it leaks")
    services.plugin_blocks.unblock(root, "log")
    told = [(row.action, row.actor_name, row.object_name, row.after) for row in Event.select().order_by(Event.id)]
    assert told[-2:] == [
        ("plugin.blocked", "root", "log", {"reason": "it leaks"}), ("plugin.unblocked", "root", "log", {}),
    ]  # fmt: skip


@on_sqlite
@pytest.mark.parametrize("plugin", ["local_files", "sql_tracker"])
def test_what_the_settings_select_takes_force(
    services: Services, root: Actor, project: Project, plugin: str, factories: Factories
) -> None:
    with pytest.raises(Conflict, match="settings select"):
        services.plugin_blocks.block(root, plugin, reason="r")
    assert PluginBlock.select().count() == 0

    services.plugin_blocks.block(root, plugin, reason="r", force=True)

    use: dict[str, Callable[[], object]] = {
        "local_files": lambda: services.connections.storage_of(project).list(""),
        "sql_tracker": lambda: services.connections.tracker_of(project),
    }
    with pytest.raises(PluginSuspended):
        use[plugin]()


@on_sqlite
def test_bad_wishes_change_nothing(services: Services, root: Actor, project: Project) -> None:
    owner = Factories(services).actor(project.organization.members[0].user)
    wishes: list[tuple[type[Exception], Callable[[], Any]]] = [
        (PermissionDenied, lambda: services.plugin_blocks.block(owner, "log", reason="r")),
        (PermissionDenied, lambda: services.plugin_blocks.unblock(owner, "log")),
        (NotFound, lambda: services.plugin_blocks.block(root, "no_such", reason="r")),
        (NotFound, lambda: services.plugin_blocks.unblock(root, "log")),
        (InvalidInput, lambda: services.plugin_blocks.block(root, "log", reason="")),
        (InvalidInput, lambda: services.plugin_blocks.block(root, "log", reason="x" * 501)),
    ]
    for error, wish in wishes:
        with pytest.raises(error):
            wish()
    assert PluginBlock.select().count() == 0
    services.plugin_blocks.block(root, "log", reason="first")
    with pytest.raises(AlreadyExists):
        services.plugin_blocks.block(root, "log", reason="second")
    assert [row.reason for row in PluginBlock.select()] == ["first"]


def break_contract(guard: Guard, plugin: str) -> None:
    for _ in range(5):
        with pytest.raises(PluginContractError):
            guard.direct(plugin, "stat", lambda: 7, expect=str)


def test_a_quarantine_is_everybodys_and_ends(services: Services, root: Actor, another: Guard) -> None:
    break_contract(another, "log")
    for guard in (another, services.guard):
        age(guard)
        with pytest.raises(PluginSuspended, match="quarantine"):
            call(guard)
    event = Event.select().where(Event.action == "plugin.quarantined").get()
    assert (event.actor_kind, event.object_name) == ("system", "log")

    services.plugin_blocks.unblock(root, "log")
    age(another)
    assert call(another) == "sent"

    break_contract(another, "log")
    PluginBlock.update(until_ms=1).execute()
    age(another)
    assert call(another) == "sent"
    break_contract(another, "log")
    assert PluginBlock.select().where(PluginBlock.until_ms > 1).count() == 1


@on_sqlite
def test_a_block_takes_the_place_of_a_quarantine_and_not_the_other_way(services: Services, root: Actor) -> None:
    break_contract(services.guard, "log")
    services.plugin_blocks.block(root, "log", reason="it lies")
    services.guard.holds.strike("log", "again", strikes=5)
    age(services.guard)
    assert [(row.reason, row.until_ms) for row in PluginBlock.select()] == [("it lies", None)]
    with pytest.raises(PluginSuspended, match="it lies"):
        call(services.guard)


@on_sqlite
def test_what_the_settings_select_is_never_in_quarantine(services: Services) -> None:
    break_contract(services.guard, "local_files")
    assert services.guard.holds.of("local_files") is None


@on_sqlite
def test_a_lost_database_changes_nothing_of_it(
    services: Services, root: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.plugin_blocks.block(root, "log", reason="it leaks")
    with monkeypatch.context() as patch:
        patch.setattr(database.obj, "execute_sql", lost)
        age(services.guard)
        with pytest.raises(PluginSuspended, match="it leaks"):
            call(services.guard)
        break_contract(services.guard, "webhook")
        age(services.guard)
        with pytest.raises(PluginSuspended, match="quarantine"):
            call(services.guard, "webhook")
    age(services.guard)
    with pytest.raises(PluginSuspended, match="quarantine"):
        call(services.guard, "webhook")


def lost(*_: object, **__: object) -> object:
    from peewee import OperationalError

    raise OperationalError("the database is gone")


@on_sqlite
class TestApi:
    def test_blocks_are_shown_and_counts_are_for_instance_administrators(
        self, services: Services, client: FlaskClient, factories: Factories, project: Project
    ) -> None:
        admin = factories.headers(factories.user(is_instance_admin=True))
        viewer = factories.headers(factories.member(project, "viewer"))
        with pytest.raises(NotFound):
            services.guard.direct("log", "stat", self.missing)
        with pytest.raises(PluginContractError):
            services.guard.direct("log", "send", lambda: 7, expect=str, connection="c7")

        answer = client.post("/api/v1/plugins/log/block", json={"reason": "it leaks"}, headers=admin)
        assert answer.status_code == 200
        for headers in (admin, viewer):
            shown = client.get("/api/v1/plugins/log", headers=headers).get_json()
            assert shown["hold"]["reason"] == "it leaks"
            assert shown["hold"]["until"] is None
            listed = client.get("/api/v1/plugins", headers=headers).get_json()["items"]
            assert [item["name"] for item in listed if item["hold"]] == ["log"]
        assert (shown["calls"], shown["last_failures"], shown["breakers"]) == ([], [], [])

        shown = client.get("/api/v1/plugins/log", headers=admin).get_json()
        counts = {(each["operation"], each["outcome"]): each["count"] for each in shown["calls"]}
        assert counts["stat", "answer"] == 1
        assert counts["send", "plugin_contract_broken"] == 1
        assert [(each["operation"], each["connection"]) for each in shown["last_failures"]] == [("send", "c7")]

        again = client.post("/api/v1/plugins/log/block", json={"reason": "more"}, headers=admin)
        assert (again.status_code, again.get_json()["code"]) == (409, "already_exists")
        selected = client.post("/api/v1/plugins/local_files/block", json={"reason": "more"}, headers=admin)
        assert (selected.status_code, selected.get_json()["code"]) == (409, "conflict")
        assert client.delete("/api/v1/plugins/log/block", headers=admin).status_code == 204
        assert client.delete("/api/v1/plugins/log/block", headers=admin).status_code == 404
        assert client.get("/api/v1/plugins/no-such", headers=admin).status_code == 404

    def missing(self) -> None:
        raise NotFound("no such thing")

    def test_open_breakers_are_shown(self, services: Services, client: FlaskClient, factories: Factories) -> None:
        def failing() -> None:
            raise ValueError("no route")

        for _ in range(5):
            with pytest.raises(Exception, match="no route"):
                services.guard.call("log", "send", failing, deadline_seconds=10, connection="c7")
        headers = factories.headers(factories.user(is_instance_admin=True))
        breaker = client.get("/api/v1/plugins/log", headers=headers).get_json()["breakers"][0]
        assert (breaker["connection"], breaker["state"]) == ("c7", "open")
        assert "no route" in breaker["reason"]
        assert 0 < breaker["trial_in_seconds"] <= 30

    def test_a_call_that_a_block_stops_says_when_to_come_again(
        self, services: Services, client: FlaskClient, factories: Factories, project: Project
    ) -> None:
        root = factories.user(is_instance_admin=True)
        services.plugin_blocks.block(factories.actor(root), "log", reason="it leaks")
        owner = project.organization.members[0].user
        wish = {"kind": "notifier", "provider": "log", "settings": {}}
        address = f"/api/v1/organizations/{project.organization.slug}/projects/churn/connections/test"
        answer = client.post(address, json=wish, headers=factories.headers(owner))
        assert (answer.status_code, answer.get_json()["code"]) == (503, "plugin_suspended")
        assert int(answer.headers["Retry-After"]) > 1

    def test_a_held_plugin_degrades_the_servers_health(self, services: Services, client: FlaskClient) -> None:
        PluginBlock.create(plugin="log", reason="r", blocked_by="root")
        age(services.guard)
        assert client.get("/health/ready").get_json()["parts"]["plugins"]["text"] == "not called: log"


@on_sqlite
def test_the_trace_tells_of_calls_and_not_of_what_is_in_them(
    override: Any, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    import structlog.testing

    for settings, count in (
        (override(plugins={"trace": True}), 1),
        (override(log={"level": "DEBUG"}), 1),
        (override(), 0),
    ):
        guard = bootstrap._guard(settings, StoredHolds())
        with structlog.testing.capture_logs() as lines:
            guard.call("log", "send", lambda text: text, "hunter2", deadline_seconds=10, connection="c1")
        traced = [line for line in lines if line["event"] == "plugin_call"]
        assert len(traced) == count
        assert "hunter2" not in repr(lines)
    assert count == 0
