"""Every endpoint of MLflow's: answered, or refused at once in a way that its clients understand."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.factories import Factories
from tests.web.mlflow.conftest import Wire
from tests.web.mlflow.endpoints import ENDPOINTS, HERE

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
APIS = ("api", "ajax-api")


@pytest.fixture
def codes(wire: Wire, client: FlaskClient, factories: Factories) -> dict[tuple[str, ...], set[str]]:
    """What each endpoint answers to a request without its fields: error codes, or "" for none."""
    bound = factories.headers(wire.owner, project=wire.project)
    found: dict[tuple[str, ...], set[str]] = {}
    for endpoint in ENDPOINTS:
        _, method, path = endpoint
        address = re.sub(r"{[^}]+}", "x", path)
        for base, headers in ((wire.prefix, wire.headers), ("", bound)):
            for api in APIS:
                answer = client.open(
                    f"{base}/{api}/{address}",
                    method=method,
                    headers=headers,
                    query_string={"path": "x"} if method == "GET" else {},
                    **({} if method == "GET" else {"json": {}}),
                )
                assert answer.content_type.startswith("application/json"), (base, api, endpoint, answer.data)
                assert answer.status_code in {200, 400, 404, 501}, (base, api, endpoint, answer.get_json())
                found.setdefault(endpoint, set()).add(answer.get_json().get("error_code", ""))
    return found


def test_every_endpoint_is_answered_or_is_not_there(codes: dict[tuple[str, ...], set[str]]) -> None:
    """The same under a project's prefix and on the bare host, for clients and for MLflow's pages."""
    missing = {endpoint for endpoint, answers in codes.items() if "ENDPOINT_NOT_FOUND" in answers}
    assert missing == {endpoint for endpoint in ENDPOINTS if endpoint[0] not in HERE}
    assert all(codes[endpoint] == {"ENDPOINT_NOT_FOUND"} for endpoint in missing)
    optional = {endpoint: answers for endpoint, answers in codes.items() if endpoint[0] == "OPT"}
    assert set(map(frozenset, optional.values())) == {frozenset({"NOT_IMPLEMENTED"})}


OWN_PATHS = [
    ("GET", "version", None),
    ("GET", "health", None),
    ("GET", "api/3.0/mlflow/server-info", None),
    ("GET", "ajax-api/3.0/mlflow/server-info", None),
    ("GET", "get-artifact", "INVALID_PARAMETER_VALUE"),
    ("GET", "model-versions/get-artifact", "INVALID_PARAMETER_VALUE"),
    ("GET", "graphql", "ENDPOINT_NOT_FOUND"),
    ("POST", "graphql", "ENDPOINT_NOT_FOUND"),
]


def test_what_has_a_path_of_its_own(wire: Wire, client: FlaskClient, factories: Factories) -> None:
    bound = factories.headers(wire.owner, project=wire.project)
    for prefix, headers in ((wire.prefix, wire.headers), ("", bound)):
        for method, path, code in OWN_PATHS:
            answer = client.open(f"{prefix}/{path}", method=method, headers=headers)
            found = None if answer.status_code == 200 else answer.get_json()["error_code"]
            assert found == code, (prefix, path)
