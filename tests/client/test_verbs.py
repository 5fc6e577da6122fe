from __future__ import annotations

from typing import Any

import pytest

from modelyard.client import Client, Connections, Project, ServiceAccounts
from tests.fake_api import PROJECT, FakeApi

ACCOUNTS = "/api/v1/organizations/acme/service-accounts"


def _project(client: Client) -> Project:
    return client.project("acme", "churn")


SHARED = "/api/v1/organizations/acme/connections"


def _shared(client: Client) -> Connections:
    return client.organizations.connections("acme")


def _accounts(client: Client) -> ServiceAccounts:
    return client.organizations.service_accounts("acme")


# fmt: off
VERBS = [
    (lambda c: c.account.set_password("old", "new"), "PUT", "/api/v1/account/password",
     {"current_password": "old", "password": "new"}),
    (lambda c: c.account.end_session("s1"), "DELETE", "/api/v1/account/sessions/s1", None),
    (lambda c: c.account.end_other_sessions(), "DELETE", "/api/v1/account/sessions", None),
    (lambda c: c.account.reset_password("link", "new"), "POST", "/api/v1/password-resets/link", {"password": "new"}),
    (lambda c: c.account.set_up("link", "ada", "new", email="a@b"), "POST", "/api/v1/setup/link",
     {"username": "ada", "password": "new", "email": "a@b"}),
    (lambda c: c.users.get("ada"), "GET", "/api/v1/users/ada", None),
    (lambda c: c.users.create("ada", email="a@b"), "POST", "/api/v1/users", {"username": "ada", "email": "a@b"}),
    (lambda c: c.users.edit("ada", disabled=True), "PATCH", "/api/v1/users/ada", {"disabled": True}),
    (lambda c: c.users.delete("ada"), "DELETE", "/api/v1/users/ada", None),
    (lambda c: c.users.end_sessions("ada"), "DELETE", "/api/v1/users/ada/sessions", None),
    (lambda c: c.users.revoke_token("ada", "t1"), "DELETE", "/api/v1/users/ada/tokens/t1", None),
    (lambda c: c.users.create_password_link("ada"), "POST", "/api/v1/users/ada/password-reset", None),
    (lambda c: _accounts(c).get("ci"), "GET", f"{ACCOUNTS}/ci", None),
    (lambda c: _accounts(c).create("ci", display_name="d"), "POST", ACCOUNTS, {"name": "ci", "display_name": "d"}),
    (lambda c: _accounts(c).edit("ci", disabled=True), "PATCH", f"{ACCOUNTS}/ci", {"disabled": True}),
    (lambda c: _accounts(c).delete("ci"), "DELETE", f"{ACCOUNTS}/ci", None),
    (lambda c: _accounts(c).create_token("ci", "t", ["write", "read"], project="churn"), "POST",
     f"{ACCOUNTS}/ci/tokens", {"name": "t", "scopes": ["read", "write"], "project": "churn"}),
    (lambda c: _accounts(c).revoke_token("ci", "t1"), "DELETE", f"{ACCOUNTS}/ci/tokens/t1", None),
    (lambda c: c.session.options(), "GET", "/api/v1/sign-in-options", None),
    (lambda c: c.tokens.revoke("t1"), "DELETE", "/api/v1/tokens/t1", None),
    (lambda c: c.organizations.get("acme"), "GET", "/api/v1/organizations/acme", None),
    (lambda c: c.organizations.create("acme", owner="ada"), "POST", "/api/v1/organizations",
     {"slug": "acme", "name": "acme", "owner": "ada"}),
    (lambda c: c.organizations.members("acme").set("bo", "admin"), "PUT", "/api/v1/organizations/acme/members/bo",
     {"role": "admin"}),
    (lambda c: c.organizations.members("acme").remove("bo"), "DELETE", "/api/v1/organizations/acme/members/bo", None),
    (lambda c: c.invitations.get("t1"), "GET", "/api/v1/invitations/t1", None),
    (lambda c: c.invitations.accept("t1"), "POST", "/api/v1/invitations/t1/accept", {}),
    (lambda c: c.invitations.accept("t1", username="ada", password="p"), "POST", "/api/v1/invitations/t1/accept",
     {"username": "ada", "password": "p"}),
    (lambda c: c.organizations.invitations("acme").create("member", project="churn", project_role="viewer",
                                                          expires_in_days=3), "POST",
     "/api/v1/organizations/acme/invitations",
     {"role": "member", "project": "churn", "project_role": "viewer", "expires_in_days": 3}),
    (lambda c: c.organizations.invitations("acme").revoke("i1"), "DELETE",
     "/api/v1/organizations/acme/invitations/i1", None),
    (lambda c: c.organizations.edit("acme", slug="b", name="B"), "PATCH", "/api/v1/organizations/acme",
     {"slug": "b", "name": "B"}),
    (lambda c: c.organizations.transfer("acme", "bo", keep_role=None), "POST", "/api/v1/organizations/acme/transfer",
     {"username": "bo", "keep_role": None}),
    (lambda c: c.organizations.members("acme").leave(), "POST", "/api/v1/organizations/acme/leave", None),
    (lambda c: c.organizations.delete("acme", confirm="acme"), "DELETE", "/api/v1/organizations/acme", None),
    (lambda c: c.organizations.restore("o1", slug="b"), "POST", "/api/v1/organizations/o1/restore", {"slug": "b"}),
    (lambda c: c.projects.delete("acme", "churn", confirm="churn"), "DELETE", PROJECT, None),
    (lambda c: c.projects.restore("acme", "p1"), "POST", "/api/v1/organizations/acme/projects/p1/restore", {}),
    (lambda c: _project(c).changes("x"), "GET", f"{PROJECT}/changes", None),
    (lambda c: _project(c).usage(), "GET", f"{PROJECT}/usage", None),
    (lambda c: _project(c).members.leave(), "POST", f"{PROJECT}/leave", None),
    (lambda c: _project(c).edit(slug="b", quotas={"max_runs": None}), "PATCH", PROJECT,
     {"slug": "b", "quotas": {"max_runs": None}}),
    (lambda c: c.projects.create("acme", "churn", name="Churn"), "POST", "/api/v1/organizations/acme/projects",
     {"slug": "churn", "name": "Churn"}),
    (lambda c: c.plugins.get("log"), "GET", "/api/v1/plugins/log", None),
    (lambda c: c.plugins.block("log", "it leaks"), "POST", "/api/v1/plugins/log/block",
     {"reason": "it leaks", "force": False}),
    (lambda c: c.plugins.unblock("log"), "DELETE", "/api/v1/plugins/log/block", None),
    (lambda c: _shared(c).create("notifier", "log", "all", {}), "POST", SHARED,
     {"kind": "notifier", "provider": "log", "name": "all", "settings": {}}),
    (lambda c: _shared(c).get("c1"), "GET", f"{SHARED}/c1", None),
    (lambda c: _shared(c).edit("c1", enabled=False), "PATCH", f"{SHARED}/c1", {"enabled": False}),
    (lambda c: _shared(c).delete("c1"), "DELETE", f"{SHARED}/c1", None),
    (lambda c: _shared(c).test("c1"), "POST", f"{SHARED}/c1/test", None),
    (lambda c: _shared(c).health("c1"), "GET", f"{SHARED}/c1/health", None),
    (lambda c: _shared(c).try_out("notifier", "log", {}), "POST", f"{SHARED}/test",
     {"kind": "notifier", "provider": "log", "settings": {}}),
    (lambda c: _project(c).connections.health("c1"), "GET", f"{PROJECT}/connections/c1/health", None),
    (lambda c: _project(c).audit.delivery("d1"), "GET", f"{PROJECT}/deliveries/d1", None),
    (lambda c: _project(c).audit.redeliver("d1"), "POST", f"{PROJECT}/deliveries/d1/redeliver", None),
    (lambda c: list(_project(c).audit.export_events("csv")), "GET", f"{PROJECT}/events/export", None),
    (lambda c: c.organizations.audit("acme").delivery("d1"), "GET", "/api/v1/organizations/acme/deliveries/d1", None),
    (lambda c: c.organizations.audit("acme").redeliver("d1"), "POST",
     "/api/v1/organizations/acme/deliveries/d1/redeliver", None),
    (lambda c: list(c.organizations.audit("acme").export_events()), "GET", "/api/v1/organizations/acme/events/export",
     None),
    (lambda c: list(c.audit.export_events()), "GET", "/api/v1/events/export", None),
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
    (lambda c: _project(c).connections.test("c1", settings={"a": 1}), "POST", f"{PROJECT}/connections/c1/test",
     {"settings": {"a": 1}}),
    (lambda c: _project(c).connections.try_out("storage", "s3", {}), "POST", f"{PROJECT}/connections/test",
     {"kind": "storage", "provider": "s3", "settings": {}}),
    (lambda c: _project(c).runs.get("r1"), "GET", f"{PROJECT}/runs/r1", None),
    (lambda c: _project(c).runs.delete("r1"), "DELETE", f"{PROJECT}/runs/r1", None),
    (lambda c: _project(c).traces.get("tr-1"), "GET", f"{PROJECT}/traces/tr-1", None),
    (lambda c: _project(c).traces.delete("tr-1"), "DELETE", f"{PROJECT}/traces/tr-1", None),
    (lambda c: _project(c).runs.restore("r1"), "POST", f"{PROJECT}/runs/r1/restore", None),
    (lambda c: _project(c).runs.purge("r1"), "POST", f"{PROJECT}/runs/r1/purge", None),
    (lambda c: _project(c).experiments.purge("1"), "POST", f"{PROJECT}/experiments/1/purge", None),
    (lambda c: _project(c).runs.create(name="r", tags={"a": "b"}), "POST", f"{PROJECT}/runs",
     {"name": "r", "tags": {"a": "b"}}),
    (lambda c: _project(c).runs.edit("r1", note="n", tags={"a": None}), "PATCH", f"{PROJECT}/runs/r1",
     {"note": "n", "tags": {"a": None}}),
    (lambda c: _project(c).runs.log("r1", metrics=[{"key": "m", "value": 1.5}], params={"p": "1"}), "POST",
     f"{PROJECT}/runs/r1/log", {"metrics": [{"key": "m", "value": 1.5}], "params": {"p": "1"}}),
    (lambda c: _project(c).runs.delete_many(["r1", "r2"]), "POST", f"{PROJECT}/runs/delete",
     {"run_ids": ["r1", "r2"]}),
    (lambda c: _project(c).runs.restore_many(["r1"]), "POST", f"{PROJECT}/runs/restore", {"run_ids": ["r1"]}),
    (lambda c: _project(c).runs.tag_many(["r1"], {"a": None}), "POST", f"{PROJECT}/runs/tags",
     {"run_ids": ["r1"], "tags": {"a": None}}),
    (lambda c: _project(c).runs.metric_tails("r1", ["a", "b"], after="x"), "GET", f"{PROJECT}/runs/r1/metric-tails",
     None),
    (lambda c: list(_project(c).runs.export_metric("r1", "a/b", "ndjson", since="s")), "GET",
     f"{PROJECT}/runs/r1/metric-export", None),
    (lambda c: _project(c).runs.sample(["r1"], ["m"], x="wall_time", since="s"), "POST", f"{PROJECT}/metrics/sample",
     {"run_ids": ["r1"], "keys": ["m"], "x": "wall_time", "from": "s"}),
    (lambda c: _project(c).runs.compare(["r1", "r2"], {"auc": "max"}), "POST", f"{PROJECT}/runs/compare",
     {"run_ids": ["r1", "r2"], "directions": {"auc": "max"}}),
    (lambda c: list(_project(c).runs.export_compared(["r1"], "json", columns=["name"])), "POST",
     f"{PROJECT}/runs/compare/export", {"run_ids": ["r1"], "format": "json", "columns": ["name"]}),
    (lambda c: list(_project(c).runs.export("csv", columns=["name"], filter="x")), "GET", f"{PROJECT}/runs/export",
     None),
    (lambda c: _project(c).experiments.create("e", note="n"), "POST", f"{PROJECT}/experiments",
     {"name": "e", "note": "n"}),
    (lambda c: _project(c).experiments.get("1"), "GET", f"{PROJECT}/experiments/1", None),
    (lambda c: _project(c).experiments.edit("1", name="f"), "PATCH", f"{PROJECT}/experiments/1", {"name": "f"}),
    (lambda c: _project(c).experiments.delete("1"), "DELETE", f"{PROJECT}/experiments/1", None),
    (lambda c: _project(c).experiments.restore("1"), "POST", f"{PROJECT}/experiments/1/restore", None),
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
    (lambda c: c.account.sessions(), "/api/v1/account/sessions"),
    (lambda c: c.users.list(q="ada"), "/api/v1/users"),
    (lambda c: c.users.tokens("ada"), "/api/v1/users/ada/tokens"),
    (lambda c: _accounts(c).list(), ACCOUNTS),
    (lambda c: _accounts(c).tokens("ci"), f"{ACCOUNTS}/ci/tokens"),
    (lambda c: c.tokens.list(), "/api/v1/tokens"),
    (lambda c: c.organizations.list(), "/api/v1/organizations"),
    (lambda c: c.organizations.invitations("acme").list(), "/api/v1/organizations/acme/invitations"),
    (lambda c: c.organizations.members("acme").list(), "/api/v1/organizations/acme/members"),
    (lambda c: c.projects.list("acme"), "/api/v1/organizations/acme/projects"),
    (lambda c: c.plugins.list(), "/api/v1/plugins"),
    (lambda c: _shared(c).list(), SHARED),
    (lambda c: c.plugins.providers(), "/api/v1/providers"),
    (lambda c: _project(c).members.list(), f"{PROJECT}/members"),
    (lambda c: _project(c).connections.list(), f"{PROJECT}/connections"),
    (lambda c: _project(c).experiments.list(), f"{PROJECT}/experiments"),
    (lambda c: c.audit.events(), "/api/v1/events"),
    (lambda c: c.organizations.audit("acme").events(), "/api/v1/organizations/acme/events"),
    (lambda c: c.organizations.audit("acme").deliveries(), "/api/v1/organizations/acme/deliveries"),
    (lambda c: _project(c).audit.events(), f"{PROJECT}/events"),
    (lambda c: _project(c).audit.deliveries(), f"{PROJECT}/deliveries"),
    (lambda c: _project(c).traces.list(filter="f", order_by="o"), f"{PROJECT}/traces"),
    (lambda c: _project(c).runs.metrics("r1", prefix="train/"), f"{PROJECT}/runs/r1/metrics"),
    (lambda c: _project(c).runs.metric_history("r1", "train/loss"), f"{PROJECT}/runs/r1/metrics/train/loss"),
    (lambda c: _project(c).models.versions("risk"), f"{PROJECT}/models/risk/versions"),
    (lambda c: _project(c).models.stage_changes("risk"), f"{PROJECT}/models/risk/stage-changes"),
    (lambda c: _project(c).deployments.list(), f"{PROJECT}/deployments"),
    (lambda c: _project(c).deployments.revisions("live"), f"{PROJECT}/deployments/live/revisions"),
]
# fmt: on


