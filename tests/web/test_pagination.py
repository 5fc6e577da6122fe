"""Lists page by page: every row once, whatever comes and goes meanwhile, and no cursor but the list's own."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from modelyard.core.bootstrap import Services
from modelyard.core.identity.models import User
from modelyard.core.tracking.trace_entities import Trace
from tests.factories import Factories
from tests.web.conftest import Place
from tests.web.test_problems import problem

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])


def walk(place: Place, path: str, key: str, *, meanwhile: Callable[[int], Any] = lambda page: None) -> list[Any]:
    """Follow the `Link` headers; `meanwhile` is called after each page."""
    found: list[Any] = []
    address, page = path, 0
    while True:
        answer = place.call("GET", address)
        assert answer.status_code == 200, answer.get_json()
        body = answer.get_json()
        found += [item[key] for item in body["items"]]
        link = re.fullmatch(r'<(.*)>; rel="next"', answer.headers.get("Link", ""))
        assert (link is None) == (body["next_cursor"] is None)
        if link is None:
            return found
        address = link[1]
        meanwhile(page := page + 1)


def test_every_row_comes_once_while_others_are_made(services: Services, place: Place) -> None:
    names = ["b", "d", "f", "h", "Q", "ü", "漢", "_", "a b", "z%"]
    for name in names:
        services.models.create(place.actor, place.project, name=name)

    def meddle(page: int) -> None:
        services.models.create(place.actor, place.project, name=f"aa{page}")
        services.models.create(place.actor, place.project, name=f"zz{page}")
        if page == 2:
            services.models.delete(place.actor, place.project, "z%")

    found = walk(place, "/models?limit=3", "name", meanwhile=meddle)
    assert len(set(found)) == len(found)
    assert set(names) - {"z%"} <= set(found)
    assert found == [item for item in walk(place, "/models?limit=200", "name") if item in found]


def test_newest_first_shows_no_later_ones_and_repeats_none(services: Services, place: Place) -> None:
    for number in range(7):
        services.models.create(place.actor, place.project, name=f"m{number}")
    first = walk(place, "/events?limit=100", "id")
    found = walk(
        place, "/events?limit=2", "id",
        meanwhile=lambda page: services.models.create(place.actor, place.project, name=f"late{page}"),
    )  # fmt: skip
    assert found == first


LISTS = [
    "/api/v1/tokens", "/api/v1/organizations", "ORG/members", "ORG/projects", "/members", "/connections", "/models",
    "/models/risk/versions", "/models/risk/stage-changes", "/deployments", "/deployments/live/revisions", "/events",
    "/deliveries", "/experiments", "/runs", "/traces",
]  # fmt: skip


@pytest.fixture
def filled(services: Services, factories: Factories, place: Place) -> Place:
    """Three rows in (nearly) every list."""
    organization, actor, project = place.project.organization.slug, place.actor, place.project
    for number in range(3):
        factories.token(place.user)
        factories.organization(f"other-{number}", owner=place.user)
        factories.member(project, "viewer")
        services.projects.create(actor, organization, slug=f"p{number}", name="P")
        services.connections.create(actor, project, name=f"c{number}", kind="notifier", provider="log", settings={})
        services.experiments.create(actor, project, name=f"e{number}")
        services.models.create(actor, project, name=f"m{number}")
        trace = Trace(trace_id=f"tr-{number}", experiment_id="0", state="OK", start_time_ms=number)
        services.traces.start(actor, project, trace)
    services.models.create(actor, project, name="risk")
    for number in range(1, 4):
        services.model_versions.create(actor, project, "risk", source="mlflow-artifacts:/m")
        services.model_versions.promote(actor, project, "risk", number, stage="Staging")
    return place


@on_sqlite
def test_every_list_is_walked_page_by_page(filled: Place) -> None:
    for path in LISTS:
        address = path.replace("ORG", f"/api/v1/organizations/{filled.project.organization.slug}")
        if "/deployments/" in address:
            continue
        keys = {"/members": "username", "ORG/members": "username", "/models/risk/stage-changes": "changed_at"}
        key = keys.get(path, "id")
        whole = walk(filled, f"{address}?limit=200", key)
        assert walk(filled, f"{address}?limit=1", key) == whole, path
        assert len(whole) >= 3 or path in {"/deployments", "/runs"}, path


def list_operations(document: Any) -> dict[str, list[dict[str, Any]]]:
    """The parameters of each list by its address."""
    return {
        path: operations["get"]["parameters"]
        for path, operations in document["paths"].items()
        if any(parameter.get("name") == "cursor" for parameter in operations.get("get", {}).get("parameters", ()))
    }


IN_PROJECT = "/api/v1/organizations/{organization}/projects/{project}"
EXPERIMENTS, RUNS, TRACES = f"{IN_PROJECT}/experiments", f"{IN_PROJECT}/runs", f"{IN_PROJECT}/traces"
"""Lists that are searched in MLflow's filter language."""
METRICS = f"{IN_PROJECT}/runs/{{run_id}}/metrics"
HISTORY = f"{METRICS}/{{key}}"
"""Lists whose order is their meaning."""


@on_sqlite
def test_every_list_can_be_sorted_and_searched(app: Flask) -> None:
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    lists = list_operations(document)
    assert len(lists) > 12
    for word, others in (("order_by", []), ("q", [RUNS, TRACES])):
        lacking = [path for path, known in lists.items() if not any(one.get("name") == word for one in known)]
        assert sorted(lacking) == sorted([*others, METRICS, HISTORY])


