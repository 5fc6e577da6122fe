"""Every route, as everybody: strangers find nothing, small roles change nothing, bad tokens open nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.identity import policy
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.notifications.models import Delivery, Event
from modelyard.core.projects.models import Connection, Project
from modelyard.core.tracking.entities import Metric, NewLoggedModel, NewRun
from modelyard.core.tracking.trace_entities import Assessment, Trace
from modelyard.web.mlflow import router
from tests.factories import Factories, system_owner
from tests.web import tenants
from tests.web.tenants import Row
from tests.web.test_api_schema import operations

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
CALLERS = ("viewer", "editor", "admin", "owner")
RANK = {role: rank for rank, role in enumerate(policy.PROJECT_ROLES)} | {"owner": 2}
OFFICE = {"viewer": "member", "editor": "member", "admin": "admin", "owner": "owner"}
"""The caller's role in the organization; an admin there is one in its projects."""


@dataclass(frozen=True)
class Route:
    """One route with a good request to it."""

    method: str
    path: str
    row: Row
    on_wire: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def send(self, client: FlaskClient, names: dict[str, str], headers: dict[str, str]) -> TestResponse:
        """Send it; `names` fill the braces."""
        names = {**names, **{key: fill(value, names) for key, value in self.row.names.items()}}
        body = fill(self.row.body, names)
        more: dict[str, Any] = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        return client.open(
            fill(self.path, names),
            method=self.method,
            headers=headers,
            query_string=fill(self.row.query, names),
            buffered=True,
            **more,
        )


def fill(value: Any, names: dict[str, str]) -> Any:
    """Put the names into all texts that have braces of ours."""
    if isinstance(value, str) and value != "{}":
        for key, name in names.items():
            value = value.replace(f"{{{key}}}", name)
    elif isinstance(value, dict):
        return {key: fill(inner, names) for key, inner in value.items()}
    elif isinstance(value, list):
        return [fill(inner, names) for inner in value]
    return value


def api_routes(app: Flask) -> Iterator[Route]:
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    for method, path, operation in operations(document):
        yield Route(method.upper(), path, tenants.API.get(operation["operationId"], Row("unknown")))


def wire_routes() -> Iterator[Route]:
    base = "/mlflow/{organization}/{project}/api/2.0"
    for (method, path), row in tenants.WIRE.items():
        whole = f"{base}/mlflow/{path}" if path[:1].isalpha() else f"{base.replace('2.0', path[:3])}/mlflow/{path[4:]}"
        yield Route(method, whole, row, on_wire=True)
    spans = Row("trace.write", body={"resourceSpans": []})
    yield Route("POST", "/mlflow/{organization}/{project}/v1/traces", spans, on_wire=True)
    spans_file = Row("trace.read", query={"request_id": tenants.TRACE})
    yield Route("GET", f"{base}/mlflow/get-trace-artifact", spans_file, on_wire=True)
    for (method, path), row in tenants.FILES.items():
        yield Route(method, f"{base}/mlflow-artifacts/{path}", row, on_wire=True)
    run_file = Row("artifact.read", query={"run_id": tenants.RUN, "path": "a.txt"})
    yield Route("GET", "/mlflow/{organization}/{project}/get-artifact", run_file, on_wire=True)
    version_file = Row("artifact.read", query={**tenants.VERSION, "path": "a.txt"})
    yield Route("GET", "/mlflow/{organization}/{project}/model-versions/get-artifact", version_file, on_wire=True)


def predictions() -> Route:
    row = Row("deployment.predict", names={"deployment": "running-{role}"}, status=(503,))
    return Route("POST", "/serve/{organization}/{project}/{deployment}/invocations", row)


@pytest.fixture
def routes(app: Flask) -> list[Route]:
    """All of them; what destroys comes last."""
    found = [*api_routes(app), *wire_routes(), predictions()]
    return sorted(found, key=lambda route: (route.row.last, route.method == "DELETE", -route.path.count("/")))


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn", local=True)


@pytest.fixture
def callers(services: Services, factories: Factories, project: Project) -> dict[str, User]:
    """Whom the tables speak of, by role, and somebody from elsewhere."""
    owner = system_owner(project)
    admin = factories.user("an-admin")
    services.organizations.set_member(factories.actor(owner), project.organization.slug, admin.username, "admin")
    small = {role: factories.member(project, role) for role in ("viewer", "editor")}
    return {**small, "admin": admin, "owner": owner, "stranger": system_owner(factories.project("churn"))}


