from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli import output
from tests.cli.answers import CONNECTION, DEPLOYMENT, MODEL, PLUGIN, PROJECT_ITEM, RUN, TIME, VERSION
from tests.cli.conftest import AsJson, Ok, Run
from tests.cli.tree import LEAVES
from tests.fake_api import PROJECT, Answer, FakeApi

ACCOUNTS = "/api/v1/organizations/acme/service-accounts"

# Each list: command, path, one item, words of its table.
LISTS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("organizations list", "/api/v1/organizations", {"slug": "acme", "name": "Acme", "role": "owner"}, ["acme"]),
    ("organizations members list acme", "/api/v1/organizations/acme/members", {"username": "bo"}, ["bo"]),
    (
        "organizations invitations list acme",
        "/api/v1/organizations/acme/invitations",
        {"id": "i1", "state": "open", "role": "member", "email": "bo@x"},
        ["i1", "open", "bo@x"],
    ),
    ("projects list --organization acme", "/api/v1/organizations/acme/projects", PROJECT_ITEM, ["acme/churn"]),
    ("projects members list", f"{PROJECT}/members", {"username": "bo", "role": "viewer"}, ["bo", "viewer"]),
    ("tokens list", "/api/v1/tokens", {"id": "t1", "name": "ci", "scopes": ["read", "write"]}, ["read, write"]),
    ("users list --search ada", "/api/v1/users", {"username": "ada", "kind": "person"}, ["ada", "person"]),
    ("users tokens list ada", "/api/v1/users/ada/tokens", {"id": "t1", "prefix": "my_01"}, ["my_01"]),
    ("account sessions list", "/api/v1/account/sessions", {"id": "s1", "address": "192.0.2.1"}, ["s1", "192.0.2.1"]),
    ("service-accounts list acme", ACCOUNTS, {"name": "ci", "username": "ci@acme"}, ["ci@acme"]),
    ("service-accounts tokens list acme ci", f"{ACCOUNTS}/ci/tokens", {"id": "t1", "prefix": "my_01"}, ["my_01"]),
    ("plugins list", "/api/v1/plugins", PLUGIN, ["failed", "No module named boto3"]),
    (
        "plugins list",
        "/api/v1/plugins",
        {**PLUGIN, "hold": {"reason": "5 lies", "by": "quarantine", "since": TIME, "until": TIME}},
        ["quarantine", "5 lies (quarantine, since"],
    ),
    ("plugins providers", "/api/v1/providers", {"kind": "storage", "name": "s3", "title": "S3"}, ["storage", "S3"]),
    ("connections list", f"{PROJECT}/connections", CONNECTION, ["hook", "url=https://x"]),
    ("experiments list", f"{PROJECT}/experiments", {"id": "0", "name": "Default"}, ["Default"]),
    ("experiments list --counts", f"{PROJECT}/experiments", {"id": "0", "name": "Default", "runs_count": 7}, ["7"]),
    ("runs list", f"{PROJECT}/runs", RUN, ["bold-fox", "Default", "auc=0.91, loss=NaN", "2026-01-02 03:04:05Z"]),
    ("models list", f"{PROJECT}/models", MODEL, ["risk", "Production=3", "champion=3"]),
    ("models versions risk", f"{PROJECT}/models/risk/versions", VERSION, ["Production", "READY"]),
    (
        "models history risk",
        f"{PROJECT}/models/risk/stage-changes",
        {"version": 3, "from_stage": "None", "to_stage": "Production", "actor": "ada", "reason": "better"},
        ["Production", "better"],
    ),
    ("deployments list", f"{PROJECT}/deployments", DEPLOYMENT, ["live", "0/2", "pending"]),
    (
        "deployments revisions live",
        f"{PROJECT}/deployments/live/revisions",
        {"number": 2, "model": "risk", "version": 3, "note": "rolled back to 1"},
        ["rolled back to 1"],
    ),
    (
        "events list",
        f"{PROJECT}/events",
        {"action": "model.created", "actor": {"name": "ada"}, "object": {"kind": "model", "name": "risk"}},
        ["model.created", "ada", "risk"],
    ),
    (
        "events list --organization acme",
        "/api/v1/organizations/acme/events",
        {"action": "model.created", "actor": {"name": "ada"}, "organization": "acme", "project": "churn"},
        ["acme/churn", "ada"],
    ),
    (
        "events list --instance",
        "/api/v1/events",
        {"action": "user.created", "actor": {"name": "ada"}, "address": "10.0.0.9"},
        ["user.created", "10.0.0.9"],
    ),
    (
        "deliveries list --organization acme",
        "/api/v1/organizations/acme/deliveries",
        {"action": "model.created", "subscriber": "hook", "state": "done"},
        ["hook", "done"],
    ),
    (
        "deliveries list",
        f"{PROJECT}/deliveries",
        {"action": "model.created", "subscriber": "hook", "state": "failed", "last_error": "refused"},
        ["hook", "refused"],
    ),
]
SHOWS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("users show ada", "/api/v1/users/ada", {"username": "ada", "email": "a@b", "disabled": True}, ["a@b", "yes"]),
    ("service-accounts show acme ci", f"{ACCOUNTS}/ci", {"name": "ci", "username": "ci@acme"}, ["ci@acme"]),
    ("organizations show acme", "/api/v1/organizations/acme", {"slug": "acme", "name": "Acme"}, ["Acme"]),
    ("projects show", PROJECT, PROJECT_ITEM, ["MLflow address", "/mlflow/acme/churn"]),
    ("projects show acme/churn", PROJECT, PROJECT_ITEM, ["acme/churn"]),
    (
        "projects usage",
        f"{PROJECT}/usage",
        {
            "runs": 7,
            "deployments": 1,
            "artifact_bytes": 2048,
            "quotas": {"max_runs": 9, "max_deployments": None, "max_artifact_bytes": 3 * 1024**3},
        },
        ["Runs at most", "7", "9", "Artifacts", "2.0 KiB", "3.0 GiB"],
    ),
    ("plugins show s3", "/api/v1/plugins/s3", PLUGIN, ["pip install boto3"]),
    (
        "plugins show s3",
        "/api/v1/plugins/s3",
        {
            **PLUGIN,
            "hold": {"reason": "it leaks", "by": "ada", "since": TIME, "until": None},
            "calls": [{"operation": "send", "outcome": "ok", "count": 3}],
            "breakers": [{"connection": "c1", "reason": "no route"}],
            "last_failures": [{"at": TIME, "operation": "send", "error": "no route"}],
        },
        ["it leaks (ada, since 2026-01-02 03:04:05Z)", "send ok 3", "c1: no route", "05Z send: no route"],
    ),
    ("runs show r1", f"{PROJECT}/runs/r1", RUN, ["depth=4"]),
    ("experiments show 1", f"{PROJECT}/experiments/1", {"id": "1", "name": "trees", "runs_count": 7}, ["trees", "7"]),
    ("models show risk", f"{PROJECT}/models/risk", MODEL, ["champion=3"]),
    ("models version risk 3", f"{PROJECT}/models/risk/versions/3", VERSION, ["runs:/r1/model"]),
    (
        "deliveries show d1",
        f"{PROJECT}/deliveries/d1",
        {
            "id": "d1",
            "subscriber": "hook",
            "state": "failed",
            "log": [{"started_at": TIME, "duration_seconds": 0.25, "outcome": "refused", "error": "404: gone"}],
        },
        ["hook", "failed", "refused", "404: gone", "0.25"],
    ),
    ("deployments show live", f"{PROJECT}/deployments/live", DEPLOYMENT, ["0 starting (loading)", "/serve/"]),
]
# Each change: command, method, path, the body that must be sent, the answer.
CHANGES: list[tuple[str, str, str, Any, Any]] = [
    (
        "users create ada --email a@b --admin",
        "POST",
        "/api/v1/users",
        {"username": "ada", "email": "a@b", "is_instance_admin": True},
        {"password_link": None},
    ),
    ("users edit ada --no-admin --email=", "PATCH", "/api/v1/users/ada", {"is_instance_admin": False, "email": ""}, {}),
    ("users disable ada", "PATCH", "/api/v1/users/ada", {"disabled": True}, {}),
    ("users enable ada", "PATCH", "/api/v1/users/ada", {"disabled": False}, {}),
    ("service-accounts create acme ci --description d", "POST", ACCOUNTS, {"name": "ci", "display_name": "d"}, {}),
    ("service-accounts edit acme ci --description d", "PATCH", f"{ACCOUNTS}/ci", {"display_name": "d"}, {}),
    ("service-accounts disable acme ci", "PATCH", f"{ACCOUNTS}/ci", {"disabled": True}, {}),
    ("service-accounts enable acme ci", "PATCH", f"{ACCOUNTS}/ci", {"disabled": False}, {}),
    (
        "plugins block s3 --reason leaks --force",
        "POST",
        "/api/v1/plugins/s3/block",
        {"reason": "leaks", "force": True},
        PLUGIN,
    ),
    ("organizations create acme --name Acme", "POST", "/api/v1/organizations", {"slug": "acme", "name": "Acme"}, {}),
    (
        "organizations members set acme bo admin",
        "PUT",
        "/api/v1/organizations/acme/members/bo",
        {"role": "admin"},
        {},
    ),
    (
        "projects create acme/churn --description d",
        "POST",
        "/api/v1/organizations/acme/projects",
        {"slug": "churn", "name": "churn", "description": "d"},
        {},
    ),
    (
        "projects edit acme/churn --allow-local-deployments --name N",
        "PATCH",
        PROJECT,
        {"allow_local_deployments": True, "name": "N"},
        {},
    ),
    ("organizations edit acme --name B", "PATCH", "/api/v1/organizations/acme", {"name": "B"}, {}),
    ("organizations rename acme b", "PATCH", "/api/v1/organizations/acme", {"slug": "b"}, {}),
    (
        "organizations transfer acme bo --keep-role none",
        "POST",
        "/api/v1/organizations/acme/transfer",
        {"username": "bo", "keep_role": None},
        {},
    ),
    (
        "organizations invitations accept https://x.example/invitations/t1",
        "POST",
        "/api/v1/invitations/t1/accept",
        {},
        {"organization": "acme"},
    ),
    ("projects rename acme/churn b", "PATCH", PROJECT, {"slug": "b"}, {}),
    (
        "projects edit acme/churn --max-runs 5 --max-deployments none --max-artifact-bytes 7000000",
        "PATCH",
        PROJECT,
        {"quotas": {"max_runs": 5, "max_deployments": None, "max_artifact_bytes": 7_000_000}},
        {},
    ),
    ("projects archive acme/churn", "PATCH", PROJECT, {"archived": True}, {}),
    ("projects restore acme/churn", "PATCH", PROJECT, {"archived": False}, {}),
    ("experiments create boosting", "POST", f"{PROJECT}/experiments", {"name": "boosting"}, {"id": "1"}),
    (
        "experiments edit 1 --name b --note n --tag a=b --remove-tag c",
        "PATCH",
        f"{PROJECT}/experiments/1",
        {"name": "b", "note": "n", "tags": {"a": "b", "c": None}},
        {"id": "1"},
    ),
    ("experiments restore 1", "POST", f"{PROJECT}/experiments/1/restore", None, {"id": "1"}),
    (
        "runs create --experiment 1 --name a --parent r0 --tag a=b",
        "POST",
        f"{PROJECT}/runs",
        {"experiment_id": "1", "name": "a", "parent_run_id": "r0", "tags": {"a": "b"}},
        RUN,
    ),
    (
        "runs edit r1 --status finished --remove-tag a",
        "PATCH",
        f"{PROJECT}/runs/r1",
        {"status": "FINISHED", "tags": {"a": None}},
        RUN,
    ),
    (
        "deliveries redeliver d1",
        "POST",
        f"{PROJECT}/deliveries/d1/redeliver",
        None,
        {"id": "d1", "subscriber": "hook"},
    ),
    (
        "deliveries redeliver d1 --organization acme",
        "POST",
        "/api/v1/organizations/acme/deliveries/d1/redeliver",
        None,
        {"id": "d1", "subscriber": "hook"},
    ),
    ("runs restore r1", "POST", f"{PROJECT}/runs/r1/restore", None, RUN),
    ("projects members set bo viewer", "PUT", f"{PROJECT}/members/bo", {"role": "viewer"}, {}),
    (
        "models create risk --tag team=a=b",
        "POST",
        f"{PROJECT}/models",
        {"name": "risk", "tags": {"team": "a=b"}},
        MODEL,
    ),
    ("models edit risk --name danger", "PATCH", f"{PROJECT}/models/risk", {"name": "danger"}, MODEL),
    (
        "models register risk --source runs:/r1/model --run r1",
        "POST",
        f"{PROJECT}/models/risk/versions",
        {"source": "runs:/r1/model", "run_id": "r1"},
        VERSION,
    ),
    (
        "models describe risk 3 --description d",
        "PATCH",
        f"{PROJECT}/models/risk/versions/3",
        {"description": "d"},
        VERSION,
    ),
    (
        "models promote risk 3 --stage production --reason better",
        "POST",
        f"{PROJECT}/models/risk/versions/3/promote",
        {"stage": "Production", "reason": "better"},
        VERSION,
    ),
    (
        "models promote risk 3 --stage Staging --keep-existing",
        "POST",
        f"{PROJECT}/models/risk/versions/3/promote",
        {"stage": "Staging", "archive_existing": False},
        VERSION,
    ),
    (
        "deployments create live --model risk --version champion --env A=1 --ready-within 60",
        "POST",
        f"{PROJECT}/deployments",
        {
            "name": "live",
            "model": "risk",
            "version": "champion",
            "target": "local_process",
            "replicas": 1,
            "environment": {"A": "1"},
            "ready_within_seconds": 60,
        },
        DEPLOYMENT,
    ),
    ("deployments edit live --version 4", "PATCH", f"{PROJECT}/deployments/live", {"version": "4"}, DEPLOYMENT),
    ("deployments scale live 0", "PATCH", f"{PROJECT}/deployments/live", {"replicas": 0}, DEPLOYMENT),
    ("deployments stop live", "POST", f"{PROJECT}/deployments/live/stop", None, DEPLOYMENT),
    ("deployments start live", "POST", f"{PROJECT}/deployments/live/start", None, DEPLOYMENT),
    ("deployments rollback live", "POST", f"{PROJECT}/deployments/live/rollback", {}, DEPLOYMENT),
    (
        "deployments rollback live --revision 1",
        "POST",
        f"{PROJECT}/deployments/live/rollback",
        {"revision": 1},
        DEPLOYMENT,
    ),
]