def test_every_list_is_walked_in_every_order(filled: Place, app: Flask) -> None:
    User.update(is_instance_admin=True).where(User.id == filled.user.id).execute()
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    walked = 0
    for path, known in list_operations(document).items():
        address = path.replace("{organization}", filled.project.organization.slug)
        address = address.replace("{project}", filled.project.slug).replace("{model}", "risk")
        orders = [one["schema"].get("enum") for one in known if one.get("name") == "order_by"]
        if "{" in address or not orders or orders[0] is None:
            continue
        if filled.call("GET", address).status_code == 403:
            continue  # a list of the instance administrators'
        for order in orders[0]:
            query = f"order_by={quote(order)}"
            whole = walk_rows(filled, f"{address}?{query}&limit=200")
            assert walk_rows(filled, f"{address}?{query}&limit=2") == whole, (path, order)
            name, _, direction = order.partition(" ")
            if name in (whole[0] if whole else {}) and not isinstance(whole[0][name], bool):
                values = [row[name] or "" for row in whole]
                if all(re.fullmatch("[a-z0-9T:.Z-]*", str(value)) for value in values):
                    assert values == sorted(values, reverse=bool(direction)), (path, order)
            walked += 1
    assert walked > 30


def walk_rows(place: Place, address: str) -> list[Any]:
    """Follow the cursors and return whole rows."""
    found: list[Any] = []
    cursor = ""
    while cursor is not None:
        body = place.call("GET", f"{address}&cursor={quote(cursor)}" if cursor else address).get_json()
        found += body["items"]
        cursor = body["next_cursor"]
    return found


def test_a_list_is_searched_and_filtered(services: Services, place: Place) -> None:
    for name, description in (("risk", ""), ("churn", "of Risk"), ("100%", ""), ("100x", "")):
        services.models.create(place.actor, place.project, name=name, description=description)

    def names(query: str) -> list[str]:
        return [item["name"] for item in place.call("GET", f"/models?{query}").get_json()["items"]]

    assert names("q=RISK") == ["churn", "risk"]
    assert names("q=100%25") == ["100%"]
    assert names("q=nothing") == []
    assert names("q=risk&order_by=name%20desc&limit=1") == ["risk"]
    for number in range(3):
        services.model_versions.create(place.actor, place.project, "risk", source="mlflow-artifacts:/m")
        services.model_versions.promote(place.actor, place.project, "risk", number + 1, stage="Staging")
    found = place.call("GET", "/models/risk/versions?stage=Staging").get_json()["items"]
    assert [item["version"] for item in found] == [3]


@on_sqlite
def test_a_cursor_of_another_order_is_refused(filled: Place) -> None:
    cursor = filled.call("GET", "/models?limit=1&order_by=created_at").get_json()["next_cursor"]
    assert filled.call("GET", f"/models?order_by=created_at&cursor={cursor}").status_code == 200
    for other in ("", "&order_by=name", "&order_by=created_at%20desc"):
        problem(filled.call("GET", f"/models?cursor={cursor}{other}"), 422, "invalid_input")
    problem(filled.call("GET", "/models?order_by=created_at%20asc"), 422, "invalid_input")


def encoded(position: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


@on_sqlite
def test_a_cursor_of_another_list_is_refused(filled: Place, factories: Factories) -> None:
    own = {
        path: filled.call("GET", f"{path}?limit=1").get_json()["next_cursor"]
        for path in ("/models", "/events", "/connections", "/models/risk/versions", "/experiments", "/deliveries")
    }
    assert all(own.values())
    for path in own:
        for other, cursor in own.items():
            answer = filled.call("GET", f"{path}?cursor={quote(cursor)}")
            if path == other:
                assert answer.status_code == 200
            else:
                problem(answer, 422, "invalid_input")
    second = factories.project(owner=filled.user)
    elsewhere = f"/api/v1/organizations/{second.organization.slug}/projects/{second.slug}/models"
    problem(filled.call("GET", f"{elsewhere}?cursor={quote(own['/models'])}"), 422, "invalid_input")


def test_a_cursor_that_is_made_up_is_refused(filled: Place) -> None:
    for path, good in (("/models", "a"), ("/events", 1)):
        cursor = filled.call("GET", f"{path}?limit=1").get_json()["next_cursor"]
        name = json.loads(base64.urlsafe_b64decode(cursor + "=="))[0]
        assert filled.call("GET", f"{path}?cursor={encoded([name, good])}").status_code == 200
        made_up = [
            "x", "!!!", "=", "AAAA", "漢", encoded(5), encoded("a"), encoded(None), encoded([good]),
            encoded([name, None]), encoded([name, True]), encoded([name, 1.5]), encoded([name, [good]]),
            encoded({name: good}),
            encoded([name, 10**30]), encoded([name, -(10**30)]), encoded([name, "a\0"]), encoded([name, "\ud800"]),
            encoded(["other", good]), encoded([name, good, good]), cursor[:-3], cursor + "AAAA",
            base64.urlsafe_b64encode(b"[" * 5000).decode(), base64.urlsafe_b64encode(b"9" * 5000).decode(),
        ]  # fmt: skip
        for wrong in made_up:
            answer = filled.call("GET", path, query_string={"cursor": wrong})
            assert set(problem(answer, 422, "invalid_input")["errors"]) == {"cursor"}, wrong


@on_sqlite
@pytest.mark.parametrize("name", ["漢字", "ü b", "a%b?c#d&e"])
def test_a_link_leads_on_whatever_the_name(services: Services, place: Place, name: str) -> None:
    services.models.create(place.actor, place.project, name=name)
    for _ in range(3):
        services.model_versions.create(place.actor, place.project, name, source="mlflow-artifacts:/m")
    assert walk(place, f"/models/{quote(name, safe='')}/versions?limit=2", "version") == [3, 2, 1]