def finished_trace(trace_id: str) -> Trace:
    """Make a trace with two tags and an assessment."""
    good = {"name": "good", "kind": "feedback", "value": True, "source_type": "CODE"}
    judged = Assessment(assessment_id="a-1", trace_id=trace_id, created_at_ms=1, updated_at_ms=1, **good)
    return Trace(
        trace_id=trace_id,
        experiment_id="0",
        state="OK",
        start_time_ms=1,
        tags={"one": "1", "two": "2"},
        assessments=[judged],
    )


def failed_delivery(event: Event) -> str:
    """Make a delivery that has failed."""
    told = {"subscriber": "bell", "plugin": "bell", "moment": "run_finished"}
    return str(Delivery.create(event=event, state="failed", **told).public_id)


@pytest.fixture
def names(services: Services, factories: Factories, project: Project, callers: dict[str, User]) -> dict[str, Any]:
    """For each role the names of things of its own."""
    actor = factories.actor(callers["owner"])
    slug = project.organization.slug
    services.models.create(actor, project, name="risk")
    services.model_versions.create(actor, project, "risk", source="mlflow-artifacts:/m")
    for folder in ("files", "m"):
        services.artifacts.write(actor, project, f"{folder}/a.txt", [b"hello"])
    found = {}
    for role in CALLERS:
        made = services.runs.create(actor, project, NewRun(experiment_id="0", user_id="", start_time_ms=1))
        run_id, root = made.info.run_id, made.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        services.runs.log_metric(actor, project, run_id, Metric("loss", 0.5, 1, 0))
        services.artifacts.write(actor, project, f"{root}/a.txt", [b"hello"])
        model = services.logged_models.create(actor, project, NewLoggedModel(experiment_id="0", name="m"))
        root = model.info.artifact_uri.removeprefix("mlflow-artifacts:/")
        services.artifacts.write(actor, project, f"{root}/a.txt", [b"hello"])
        experiment = services.experiments.create(actor, project, name=f"of {role}")
        for trace_id in (f"tr-{role}", f"tr-doomed-{role}"):
            services.traces.start(actor, project, finished_trace(trace_id))
        for name in ("doomed", "doomed-wire", "wire-old", "wire-version"):
            services.models.create(actor, project, name=f"{name}-{role}")
            services.model_versions.create(actor, project, f"{name}-{role}", source="mlflow-artifacts:/m")
        for name in ("running", "stopped", "live"):
            wish = {"model": "risk", "version": "1", "target": "local_process"}
            services.deployments.create(actor, project, name=f"{name}-{role}", **wish)
        services.deployments.stop(actor, project, f"stopped-{role}")
        doomed = services.projects.create(actor, slug, slug=f"doomed-{role}", name="Doomed")
        if role in policy.PROJECT_ROLES:
            services.projects.set_member(actor, doomed, callers[role].username, role)
        wish = {"kind": "notifier", "provider": "log", "settings": {}, "subscriptions": []}
        connection = services.connections.create(actor, project, name=f"log-{role}", **wish)
        project_event = Event.select().where(Event.project == project).first()
        deliveries = [failed_delivery(project_event) for _ in range(2)]
        shared = services.connections.create(actor, project.organization, name=f"shared-{role}", **wish)
        wish |= {"provider": "mlflow_webhook", "settings": {"url": tenants.NOWHERE}, "subscriptions": ["model.*"]}
        hook = services.connections.create(actor, project, name=f"hook-{role}", **wish)
        factories.user(f"joining-{role}")
        for name in ("leaving", "working"):
            member = factories.user(f"{name}-{role}")
            services.organizations.set_member(actor, slug, member.username, "member")
        user_token = factories.token(User.get(User.username == f"leaving-{role}"))
        for name in ("ci", "doomed"):
            services.service_accounts.create(actor, slug, name=f"{name}-{role}")
        wish = {"name": "t", "scopes": ["read"], "project": None, "expires_in_days": None}
        service_token, _ = services.service_accounts.create_token(actor, slug, f"ci-{role}", **wish)
        found[role] = {
            "role": role, "organization": slug, "project": "churn", "username": f"leaving-{role}", "run_id": run_id,
            "model": "risk", "version": "1", "deployment": f"live-{role}", "connection_id": connection.public_id,
            "shared_id": shared.public_id, "webhook_id": hook.public_id,
            "model_id": model.info.model_id, "experiment_id": experiment.experiment_id, "key": "loss",
            "trace_id": f"tr-{role}", "doomed_trace_id": f"tr-doomed-{role}", "assessment_id": "a-1",
            "delivery_id": deliveries[0], "other_delivery_id": deliveries[1], "token_id": "0" * 32, "plugin": "webhook",
            "user_token_id": user_token.split("_")[1],
            "tag_key": "k", "project_id": "f" * 32, "name": f"ci-{role}", "service_token_id": service_token.public_id,
            "organization_id": "f" * 32, "invitation_id": "f" * 32, "token": "t" * 43, "session_id": "0" * 32,
        }  # fmt: skip
    return found