@pytest.mark.parametrize(("command", "path", "item", "words"), LISTS, ids=[case[0] for case in LISTS])
def test_lists(
    signed_in: FakeApi, ok: Ok, as_json: AsJson, command: str, path: str, item: dict[str, Any], words: list[str]
) -> None:
    signed_in.page(path, [item])
    text = ok(*command.split())
    assert all(word in text for word in words), text
    assert as_json(*command.split()) == [item]


@pytest.mark.parametrize(("command", "path"), [case[:2] for case in LISTS], ids=[case[0] for case in LISTS])
def test_an_empty_list_says_what_to_do_next(
    signed_in: FakeApi, run: Run, as_json: AsJson, command: str, path: str
) -> None:
    signed_in.page(path, [])
    result = run(*command.split())
    assert (result.exit_code, result.stdout) == (0, "")
    named = re.findall("`(modelyard [^`]+)`", result.stderr)
    assert named, result.stderr
    assert all(any(f"{line} ".startswith(f"{leaf} ") for leaf in LEAVES) for line in named), named
    assert as_json(*command.split()) == []


@pytest.mark.parametrize(("command", "path", "item", "words"), SHOWS, ids=[case[0] for case in SHOWS])
def test_shows(
    signed_in: FakeApi, ok: Ok, as_json: AsJson, command: str, path: str, item: dict[str, Any], words: list[str]
) -> None:
    signed_in.put("GET", path, item)
    text = ok(*command.split())
    assert all(word in text for word in words), text
    assert as_json(*command.split()) == item


