"""The API's description: valid, complete, and true. schemathesis sends what it allows and what it forbids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings, strategies
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from modelyard.core.bootstrap import Services
from modelyard.core.projects.models import Connection, Project
from modelyard.core.tracking.entities import Metric, NewRun
from modelyard.core.tracking.models import Run
from modelyard.core.tracking.trace_entities import Trace
from tests.factories import Factories, system_owner

pytestmark = [
    pytest.mark.parametrize("database_kind", ["sqlite"]),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
DOCUMENT = "/api/v1/openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
METHODS = ("get", "post", "put", "patch", "delete")
FEW = settings(
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    response = client.get(DOCUMENT)
    assert response.status_code == 200
    return dict(response.get_json())


def test_the_document_is_openapi_31(app: Flask, document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    schemathesis.openapi.from_wsgi(DOCUMENT, app).validate()
    assert set(document["components"]["securitySchemes"]) == {"token", "cookie"}


def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    found = list(operations(document))
    assert len(found) > 50
    assert [path for _, path, operation in found if not operation.get("summary", "").endswith(".")] == []
    names = [operation["operationId"] for _, _, operation in found]
    assert len(set(names)) == len(names)


def test_every_operation_says_how_it_can_fail(document: dict[str, Any]) -> None:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for method, path, operation in operations(document):
        answers = operation["responses"]
        for status, answer in answers.items():
            if status == "default" or int(status) >= 400:
                name = answer["$ref"].removeprefix("#/components/responses/")
                assert document["components"]["responses"][name]["content"] == problem, (path, status)
        expected = {"401", "422", "default"}
        expected |= {"404"} if "{" in path else set()
        expected |= {"400", "413", "415"} if "requestBody" in operation else set()
        expected |= {"409"} if method != "get" and "/projects/" in path else set()
        assert expected <= set(answers), (method, path)


def test_every_route_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    import re

    documented = {(path, method) for method, path, _ in operations(document)}
    routed = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.rule != DOCUMENT
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routed == documented


@pytest.fixture
def place(services: Services, factories: Factories) -> Project:
    """A project in which each thing is there, so that requests get past its address."""
    project: Project = factories.project("churn", local=True)
    owner = factories.actor(system_owner(project))
    run = services.runs.create(owner, project, NewRun(experiment_id="0", user_id="", start_time_ms=1))
    services.runs.log_metric(owner, project, run.info.run_id, Metric("loss", 0.5, 1, 0))
    path = run.info.artifact_uri.removeprefix("mlflow-artifacts:/")
    services.artifacts.write(owner, project, f"{path}/a.txt", [b"hello"])
    services.traces.start(owner, project, Trace(trace_id="tr-1", experiment_id="0", state="OK", start_time_ms=1))
    services.models.create(owner, project, name="risk", tags={"a": "b"})
    services.model_versions.create(owner, project, "risk", source=f"runs:/{run.info.run_id}/model")
    services.deployments.create(owner, project, name="live", model="risk", version="1", target="local_process")
    services.connections.create(owner, project, name="log", kind="notifier", provider="log", settings={})
    return project


@pytest.fixture
def names(place: Project) -> dict[str, Any]:
    """What stands in the addresses of what is there."""
    return {
        "organization": place.organization.slug,
        "project": place.slug,
        "username": system_owner(place).username,
        "run_id": Run.get().public_id,
        "trace_id": "tr-1",
        "experiment_id": "0",
        "key": "loss",
        "model": "risk",
        "version": 1,
        "deployment": "live",
        "connection_id": Connection.get().public_id,
        "plugin": "webhook",
    }


def destruction(operation: schemathesis.APIOperation) -> tuple[bool, bool]:
    """Order by what is left for the others."""
    return operation.method == "patch" and operation.path.endswith("/{project}"), operation.method == "delete"


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_it_answers_as_it_says(
    factories: Factories, app: Flask, place: Project, names: dict[str, Any], mode: GenerationMode
) -> None:
    config = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})
    schema = schemathesis.openapi.from_wsgi(DOCUMENT, app, config=config)
    headers = factories.headers(system_owner(place))
    failures: list[str] = []
    statuses: Counter[int] = Counter()
    for operation in sorted((result.ok() for result in schema.get_all_operations()), key=destruction):
        known = {key: value for key, value in names.items() if f"{{{key}}}" in operation.path}
        if known:
            send(operation.as_strategy(mode, path_parameters=known), 5, headers, statuses, failures)
        if not known or mode is GenerationMode.POSITIVE:
            send(operation.as_strategy(mode), 2 if known else 5, headers, statuses, failures)
    assert not failures, "\n\n".join(failures[:20]) + f"\n\n{len(failures)} in all"
    assert statuses[422] > 20
    assert statuses[200] > 50 or mode is GenerationMode.NEGATIVE


def send(
    cases: strategies.SearchStrategy[Any],
    count: int,
    headers: dict[str, str],
    statuses: Counter[int],
    failures: list[str],
) -> None:
    """Send some of the cases and note every answer that the document does not allow."""

    @settings(FEW, max_examples=count)
    @given(case=cases)
    def each(case: schemathesis.Case) -> None:
        response = case.call(headers=headers)
        statuses[response.status_code] += 1
        said = f"{case.method} {case.formatted_path} {case.query!r:.300} {case.body!r:.600}\n{response.text:.600}"
        if response.status_code >= 500 or str(response.status_code) not in case.operation.definition.raw["responses"]:
            failures.append(f"{response.status_code} is not documented: {said}")
        try:
            case.validate_response(response, checks=CHECKS, headers=headers)
        except (Failure, FailureGroup) as error:
            failures.append(f"{said}\n{error!s:.800}")

    with suppress(Unsatisfiable):  # there is nothing wrong that could be sent
        each()