@pytest.mark.parametrize(("verb", "method", "path", "body"), VERBS)
def test_verbs(api: FakeApi, client: Client, verb: Any, method: str, path: str, body: Any) -> None:
    api.put(method, path, {"items": [], "changed_count": 1})
    verb(client)
    assert (api.last.method, api.last.path) == (method, path)
    assert (api.last.json if api.last.body else None) == body


@pytest.mark.parametrize(("verb", "path"), LISTS)
def test_lists(api: FakeApi, client: Client, verb: Any, path: str) -> None:
    api.page(path, [{"id": "1"}])
    assert list(verb(client)) == [{"id": "1"}]


def test_lists_of_tenants_are_asked_for_by_what_is_wanted(client: Client, api: FakeApi) -> None:
    place = "/api/v1/organizations"
    api.page(place, [])
    api.page(f"{place}/acme/projects", [])
    for listed, query in [
        (client.organizations.list(q="a b"), {"q": "a b"}),
        (client.organizations.list(deleted=True), {"deleted": "true"}),
        (client.organizations.list(every=True), {"all": "true"}),
        (client.projects.list("acme", archived=False, q="x"), {"archived": "false", "q": "x"}),
        (client.projects.list("acme", deleted=True), {"deleted": "true"}),
    ]:
        assert list(listed) == []
        assert api.last.query == {"limit": "200", **query}