@pytest.mark.parametrize(("command", "method", "path", "body", "answer"), CHANGES, ids=[case[0] for case in CHANGES])
def test_changes(
    signed_in: FakeApi, ok: Ok, as_json: AsJson, command: str, method: str, path: str, body: Any, answer: Any
) -> None:
    signed_in.put(method, path, answer)
    assert ok(*command.split()).rstrip().endswith((".", "back."))
    assert (signed_in.last.json if signed_in.last.body else None) == body
    assert as_json(*command.split()) == answer


@pytest.mark.parametrize(
    ("command", "path", "typed"),
    [
        ("users delete ada", "/api/v1/users/ada", "ada"),
        ("service-accounts delete acme ci", f"{ACCOUNTS}/ci", "ci"),
        ("models delete risk", f"{PROJECT}/models/risk", "risk"),
        ("models delete-version risk 3", f"{PROJECT}/models/risk/versions/3", "risk/3"),
        ("deployments delete live", f"{PROJECT}/deployments/live", "live"),
        ("connections delete hook", f"{PROJECT}/connections/c1", "hook"),
        ("runs delete r1", f"{PROJECT}/runs/r1", "y"),
        ("experiments delete 1", f"{PROJECT}/experiments/1", "y"),
        ("projects members remove bo", f"{PROJECT}/members/bo", "y"),
        ("organizations members remove acme bo", "/api/v1/organizations/acme/members/bo", "y"),
    ],
)
def test_deletions_ask(signed_in: FakeApi, run: Run, command: str, path: str, typed: str) -> None:
    signed_in.page(f"{PROJECT}/connections", [CONNECTION])
    signed_in.put("DELETE", path, Answer(204))
    for stdin in ("n\n", ""):
        assert run(*command.split(), stdin=stdin).exit_code != 0
    assert not [asked for asked in signed_in.asked if asked.method == "DELETE"]
    assert run(*command.split(), stdin=typed + "\n").exit_code == 0
    assert run(*command.split(), "--yes").exit_code == 0
    assert [asked.path for asked in signed_in.asked if asked.method == "DELETE"] == [path, path]


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("runs purge r1", f"{PROJECT}/runs/r1/purge"),
        ("experiments purge 1", f"{PROJECT}/experiments/1/purge"),
    ],
)
def test_purges_ask(signed_in: FakeApi, run: Run, command: str, path: str) -> None:
    signed_in.put("POST", path, Answer(202))
    assert run(*command.split(), stdin="n\n").exit_code != 0
    assert signed_in.asked == []
    assert run(*command.split(), stdin="y\n").exit_code == 0
    assert "is being removed" in run(*command.split(), "--yes").stdout
    assert [(asked.method, asked.path) for asked in signed_in.asked] == [("POST", path)] * 2


