"""The cache of who asks and where: a hit while nothing has changed, and never after."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from modelyard.core import access_cache, db
from modelyard.core.access_cache import AccessCache, AccessGeneration
from modelyard.core.bootstrap import Services
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.projects.models import Connection, Organization, OrganizationMember, Project, ProjectMember
from tests.factories import Factories, system_owner


class Watch:
    """A clock that a test sets, and a count of look-ups."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looked_up = 0

    def __call__(self) -> float:
        return self.now

    def look_up(self) -> object:
        self.looked_up += 1
        return object()


def test_what_was_looked_up_is_kept_for_five_seconds(opened_database: Any) -> None:
    watch = Watch()
    cache = AccessCache(clock=watch)
    found = cache.view(b"a").fetch("k", watch.look_up)
    watch.now = 5.0
    assert cache.view(b"a").fetch("k", watch.look_up) is found
    watch.now = 5.1
    assert cache.view(b"a").fetch("k", watch.look_up) is not found


def test_one_credential_does_not_meet_the_entries_of_another(opened_database: Any) -> None:
    watch, cache = Watch(), AccessCache()
    found = cache.view(b"a").fetch("k", watch.look_up)
    assert cache.view(b"b").fetch("k", watch.look_up) is not found
    assert cache.view(b"a").fetch("other", watch.look_up) is not found


def test_that_there_is_nothing_is_asked_each_time(opened_database: Any) -> None:
    cache, asked = AccessCache(), []
    for _ in range(3):
        assert cache.view(b"a").fetch("k", lambda: asked.append(1)) is None  # type: ignore[func-returns-value]
    assert len(asked) == 3


def test_the_oldest_entry_goes_where_there_are_too_many(opened_database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_cache, "MOST_ENTRIES", 2)
    watch, cache = Watch(), AccessCache()
    kept = {key: cache.view(b"a").fetch(key, watch.look_up) for key in ("1", "2", "3")}
    assert cache.view(b"a").fetch("3", watch.look_up) is kept["3"]
    assert cache.view(b"a").fetch("2", watch.look_up) is kept["2"]
    assert cache.view(b"a").fetch("1", watch.look_up) is not kept["1"]


def test_what_was_looked_up_before_a_change_is_old_after_it(services: Services, factories: Factories) -> None:
    watch = Watch()
    view = services.access.view(b"a")

    def look_up_while_it_changes() -> object:
        factories.organization()
        return watch.look_up()

    found = view.fetch("k", look_up_while_it_changes)
    assert services.access.view(b"a").fetch("k", watch.look_up) is not found


HARMLESS = {
    User: {"password_hash", "display_name", "email"},
    ApiToken: {"last_used_at_ms"},
    Project: {"last_experiment_number", "artifact_bytes", "max_artifact_bytes"},
    Connection: {"health_ok", "health_message", "health_checked_at_ms"},
}


def generation() -> int:
    return int(AccessGeneration.get().number)


@pytest.mark.parametrize(
    "table", [User, ApiToken, Organization, OrganizationMember, Project, ProjectMember, Connection]
)
def test_every_change_of_who_may_what_raises_the_generation(
    services: Services, factories: Factories, table: Any
) -> None:
    project = factories.project("churn")
    factories.member(project, "viewer")
    owner = factories.actor(system_owner(project))
    services.connections.create(owner, project, name="c", kind="notifier", provider="log", settings={})
    factories.token(factories.user())
    row = table.select().order_by(table.id.desc()).first()
    for field in table._meta.sorted_fields:
        if field.primary_key:
            continue
        before = generation()
        with db.atomic():
            value = row.__data__[field.name]
            table.update({field: value}).where(table.id == row.id).execute()
        assert (generation() == before) == (field.column_name in HARMLESS.get(table, ())), field.name
    before = generation()
    with db.atomic():
        table.delete().where(table.id == row.id).execute()
    assert generation() > before


def test_a_change_that_is_rolled_back_raises_nothing(services: Services, factories: Factories) -> None:
    user = factories.user()
    before = generation()
    with pytest.raises(ZeroDivisionError), db.atomic():
        User.update(disabled_at_ms=1).where(User.id == user.id).execute()
        raise ZeroDivisionError
    assert generation() == before


def test_a_token_is_refused_from_the_moment_that_it_expires(
    services: Services, factories: Factories, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = factories.headers(factories.user(), expires_in_days=1)
    assert app.test_client().get("/api/v1/session", headers=headers).status_code == 200
    monkeypatch.setattr("modelyard.web.auth.now_ms", lambda: ApiToken.get().expires_at_ms)
    assert app.test_client().get("/api/v1/session", headers=headers).status_code == 401


def test_without_its_row_nobody_is_let_in_and_it_says_so(factories: Factories, app: Flask) -> None:
    headers = factories.headers(factories.user())
    AccessGeneration.delete().execute()
    answer = app.test_client().get("/api/v1/session", headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
