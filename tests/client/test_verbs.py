from __future__ import annotations

from typing import Any

import pytest

from modelyard.client import Client, Project
from tests.fake_api import PROJECT, FakeApi


def _project(client: Client) -> Project:
    return client.project("acme", "churn")


# fmt: off
VERBS = [
    (lambda c: c.session.options(), "GET", "/api/v1/sign-in-options", None),
    (lambda c: c.tokens.revoke("t1"), "DELETE", "/api/v1/tokens/t1", None),
    (lambda c: c.organizations.get("acme"), "GET", "/api/v1/organizations/acme", None),
    (lambda c: c.organizations.create("acme", owner="ada"), "POST", "/api/v1/organizations",
     {"slug": "acme", "name": "acme", "owner": "ada"}),
    (lambda c: c.organizations.members("acme").set("bo", "admin"), "PUT", "/api/v1/organizations/acme/members/bo",
     {"role": "admin"}),
    (lambda c: c.organizations.members("acme").remove("bo"), "DELETE", "/api/v1/organizations/acme/members/bo", None),
    (lambda c: c.projects.create("acme", "churn", name="Churn"), "POST", "/api/v1/organizations/acme/projects",
     {"slug": "churn", "name": "Churn"}),
    (lambda c: c.plugins.get("log"), "GET", "/api/v1/plugins/log", None),
    (lambda c: c.plugins.block("s3", reason="leaks"), "POST", "/api/v1/plugins/s3/block",
     {"reason": "leaks", "force": False}),
    (lambda c: c.plugins.unblock("s3"), "DELETE", "/api/v1/plugins/s3/block", None),
    (lambda c: _project(c).get(), "GET", PROJECT, None),
    (lambda c: _project(c).edit(archived=False, name="N"), "PATCH", PROJECT, {"archived": False, "name": "N"}),
    (lambda c: _project(c).members.set("bo", "viewer"), "PUT", f"{PROJECT}/members/bo", {"role": "viewer"}),
    (lambda c: _project(c).connections.get("c1"), "GET", f"{PROJECT}/connections/c1", None),
    (lambda c: _project(c).connections.create("notifier", "webhook", "hook", {"url": "u"}, subscriptions=["model.*"]),
     "POST", f"{PROJECT}/connections",
     {"kind": "notifier", "provider": "webhook", "name": "hook", "settings": {"url": "u"},
      "subscriptions": ["model.*"]}),
    (lambda c: _project(c).connections.edit("c1", enabled=False), "PATCH", f"{PROJECT}/connections/c1",
     {"enabled": False}),
    (lambda c: _project(c).connections.delete("c1"), "DELETE", f"{PROJECT}/connections/c1", None),
    (lambda c: _project(c).connections.test("c1"), "POST", f"{PROJECT}/connections/c1/test", None),
    (lambda c: _project(c).connections.try_out("storage", "s3", {}), "POST", f"{PROJECT}/connections/test",
     {"kind": "storage", "provider": "s3", "settings": {}}),
    (lambda c: _project(c).runs.get("r1"), "GET", f"{PROJECT}/runs/r1", None),
    (lambda c: _project(c).runs.delete("r1"), "DELETE", f"{PROJECT}/runs/r1", None),
    (lambda c: _project(c).runs.restore("r1"), "POST", f"{PROJECT}/runs/r1/restore", None),
    (lambda c: _project(c).create_experiment("e"), "POST", f"{PROJECT}/experiments", {"name": "e"}),
    (lambda c: _project(c).members.remove("bo"), "DELETE", f"{PROJECT}/members/bo", None),
    (lambda c: _project(c).models.get("risk"), "GET", f"{PROJECT}/models/risk", None),
    (lambda c: _project(c).models.get("a b/ü"), "GET", f"{PROJECT}/models/a b/ü", None),
    (lambda c: _project(c).models.create("risk", tags={"a": "b"}), "POST", f"{PROJECT}/models",
     {"name": "risk", "tags": {"a": "b"}}),
    (lambda c: _project(c).models.edit("risk", name="r"), "PATCH", f"{PROJECT}/models/risk", {"name": "r"}),
    (lambda c: _project(c).models.delete("risk"), "DELETE", f"{PROJECT}/models/risk", None),
    (lambda c: _project(c).models.version("risk", 3), "GET", f"{PROJECT}/models/risk/versions/3", None),
    (lambda c: _project(c).models.create_version("risk", "runs:/r/m", run_id="r"), "POST",
     f"{PROJECT}/models/risk/versions", {"source": "runs:/r/m", "run_id": "r"}),
    (lambda c: _project(c).models.edit_version("risk", 3, description="d"), "PATCH",
     f"{PROJECT}/models/risk/versions/3", {"description": "d"}),
    (lambda c: _project(c).models.delete_version("risk", 3), "DELETE", f"{PROJECT}/models/risk/versions/3", None),
    (lambda c: _project(c).models.promote("risk", 3, "Production", reason="ok", archive_existing=False), "POST",
     f"{PROJECT}/models/risk/versions/3/promote",
     {"stage": "Production", "reason": "ok", "archive_existing": False}),
    (lambda c: _project(c).deployments.create("live", "risk", 3, environment={"A": "1"}), "POST",
     f"{PROJECT}/deployments", {"name": "live", "model": "risk", "version": "3", "environment": {"A": "1"}}),
    (lambda c: _project(c).deployments.edit("live", version="champion", replicas=0), "PATCH",
     f"{PROJECT}/deployments/live", {"version": "champion", "replicas": 0}),
    (lambda c: _project(c).deployments.delete("live"), "DELETE", f"{PROJECT}/deployments/live", None),
    (lambda c: _project(c).deployments.stop("live"), "POST", f"{PROJECT}/deployments/live/stop", None),
    (lambda c: _project(c).deployments.start("live"), "POST", f"{PROJECT}/deployments/live/start", None),
    (lambda c: _project(c).deployments.rollback("live"), "POST", f"{PROJECT}/deployments/live/rollback", {}),
    (lambda c: _project(c).deployments.rollback("live", 2), "POST", f"{PROJECT}/deployments/live/rollback",
     {"revision": 2}),
    (lambda c: _project(c).deployments.logs("live", lines=5), "GET", f"{PROJECT}/deployments/live/logs", None),
]
LISTS = [
    (lambda c: c.tokens.list(), "/api/v1/tokens"),
    (lambda c: c.organizations.list(), "/api/v1/organizations"),
    (lambda c: c.organizations.members("acme").list(), "/api/v1/organizations/acme/members"),
    (lambda c: c.projects.list("acme"), "/api/v1/organizations/acme/projects"),
    (lambda c: c.plugins.list(), "/api/v1/plugins"),
    (lambda c: c.plugins.providers(), "/api/v1/providers"),
    (lambda c: _project(c).members.list(), f"{PROJECT}/members"),
    (lambda c: _project(c).connections.list(), f"{PROJECT}/connections"),
    (lambda c: _project(c).experiments(), f"{PROJECT}/experiments"),
    (lambda c: _project(c).events(), f"{PROJECT}/events"),
    (lambda c: _project(c).deliveries(), f"{PROJECT}/deliveries"),
    (lambda c: _project(c).runs.metric_history("r1", "train/loss"), f"{PROJECT}/runs/r1/metrics/train/loss"),
    (lambda c: _project(c).models.versions("risk"), f"{PROJECT}/models/risk/versions"),
    (lambda c: _project(c).models.stage_changes("risk"), f"{PROJECT}/models/risk/stage-changes"),
    (lambda c: _project(c).deployments.list(), f"{PROJECT}/deployments"),
    (lambda c: _project(c).deployments.revisions("live"), f"{PROJECT}/deployments/live/revisions"),
]
# fmt: on


@pytest.mark.parametrize(("verb", "method", "path", "body"), VERBS)
def test_verbs(api: FakeApi, client: Client, verb: Any, method: str, path: str, body: Any) -> None:
    api.put(method, path, {"items": []})
    verb(client)
    assert (api.last.method, api.last.path) == (method, path)
    assert (api.last.json if api.last.body else None) == body


@pytest.mark.parametrize(("verb", "path"), LISTS)
def test_lists(api: FakeApi, client: Client, verb: Any, path: str) -> None:
    api.page(path, [{"id": "1"}])
    assert list(verb(client)) == [{"id": "1"}]
