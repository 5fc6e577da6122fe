"""Writes that are safe to repeat (`Idempotency-Key`) and safe beside others (`ETag`, `If-Match`)."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from modelyard.core import db
from modelyard.core.bootstrap import Services
from modelyard.core.db import HeldTransaction
from modelyard.core.idempotency import IdempotentAnswer
from modelyard.core.identity.models import ApiToken
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import RegisteredModel
from tests.factories import Factories
from tests.web.conftest import Place
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
KEY = {"Idempotency-Key": "0b2f3b3c-made-by-a-client"}


def test_a_request_sent_twice_under_a_key_is_done_once(place: Place) -> None:
    first = place.call("POST", "/models", {"name": "risk"}, headers=KEY)
    second = place.call("POST", "/models", {"name": "risk"}, headers=KEY)
    assert first.status_code == second.status_code == 201
    assert first.get_json() == second.get_json()
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert RegisteredModel.select().count() == 1
    assert Event.select().where(Event.action == "model.created").count() == 1


def test_another_body_or_query_under_the_key_is_refused(place: Place) -> None:
    assert place.call("POST", "/models", {"name": "risk"}, headers=KEY).status_code == 201
    for path, body in (("/models", {"name": "other"}), ("/models?x=1", {"name": "risk"})):
        answer = problem(place.call("POST", path, body, headers=KEY), 422, "invalid_input")
        assert set(answer["errors"]) == {"Idempotency-Key"}
    assert RegisteredModel.select().count() == 1


@on_sqlite
def test_a_key_counts_for_its_route_and_its_credential(place: Place, factories: Factories) -> None:
    assert place.call("POST", "/models", {"name": "risk"}, headers=KEY).status_code == 201
    assert (
        place.call("POST", "/models/risk/versions", {"source": "mlflow-artifacts:/m"}, headers=KEY).status_code == 201
    )
    other = factories.headers(place.user, scopes=["read"])
    problem(place.call("POST", "/models", {"name": "risk"}, headers={**KEY, **other}), 403, "permission_denied")


@on_sqlite
def test_a_failed_request_leaves_its_key_free(place: Place) -> None:
    problem(place.call("POST", "/models", {"name": ""}, headers=KEY), 422, "invalid_input")
    assert place.call("POST", "/models", {"name": "risk"}, headers=KEY).status_code == 201


@on_sqlite
@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "k" * 256])
def test_a_key_that_is_none_is_refused(place: Place, key: str) -> None:
    answer = problem(
        place.call("POST", "/models", {"name": "risk"}, headers={"Idempotency-Key": key}), 422, "invalid_input"
    )
    assert set(answer["errors"]) == {"Idempotency-Key"}
    assert RegisteredModel.select().count() == 0


@on_sqlite
def test_after_a_day_the_key_is_free_and_the_answer_gone(place: Place) -> None:
    assert place.call("POST", "/models", {"name": "risk"}, headers=KEY).status_code == 201
    IdempotentAnswer.update(created_at_ms=db.now_ms() - 24 * 3600 * 1000 - 1).execute()
    assert place.call("POST", "/models", {"name": "other"}, headers=KEY).status_code == 201
    assert IdempotentAnswer.select().count() == 1


def test_a_token_is_shown_again_under_its_key_and_kept_encrypted(place: Place) -> None:
    wish = {"name": "ci", "scopes": ["read"]}
    first = place.call("POST", "/api/v1/tokens", wish, headers=KEY).get_json()
    again = place.call("POST", "/api/v1/tokens", wish, headers=KEY).get_json()
    assert again == first
    assert ApiToken.select().where(ApiToken.name == "ci").count() == 1
    assert first["token"] not in IdempotentAnswer.get().encrypted_answer


def at_once(app: Flask, count: int, send: Callable[[Any, int], TestResponse]) -> list[TestResponse]:
    """Send requests from as many threads at the same moment."""
    start = threading.Barrier(count)

    def one(number: int) -> TestResponse:
        start.wait()
        try:
            return send(app.test_client(), number)
        finally:
            if not db.is_postgresql():
                db.database.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_the_same_request_at_the_same_time_is_done_once(app: Flask, place: Place) -> None:
    headers = {**place.headers, **KEY}
    answers = at_once(
        app, 6, lambda client, _: client.post(f"{place.address}/models", json={"name": "risk"}, headers=headers)
    )
    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.get_data() for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert RegisteredModel.select().count() == 1


def test_a_change_and_its_kept_answer_come_together_or_not_at_all(
    services: Services, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What dies before the commit leaves neither: the answer is not acknowledged, and the request can be sent again."""

    def die(keyed: Any, answer: Any) -> None:
        raise db.OperationalError("the power went")

    with monkeypatch.context() as broken:
        broken.setattr(type(services.idempotency), "keep", lambda self, keyed, answer: die(keyed, answer))
        problem(place.call("POST", "/models", {"name": "risk"}, headers=KEY), 503, "unavailable")
    assert RegisteredModel.select().count() == 0
    assert Event.select().where(Event.action == "model.created").count() == 0
    assert place.call("POST", "/models", {"name": "risk"}, headers=KEY).status_code == 201


