"""Every route that changes something says so in the audit log: who, in which request, from where."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from modelyard.core.identity import policy
from modelyard.core.identity.models import User
from modelyard.core.notifications.models import Event
from tests.factories import Factories
from tests.web.test_tenants import Route, callers, names, project, routes

__all__ = ["callers", "names", "project", "routes"]

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
SAFE = ("GET", "HEAD", "OPTIONS")
LOGGED = (
    "/mlflow/runs/log-", "/mlflow/runs/outputs", "/mlflow/runs/set-tag", "/mlflow/runs/delete-tag",
    "/set-experiment-tag", "/delete-experiment-tag", "/mlflow/logged-models/{model_id}/tags",
    "/mlflow/logged-models/{model_id}/params", "/mlflow-artifacts/artifacts/", "/mlflow/traces", "/v1/traces",
    "/mlflow/upload-artifact",
)  # fmt: skip
"""What is logged to runs, traces, experiments and logged models is no event: tracking would drown all else."""
CHANGES_NOTHING = (
    "/search", "/search-datasets", "/get-latest-versions", "/invocations", "/connections/test",
    "/connections/{connection_id}/test", "/webhooks/{webhook_id}/test",
    "/runs/{run_id}/restore", "/mlflow/runs/restore", "/mlflow/model-versions/transition-stage", "/runs/{run_id}",
    "/sessions", "/metrics/sample", "/runs/compare", "/runs/compare/export", "/runs/{run_id}/log", "/runs/restore",
    "{project}/runs/delete",
    "/experiments/{experiment_id}/restore",
)  # fmt: skip
"""What reads or tries out, and what is so already when its turn comes: another route has done the same before."""


def is_recorded(route: Route) -> bool:
    if route.method in SAFE or route.row.is_open:
        return False
    if route.on_wire and any(part in route.path for part in LOGGED):
        return False
    return not route.path.endswith(CHANGES_NOTHING)


def test_every_change_is_recorded_with_its_author_request_and_address(
    factories: Factories, client: FlaskClient, routes: list[Route], names: dict[str, dict[str, str]],
    callers: dict[str, User],
) -> None:  # fmt: skip
    root = factories.user("root-of-audit", is_instance_admin=True)
    seen = 0
    silent = []
    for route in routes:
        if not is_recorded(route):
            continue
        user = root if route.row.permission in policy.INSTANCE_POLICY else callers["owner"]
        headers = {**factories.headers(user), "X-Request-ID": f"request-{seen}"}
        last = Event.select(Event.id).order_by(Event.id.desc()).scalar()
        answer = route.send(client, names["owner"], headers)
        if answer.status_code >= 300:
            assert answer.status_code in route.row.status, f"{route}: {answer.get_data(as_text=True)}"
            continue
        written = list(Event.select().where(Event.id > last))
        told = [(event.actor_id, event.request_id, event.address) for event in written]
        if (user.public_id, f"request-{seen}", "127.0.0.1") not in told:
            silent.append((str(route), told))
        seen += 1
    assert not silent, silent
    assert seen > 40


@pytest.mark.parametrize("path", LOGGED + CHANGES_NOTHING)
def test_no_exception_is_left_over(routes: list[Route], path: str) -> None:
    assert any(path in route.path for route in routes)