def counted() -> dict[str, Any]:
    """What a refused request must leave as it is."""
    tables = [name for name in database.get_tables() if name not in {"migration", "api_token"}]
    rows = {name: database.execute_sql(f'SELECT count(*) FROM "{name}"').fetchone() for name in tables}
    return {**rows, "connections": [row.enabled for row in Connection.select()]}


def may(role: str, row: Row) -> bool:
    """Whether the policy lets a role do it."""
    if row.permission in policy.PROJECT_POLICY:
        return RANK[role] >= RANK[policy.PROJECT_POLICY[row.permission][0]]
    if row.permission in policy.ORGANIZATION_POLICY:
        order = policy.ORGANIZATION_ROLES
        return order.index(OFFICE[role]) >= order.index(policy.ORGANIZATION_POLICY[row.permission][0])
    return row.permission not in policy.INSTANCE_POLICY


def test_every_route_is_in_the_tables(app: Flask) -> None:
    document = app.test_client().get("/api/v1/openapi.json").get_json()
    assert {operation["operationId"] for _, _, operation in operations(document)} == set(tenants.API)
    assert set(router.paths()) == set(tenants.WIRE)


@pytest.mark.usefixtures("app")
def test_every_permission_of_the_tables_is_the_policys() -> None:
    known = {**policy.PROJECT_POLICY, **policy.ORGANIZATION_POLICY, **policy.INSTANCE_POLICY, **policy.ACCOUNT_POLICY}
    rows = [*tenants.API.values(), *tenants.WIRE.values(), *tenants.FILES.values()]
    assert {row.permission for row in rows} - {""} <= set(known)


def test_anonymous_is_asked_to_sign_in(client: FlaskClient, routes: list[Route], names: dict[str, Any]) -> None:
    before = counted()
    for route in routes:
        if not route.row.is_open:
            answer = route.send(client, names["admin"], {})
            assert answer.status_code == 401, str(route)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert counted() == before


def bad_tokens(services: Services, factories: Factories, owner: User) -> Iterator[str]:
    expired, revoked, gone = factories.token(owner, expires_in_days=1), factories.token(owner), factories.token(owner)
    ApiToken.update(expires_at_ms=1).where(ApiToken.public_id == expired.split("_")[1]).execute()
    services.tokens.revoke(factories.actor(owner), revoked.split("_")[1])
    yield from (expired, revoked, gone[:-1])