def test_what_the_server_fails_at_is_not_half_done(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(row: Any) -> Any:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("modelyard.web.api.models.show_model", fail)
        problem(place.call("POST", "/models", {"name": "risk"}, headers=KEY), 500, "error")
    assert RegisteredModel.select().count() == 0
    assert place.call("POST", "/models", {"name": "risk"}, headers=KEY).status_code == 201


def test_an_edit_of_what_was_seen_goes_through(services: Services, place: Place) -> None:
    services.models.create(place.actor, place.project, name="risk")
    seen = place.call("GET", "/models/risk").headers["ETag"]
    edited = place.call("PATCH", "/models/risk", {"description": "new"}, headers={"If-Match": seen})
    assert edited.status_code == 200
    assert edited.headers["ETag"] != seen
    assert place.call("GET", "/models/risk").headers["ETag"] == edited.headers["ETag"]
    assert place.call("DELETE", "/models/risk", headers={"If-Match": edited.headers["ETag"]}).status_code == 204


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_an_edit_of_what_has_changed_since_is_refused(services: Services, place: Place, method: str) -> None:
    services.models.create(place.actor, place.project, name="risk")
    seen = place.call("GET", "/models/risk").headers["ETag"]
    services.models.edit(place.actor, place.project, "risk", new_name=None, description="somebody else's")
    body = {"description": "mine"} if method == "PATCH" else None
    answer = problem(place.call(method, "/models/risk", body, headers={"If-Match": seen}), 412, "precondition_failed")
    assert seen in answer["detail"]
    assert RegisteredModel.get().description == "somebody else's"


@on_sqlite
def test_an_edit_that_changes_nothing_is_still_told_that_it_saw_another_state(services: Services, place: Place) -> None:
    services.models.create(place.actor, place.project, name="risk", description="same")
    answer = place.call("PATCH", "/models/risk", {"description": "same"}, headers={"If-Match": '"of-long-ago"'})
    problem(answer, 412, "precondition_failed")


@on_sqlite
@pytest.mark.parametrize(("shown", "status"), [("*", 200), ('"x"', 412), ("rubbish", 412), ('W/"x"', 412)])
def test_if_match_is_read_as_http_says(services: Services, place: Place, shown: str, status: int) -> None:
    services.models.create(place.actor, place.project, name="risk")
    answer = place.call("PATCH", "/models/risk", {"description": "d"}, headers={"If-Match": shown})
    assert answer.status_code == status


@on_sqlite
def test_what_has_no_etag_cannot_be_matched(place: Place, factories: Factories) -> None:
    member = factories.member(place.project, "viewer")
    path = f"/members/{member.username}"
    problem(place.call("PUT", path, {"role": "editor"}, headers={"If-Match": '"x"'}), 412, "precondition_failed")
    assert place.call("PUT", path, {"role": "editor"}).status_code == 200


ROWS = {
    "/models/risk": {"description": "edited"},
    "/models/risk/versions/1": {"description": "edited"},
    "/deployments/live": {"replicas": 2},
    "/connections/CONNECTION": {"enabled": False},
    "": {"description": "edited"},
}


@on_sqlite
@pytest.mark.parametrize("path", ROWS)
def test_an_edit_answers_with_what_a_get_would_show(services: Services, place: Place, path: str) -> None:
    actor, project = place.actor, place.project
    Project.update(allow_local_deployments=True).execute()
    services.models.create(actor, project, name="risk")
    services.model_versions.create(actor, project, "risk", source="mlflow-artifacts:/m")
    services.deployments.create(actor, Project.get(), name="live", model="risk", version="1", target="local_process")
    made = services.connections.create(actor, project, name="c", kind="notifier", provider="log", settings={})
    address = path.replace("CONNECTION", made.public_id)
    edited = place.call("PATCH", address, ROWS[path])
    assert edited.status_code == 200, edited.get_json()
    assert edited.headers["ETag"] == place.call("GET", address).headers["ETag"]


def test_of_many_edits_of_the_same_state_one_goes_through(app: Flask, services: Services, place: Place) -> None:
    services.models.create(place.actor, place.project, name="risk")
    seen = place.call("GET", "/models/risk").headers["ETag"]

    def edit(client: Any, number: int) -> TestResponse:
        headers = {**place.headers, "If-Match": seen}
        answer: TestResponse = client.patch(
            f"{place.address}/models/risk", json={"description": f"by {number}"}, headers=headers
        )
        return answer

    answers = at_once(app, 6, edit)
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412, 412]
    won = next(answer for answer in answers if answer.status_code == 200)
    assert RegisteredModel.get().description == won.get_json()["description"]