def test_tables_of_every_list_are_drawn_on_a_terminal(
    signed_in: FakeApi, ok: Ok, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    for command, path, item, _ in LISTS:
        signed_in.page(path, [item])
        assert "─" in ok(*command.split())


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("models list", f"{PROJECT}/models"),
        ("deployments list", f"{PROJECT}/deployments"),
        ("connections list", f"{PROJECT}/connections"),
        ("projects members list", f"{PROJECT}/members"),
        ("tokens list", "/api/v1/tokens"),
        ("users list", "/api/v1/users"),
        ("organizations members list acme", "/api/v1/organizations/acme/members"),
        ("organizations invitations list acme", "/api/v1/organizations/acme/invitations"),
        ("service-accounts list acme", "/api/v1/organizations/acme/service-accounts"),
    ],
)
def test_lists_are_sorted_and_searched(signed_in: FakeApi, ok: Ok, command: str, path: str) -> None:
    signed_in.page(path, [])
    ok(*command.split(), "--sort", "created_at desc", "--search", "risk", "--limit", "5")
    assert signed_in.last.query == {"order_by": "created_at desc", "q": "risk", "limit": "6"}


class TestProjects:
    def test_all_organizations_are_listed(self, signed_in: FakeApi, as_json: AsJson) -> None:
        signed_in.page("/api/v1/organizations", [{"slug": "a"}, {"slug": "b"}])
        signed_in.page("/api/v1/organizations/a/projects", [{"slug": "one"}])
        signed_in.page("/api/v1/organizations/b/projects", [{"slug": "two"}])
        assert [project["slug"] for project in as_json("projects", "list")] == ["one", "two"]

    def test_without_an_organization_it_says_how_to_come_into_one(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page("/api/v1/organizations", [])
        result = run("projects", "list")
        assert (result.exit_code, result.stdout) == (0, "")
        assert "`modelyard organizations create SLUG`" in result.stderr

    @pytest.mark.parametrize(("slugs", "place"), [(["a"], "a"), (["a", "b"], "ORG")])
    def test_without_a_project_it_says_how_to_make_one(
        self, signed_in: FakeApi, run: Run, slugs: list[str], place: str
    ) -> None:
        signed_in.page("/api/v1/organizations", [{"slug": slug} for slug in slugs])
        for slug in slugs:
            signed_in.page(f"/api/v1/organizations/{slug}/projects", [])
        assert f"`modelyard projects create {place}/PROJECT`" in run("projects", "list").stderr

    def test_storage_is_named_by_its_connection(self, signed_in: FakeApi, ok: Ok) -> None:
        signed_in.page(f"{PROJECT}/connections", [CONNECTION])
        signed_in.put("PATCH", PROJECT, PROJECT_ITEM)
        ok("projects", "edit", "acme/churn", "--storage", "hook")
        assert signed_in.last.json == {"storage_connection_id": "c1"}

    @pytest.mark.parametrize(("named", "sent"), [("hook", "c1"), ("own", None)])
    def test_a_tracker_is_named_by_its_connection(
        self, signed_in: FakeApi, ok: Ok, named: str, sent: str | None
    ) -> None:
        signed_in.page(f"{PROJECT}/connections", [CONNECTION])
        signed_in.put("PATCH", PROJECT, PROJECT_ITEM)
        ok("projects", "edit", "acme/churn", "--tracker", named, "--confirm", "churn")
        assert signed_in.last.json == {"tracker_connection_id": sent, "confirm": "churn"}

    def test_a_project_is_made_with_its_tracker(self, signed_in: FakeApi, ok: Ok, run: Run, tmp_path: Path) -> None:
        signed_in.put("POST", "/api/v1/organizations/acme/projects", PROJECT_ITEM)
        (tmp_path / "token").write_text("s3cret\n")
        settings = ("--set", "tracking_uri=https://mlflow", "--secret", f"token=@{tmp_path}/token")
        ok("projects", "create", "acme/churn", "--tracker", "mlflow", *settings)
        sent = {"provider": "mlflow", "settings": {"tracking_uri": "https://mlflow", "token": "s3cret"}}
        assert signed_in.last.json == {"slug": "churn", "name": "churn", "tracker": sent}
        assert run("projects", "create", "acme/churn", "--set", "a=b").exit_code == 2

    @pytest.mark.parametrize("reference", ["churn", "/churn", "acme/", "a/b/c"])
    def test_a_project_is_two_words(self, signed_in: FakeApi, run: Run, reference: str) -> None:
        assert run("projects", "create", reference).exit_code == 2
        assert signed_in.asked == []


class TestDeletion:
    GONE = {"id": "p1", "slug": "churn", "organization": "acme", "deleted_at": "2026-01-01T00:00:00Z"}

    @pytest.mark.parametrize(
        ("command", "path", "item"),
        [
            ("projects delete acme/churn", PROJECT, {"slug": "churn", "organization": "acme"}),
            ("organizations delete churn", "/api/v1/organizations/churn", {"slug": "churn"}),
        ],
    )
    def test_asks_for_the_slug(self, signed_in: FakeApi, run: Run, command: str, path: str, item: Any) -> None:
        signed_in.put("GET", path, item)
        signed_in.put("DELETE", path, Answer(204))
        for words, stdin in (
            (command.split(), "acme\n"),
            (command.split(), ""),
            ([*command.split(), "--confirm", "x"], ""),
        ):
            assert run(*words, stdin=stdin).exit_code != 0
        assert {asked.method for asked in signed_in.asked} == {"GET"}
        assert run(*command.split(), stdin="churn\n").exit_code == 0
        assert (signed_in.last.method, signed_in.last.query) == ("DELETE", {"confirm": "churn"})
        assert "restore" in run(*command.split(), "--confirm", "churn").stdout

    def test_what_was_deleted_last_of_a_slug_is_restored(self, signed_in: FakeApi, ok: Ok) -> None:
        place = "/api/v1/organizations/acme/projects"
        older = {**self.GONE, "id": "p0", "deleted_at": "2025-01-01T00:00:00Z"}
        signed_in.problem("PATCH", PROJECT, 404, "not_found", "There is no project.")
        signed_in.page(place, [older, self.GONE])
        signed_in.put("POST", f"{place}/p1/restore", {"slug": "churn"})
        assert ok("projects", "restore", "acme/churn") == "Restored acme/churn.\n"
        signed_in.put("POST", f"{place}/p0/restore", {"slug": "new"})
        assert ok("projects", "restore", "acme/p0", "--slug", "new") == "Restored acme/new.\n"
        assert signed_in.last.json == {"slug": "new"}

    def test_an_organization_is_restored_by_its_slug(self, signed_in: FakeApi, ok: Ok) -> None:
        signed_in.page("/api/v1/organizations", [{**self.GONE, "id": "o1"}])
        signed_in.put("POST", "/api/v1/organizations/o1/restore", {"slug": "churn"})
        assert ok("organizations", "restore", "churn") == "Restored churn.\n"

    def test_the_deleted_are_listed_with_the_time_of_their_purge(self, signed_in: FakeApi, ok: Ok) -> None:
        item = {**self.GONE, "name": "C", "purge_at": "2026-01-31T00:00:00Z", "role": "owner"}
        signed_in.page("/api/v1/organizations", [item, {"slug": "other", "role": "member"}])
        signed_in.page("/api/v1/organizations/churn/projects", [item])
        for command in ("organizations", "projects"):
            assert "2026-01-31 00:00:00Z" in ok(command, "list", "--deleted")
            assert signed_in.last.query["deleted"] == "true"

    def test_leaving_asks(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("POST", f"{PROJECT}/leave", Answer(204))
        assert run("projects", "leave", stdin="n\n").exit_code != 0
        assert signed_in.asked == []
        assert run("projects", "leave", "--yes").exit_code == 0

    def test_a_quota_is_a_number_or_none(self, signed_in: FakeApi, run: Run) -> None:
        assert run("projects", "edit", "acme/churn", "--max-runs", "many").exit_code == 2
        assert signed_in.asked == []

    def test_lists_are_narrowed(self, signed_in: FakeApi, ok: Ok, run: Run) -> None:
        signed_in.page("/api/v1/organizations", [{"slug": "acme", "member_count": 3}])
        assert "3" in ok("organizations", "list", "--all", "--search", "ac")
        assert (signed_in.last.query["all"], signed_in.last.query["q"]) == ("true", "ac")
        signed_in.page("/api/v1/organizations/acme/projects", [])
        assert "like that" in run("projects", "list", "--archived").stderr
        assert signed_in.last.query["archived"] == "true"


class TestInvitations:
    def test_the_link_alone_is_on_stdout(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        path = "/api/v1/organizations/acme/invitations"
        signed_in.put("POST", path, {"id": "i1", "link": "https://x/invitations/t1"})
        words = ["organizations", "invitations", "create", "acme", "--project", "churn", "--project-role", "viewer"]
        assert run(*words).stdout == "https://x/invitations/t1\n"
        sent = {"role": "member", "project": "churn", "project_role": "viewer", "expires_in_days": 7}
        assert signed_in.last.json == sent
        assert as_json(*words)["id"] == "i1"

    def test_one_is_revoked(self, signed_in: FakeApi, ok: Ok) -> None:
        signed_in.put("DELETE", "/api/v1/organizations/acme/invitations/i1", Answer(204))
        assert ok("organizations", "invitations", "revoke", "acme", "i1") == "Revoked i1.\n"


class TestTokens:
    def test_a_new_token_alone_is_on_stdout(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("POST", "/api/v1/tokens", {"id": "1", "token": "my_1_x"})
        result = run("tokens", "create", "ci", "--scope", "read", "--for-project", "acme/churn")
        assert result.stdout == "my_1_x\n"
        sent = {"name": "ci", "scopes": ["read"], "organization": "acme", "project": "churn"}
        assert signed_in.last.json == sent

    def test_as_json(self, signed_in: FakeApi, as_json: AsJson, ok: Ok) -> None:
        signed_in.put("POST", "/api/v1/tokens", {"id": "1", "token": "my_1_x"})
        assert as_json("tokens", "create", "ci")["token"] == "my_1_x"
        signed_in.put("DELETE", "/api/v1/tokens/1", Answer(204))
        ok("tokens", "revoke", "1")