def test_tokens_that_are_no_longer_good_open_nothing(
    services: Services, factories: Factories, client: FlaskClient, routes: list[Route], names: dict[str, Any],
    callers: dict[str, User],
) -> None:  # fmt: skip
    before = counted()
    for token in bad_tokens(services, factories, callers["owner"]):
        before = counted()
        for route in routes:
            answer = route.send(client, names["owner"], {"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, str(route)
    assert counted() == before


def told(answer: TestResponse, *hidden: str) -> str:
    """The body without the request's id, with the names that the caller gave made alike."""
    body = json.dumps({key: value for key, value in answer.get_json().items() if key != "request_id"})
    for name in hidden:
        body = body.replace(name, "IT")
    return body


def test_a_stranger_cannot_tell_what_is_there(
    factories: Factories, client: FlaskClient, routes: list[Route], names: dict[str, Any], callers: dict[str, User]
) -> None:
    there = names["admin"]
    ghosts = dict.fromkeys(("model", "deployment", "username", "key", "tag_key", "experiment_id"), "777")
    ghosts |= {"run_id": "f" * 32, "connection_id": "f" * 32, "model_id": "m-" + "f" * 32, "role": "ghost"}
    ghosts |= {"trace_id": "tr-none", "doomed_trace_id": "tr-none", "assessment_id": "a-none"}
    ghosts |= {"delivery_id": "f" * 32, "other_delivery_id": "f" * 32, "shared_id": "f" * 32}
    headers = factories.headers(callers["stranger"])
    before = counted()
    count = 0
    for route in routes:
        if "{organization}" not in route.path:
            continue
        answers = [
            route.send(client, there, headers),
            route.send(client, {**there, **ghosts}, headers),
            route.send(client, {**there, "project": "no-such"}, headers),
            route.send(client, {**there, "organization": "no-such"}, headers),
        ]
        assert [answer.status_code for answer in answers] == [404] * 4, str(route)
        given = (there["organization"], "no-such", "churn", "doomed-admin", "doomed-ghost")
        assert len({told(answer, *given) for answer in answers}) == 1, str(route)
        assert told(answers[0], *given[3:]) == told(answers[1], *given[3:])
        count += 1
    assert count > 110
    assert counted() == before


def test_a_member_without_a_role_in_the_project_is_a_stranger_to_it(
    services: Services, factories: Factories, client: FlaskClient, routes: list[Route], names: dict[str, Any],
    callers: dict[str, User], project: Project,
) -> None:  # fmt: skip
    member = factories.user()
    services.organizations.set_member(
        factories.actor(callers["owner"]), project.organization.slug, member.username, "member"
    )
    headers = factories.headers(member)
    for route in routes:
        if "{project}" in route.path:
            answers = [
                route.send(client, {**names["admin"], "project": slug}, headers) for slug in ("churn", "no-such")
            ]
            assert [answer.status_code for answer in answers] == [404, 404], str(route)
            assert told(answers[0], "churn", "no-such") == told(answers[1], "churn", "no-such")


def test_roles_may_what_the_policy_says(
    factories: Factories, client: FlaskClient, routes: list[Route], names: dict[str, Any], callers: dict[str, User]
) -> None:
    headers = {role: factories.headers(callers[role]) for role in CALLERS}
    before = counted()
    for route in routes:
        for role in CALLERS:
            if not route.row.is_open and not may(role, route.row):
                answer = route.send(client, names[role], headers[role])
                assert answer.status_code == 403, f"{role}: {route}"
                assert (
                    "needs the role" in answer.get_data(as_text=True) or route.row.permission in policy.INSTANCE_POLICY
                )
    assert counted() == before
    for route in routes:
        for role in CALLERS:
            if not route.row.is_open and may(role, route.row):
                answer = route.send(client, names[role], headers[role])
                assert answer.status_code in route.row.status, f"{role}: {route}: {answer.get_data(as_text=True)}"


def test_writes_are_no_viewers(routes: list[Route]) -> None:
    reads = {"GET", "HEAD"}
    searches = ("/search", "/search-datasets", "/get-latest-versions", "/invocations", "/batchGetInfos", "/metrics")
    searches += ("-correlation", "/sample", "/compare", "/compare/export")
    for route in routes:
        row = route.row
        if row.last:
            continue  # leaving is everybody's own affair
        if "{project}" in route.path and route.method not in reads and not route.path.endswith(searches):
            assert not may("viewer", row), str(route)
            assert row.needed_scope != "read", str(route)
        elif "{organization}" in route.path and route.method not in reads and "{project}" not in route.path:
            assert not may("viewer", row), str(route)


def test_a_token_needs_the_scope(
    factories: Factories, client: FlaskClient, routes: list[Route], names: dict[str, Any], callers: dict[str, User]
) -> None:
    root = factories.user(is_instance_admin=True)
    without = {scope: [other for other in policy.SCOPES if other != scope] for scope in policy.SCOPES}
    tokens = {
        user.id: {scope: factories.headers(user, scopes=others) for scope, others in without.items()}
        for user in (callers["owner"], root)
    }
    kept = counted()
    count = 0
    for route in routes:
        needed = route.row.needed_scope
        if not needed:
            continue
        user = root if route.row.permission in policy.INSTANCE_POLICY else callers["owner"]
        answer = route.send(client, names["owner"], tokens[user.id][needed])
        assert answer.status_code == 403, f"{needed}: {route}: {answer.get_data(as_text=True)}"
        assert needed in answer.get_data(as_text=True)
        count += 1
    assert count > 110
    assert counted() == kept


def test_a_token_of_another_project_opens_nothing_here(
    services: Services, factories: Factories, client: FlaskClient, routes: list[Route], names: dict[str, Any],
    callers: dict[str, User], project: Project,
) -> None:  # fmt: skip
    owner = callers["owner"]
    other = services.projects.create(factories.actor(owner), project.organization.slug, slug="other", name="Other")
    headers = factories.headers(owner, project=other)
    before = counted()
    for route in routes:
        if "{organization}" in route.path:
            assert route.send(client, names["owner"], headers).status_code == 404, str(route)
    assert counted() == before