@on_sqlite
def test_whoever_has_seen_it_is_not_sent_it_again(services: Services, place: Place) -> None:
    services.models.create(place.actor, place.project, name="risk")
    for path in ("/models", "/models/risk", "/events", "", "/api/v1/session"):
        first = place.call("GET", path)
        assert re.fullmatch('"[0-9a-f]{24}"', first.headers["ETag"]), path
        assert first.headers["Cache-Control"] == "private, no-cache"
        again = place.call("GET", path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.get_data()) == (304, b""), path
    services.models.create(place.actor, place.project, name="second")
    seen = place.call("GET", "/models").headers["ETag"]
    services.models.delete(place.actor, place.project, "second")
    assert place.call("GET", "/models", headers={"If-None-Match": seen}).status_code == 200


def test_a_held_transaction_keeps_what_finished_and_nothing_without_a_commit(opened_database: Any) -> None:
    with db.connection():
        with HeldTransaction(lambda: None) as held:
            assert not held.has_begun
            with db.atomic():
                IdempotentAnswer.create(actor="a", route_hash="r", key="1", encrypted_answer="x")
            with pytest.raises(ZeroDivisionError), db.atomic():
                IdempotentAnswer.create(actor="a", route_hash="r", key="2", encrypted_answer="x")
                raise ZeroDivisionError
            held.commit()
        assert [row.key for row in IdempotentAnswer.select()] == ["1"]
        with HeldTransaction(lambda: None), db.atomic():
            IdempotentAnswer.delete().execute()
        assert IdempotentAnswer.select().count() == 1
        with db.atomic():
            assert db.database.transaction_depth() == 1


@pytest.mark.parametrize("database_kind", ["postgresql"])
def test_of_many_edits_by_several_addresses_of_one_thing_one_goes_through(
    app: Flask, services: Services, place: Place
) -> None:
    organization, slug = place.project.organization.slug, place.project.slug
    services.organizations.edit(place.actor, organization, {"slug": "renamed"})
    addresses = [f"/api/v1/organizations/{one}/projects/{slug}" for one in ("renamed", organization)]
    seen = app.test_client().get(addresses[0], headers=place.headers).headers["ETag"]

    def edit(client: Any, number: int) -> TestResponse:
        headers = {**place.headers, "If-Match": seen}
        answer: TestResponse = client.patch(
            addresses[number % 2], json={"description": f"by {number}"}, headers=headers
        )
        return answer

    assert sorted(answer.status_code for answer in at_once(app, 6, edit)) == [200, 412, 412, 412, 412, 412]


@on_sqlite
def test_no_quick_hash_of_a_password_is_kept(factories: Factories, app: Flask) -> None:
    root = factories.headers(factories.user("root", is_instance_admin=True))
    body = b'{"username": "bob", "password": "Summer2026!!"}'
    headers = {**root, **KEY, "Content-Type": "application/json"}
    assert app.test_client().post("/api/v1/users", data=body, headers=headers).status_code == 201
    row = db.database.execute_sql("SELECT * FROM idempotent_answer").fetchone()
    quick = {hashlib.sha256(text).hexdigest() for text in (body, b"\n" + body)}
    assert not quick & {str(value) for value in row}
    assert app.test_client().post("/api/v1/users", data=body, headers=headers).status_code == 201
