from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli import output
from tests.cli.conftest import Run
from tests.fake_api import PROJECT, Answer, Asked, FakeApi

Ok = Callable[..., str]
AsJson = Callable[..., Any]
TIME = "2026-01-02T03:04:05.678Z"


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self) -> bool:
        return True


RUN = {
    "id": "r1",
    "name": "bold-fox",
    "status": "FINISHED",
    "experiment": {"id": "0", "name": "Default"},
    "user": "ada",
    "started_at": TIME,
    "ended_at": TIME,
    "duration_seconds": 1.5,
    "params": {"depth": "4"},
    "metrics": {"auc": 0.91, "loss": "NaN"},
    "tags": {},
}
MODEL = {
    "id": "m1",
    "name": "risk",
    "description": "",
    "tags": {},
    "latest_version": 3,
    "versions_count": 3,
    "stages": {"Production": 3},
    "aliases": {"champion": 3},
    "created_at": TIME,
    "updated_at": TIME,
}
VERSION = {"model": "risk", "version": 3, "stage": "Production", "status": "READY", "aliases": [], "run_id": "r1"}
VERSION |= {"created_by": "ada", "created_at": TIME, "source": "runs:/r1/model", "description": "", "tags": {}}
DEPLOYMENT = {
    "id": "d1",
    "name": "live",
    "model": "risk",
    "version": 3,
    "target": "local_process",
    "desired_status": "running",
    "status": "pending",
    "message": "",
    "revision": 1,
    "replicas": 2,
    "ready_replicas": 0,
    "address": "http://127.0.0.1:5000/serve/acme/churn/live",
    "replica_states": [{"index": 0, "state": "starting", "address": None, "message": "loading"}],
    "created_at": TIME,
    "updated_at": TIME,
}
CONNECTION: dict[str, Any] = {"id": "c1", "name": "hook", "kind": "notifier", "provider": "webhook", "enabled": True}
CONNECTION |= {"settings": {"url": "https://x"}, "subscriptions": ["*"], "has_secrets": True}
PROJECT_ITEM: dict[str, Any] = {"id": "p1", "slug": "churn", "name": "Churn", "organization": "acme", "role": "admin"}
PROJECT_ITEM |= {"description": "", "allow_local_deployments": True, "created_at": TIME, "archived_at": None}
PROJECT_ITEM |= {"mlflow_uri": "http://127.0.0.1:5000/mlflow/acme/churn"}
PLUGIN: dict[str, Any] = {
    "name": "s3",
    "distribution": "x",
    "version": "1",
    "state": "failed",
    "error": "No module named boto3",
}
PLUGIN |= {"hint": "pip install boto3", "moments": [], "providers": []}

# Each list: command, path, one item, words of its table.
LISTS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("organizations list", "/api/v1/organizations", {"slug": "acme", "name": "Acme", "role": "owner"}, ["acme"]),
    ("organizations members list acme", "/api/v1/organizations/acme/members", {"username": "bo"}, ["bo"]),
    ("projects list --organization acme", "/api/v1/organizations/acme/projects", PROJECT_ITEM, ["acme/churn"]),
    ("projects members list", f"{PROJECT}/members", {"username": "bo", "role": "viewer"}, ["bo", "viewer"]),
    ("tokens list", "/api/v1/tokens", {"id": "t1", "name": "ci", "scopes": ["read", "write"]}, ["read, write"]),
    ("plugins list", "/api/v1/plugins", PLUGIN, ["failed", "No module named boto3"]),
    ("plugins providers", "/api/v1/providers", {"kind": "storage", "name": "s3", "title": "S3"}, ["storage", "S3"]),
    ("connections list", f"{PROJECT}/connections", CONNECTION, ["hook", "url=https://x"]),
    ("experiments list", f"{PROJECT}/experiments", {"id": "0", "name": "Default"}, ["Default"]),
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
        "events deliveries",
        f"{PROJECT}/deliveries",
        {"action": "model.created", "subscriber": "hook", "state": "failed", "last_error": "refused"},
        ["hook", "refused"],
    ),
]
SHOWS: list[tuple[str, str, dict[str, Any], list[str]]] = [
    ("organizations show acme", "/api/v1/organizations/acme", {"slug": "acme", "name": "Acme"}, ["Acme"]),
    ("projects show", PROJECT, PROJECT_ITEM, ["MLflow address", "/mlflow/acme/churn"]),
    ("projects show acme/churn", PROJECT, PROJECT_ITEM, ["acme/churn"]),
    ("plugins show s3", "/api/v1/plugins/s3", PLUGIN, ["pip install boto3"]),
    ("runs show r1", f"{PROJECT}/runs/r1", RUN, ["depth=4"]),
    ("models show risk", f"{PROJECT}/models/risk", MODEL, ["champion=3"]),
    ("models version risk 3", f"{PROJECT}/models/risk/versions/3", VERSION, ["runs:/r1/model"]),
    ("deployments show live", f"{PROJECT}/deployments/live", DEPLOYMENT, ["0 starting (loading)", "/serve/"]),
]
# Each change: command, method, path, the body that must be sent, the answer.
CHANGES: list[tuple[str, str, str, Any, Any]] = [
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
    ("projects archive acme/churn", "PATCH", PROJECT, {"archived": True}, {}),
    ("projects restore acme/churn", "PATCH", PROJECT, {"archived": False}, {}),
    ("experiments create boosting", "POST", f"{PROJECT}/experiments", {"name": "boosting"}, {"id": "1"}),
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
    signed_in.page(path, [])
    assert ok(*command.split()) == ""
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
        ("models delete risk", f"{PROJECT}/models/risk", "risk"),
        ("models delete-version risk 3", f"{PROJECT}/models/risk/versions/3", "risk/3"),
        ("deployments delete live", f"{PROJECT}/deployments/live", "live"),
        ("connections delete hook", f"{PROJECT}/connections/c1", "hook"),
        ("runs delete r1", f"{PROJECT}/runs/r1", "y"),
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


class TestProjects:
    def test_all_organizations_are_listed(self, signed_in: FakeApi, as_json: AsJson) -> None:
        signed_in.page("/api/v1/organizations", [{"slug": "a"}, {"slug": "b"}])
        signed_in.page("/api/v1/organizations/a/projects", [{"slug": "one"}])
        signed_in.page("/api/v1/organizations/b/projects", [{"slug": "two"}])
        assert [project["slug"] for project in as_json("projects", "list")] == ["one", "two"]

    def test_storage_is_named_by_its_connection(self, signed_in: FakeApi, ok: Ok) -> None:
        signed_in.page(f"{PROJECT}/connections", [CONNECTION])
        signed_in.put("PATCH", PROJECT, PROJECT_ITEM)
        ok("projects", "edit", "acme/churn", "--storage", "hook")
        assert signed_in.last.json == {"storage_connection_id": "c1"}

    @pytest.mark.parametrize("reference", ["churn", "/churn", "acme/", "a/b/c"])
    def test_a_project_is_two_words(self, signed_in: FakeApi, run: Run, reference: str) -> None:
        assert run("projects", "create", reference).exit_code == 2
        assert signed_in.asked == []


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


class TestConnections:
    @pytest.fixture(autouse=True)
    def known(self, signed_in: FakeApi) -> None:
        signed_in.page(f"{PROJECT}/connections", [CONNECTION])
        signed_in.put("POST", f"{PROJECT}/connections", Answer(201, CONNECTION))

    def test_settings_and_secrets(self, signed_in: FakeApi, ok: Ok) -> None:
        Path("key.txt").write_text("s3cr3t\n")
        arguments = ("--set", "url=https://x?a=1", "--set", "port:=8", "--set", "tags:=[1]", "--subscribe", "model.*")
        secrets = ("--secret", "key=@key.txt", "--secret", "pass=-")
        text = ok("connections", "create", "notifier", "webhook", "hook", *arguments, *secrets, stdin="p w\n")
        settings = {"url": "https://x?a=1", "port": 8, "tags": [1], "key": "s3cr3t", "pass": "p w"}
        assert signed_in.last.json["settings"] == settings
        assert signed_in.last.json["subscriptions"] == ["model.*"]
        assert "s3cr3t" not in text

    @pytest.mark.parametrize(
        "arguments", [("--set", "port"), ("--set", "=8"), ("--set", "port:=x"), ("--secret", "key=s3cr3t")]
    )
    def test_nonsense_ends_with_2(self, run: Run, arguments: tuple[str, ...]) -> None:
        result = run("connections", "create", "notifier", "webhook", "hook", *arguments)
        assert result.exit_code == 2
        assert "s3cr3t" not in result.output

    def test_nothing_is_saved_if_the_test_fails(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("POST", f"{PROJECT}/connections/test", {"ok": False, "message": "refused"})
        result = run("connections", "create", "notifier", "webhook", "hook", "--test-first")
        assert result.exit_code == 7
        assert "Why: refused" in result.stderr
        assert signed_in.last.path.endswith("/test")

    def test_test(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        path = f"{PROJECT}/connections/c1/test"
        signed_in.put("POST", path, {"ok": True, "message": "200 in 3 ms"})
        assert run("connections", "test", "hook").stdout == "hook answers. 200 in 3 ms\n"
        assert as_json("connections", "test", "c1")["ok"] is True
        signed_in.put("POST", path, {"ok": False, "message": ""})
        assert run("connections", "test", "hook").exit_code == 7
        assert run("connections", "test", "other").exit_code == 3

    def test_show_and_edit(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        assert as_json("connections", "show", "c1") == CONNECTION
        signed_in.put("PATCH", f"{PROJECT}/connections/c1", CONNECTION)
        arguments = ("--set", "timeout:=3", "--disable", "--subscribe", "run.*")
        assert run("connections", "edit", "hook", *arguments).exit_code == 0
        changes = {"settings": {"url": "https://x", "timeout": 3}, "enabled": False, "subscriptions": ["run.*"]}
        assert signed_in.last.json == changes
        assert run("connections", "edit", "hook").exit_code == 2


class TestRuns:
    def test_filters_are_sent(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/runs", [RUN] * 3)
        arguments = ("--filter", "metrics.auc > 0.9", "--order-by", "metrics.auc DESC", "--status", "FINISHED")
        result = run("runs", "list", *arguments, "--experiment", "0", "--limit", "2")
        assert len(result.stdout.splitlines()) == 3
        assert "--limit" in result.stderr
        condition = "metrics.auc > 0.9 and attributes.status = 'FINISHED'"
        query = {"filter": condition, "order_by": "metrics.auc DESC"}
        assert signed_in.last.query == {**query, "experiment": "0", "limit": "3"}

    def test_metrics(self, signed_in: FakeApi, run: Run, as_json: AsJson) -> None:
        points = [{"step": step, "timestamp": TIME, "value": step / 2} for step in range(30)]
        points[3]["value"] = "NaN"
        signed_in.page(f"{PROJECT}/runs/r1/metrics/train/loss", points)
        lines = run("runs", "metrics", "r1", "train/loss", "--last", "2").stdout.splitlines()
        assert lines[0].startswith("train/loss  ▁▁▁ ")
        assert lines[0].endswith("min 0  max 14.5  last 14.5")
        assert [line.split()[0] for line in lines[1:]] == ["STEP", "28", "29"]
        assert as_json("runs", "metrics", "r1", "train/loss") == points
        assert len(run("runs", "metrics", "r1", "train/loss", "--last", "0").stdout.splitlines()) == 1

    def test_a_metric_without_points(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.page(f"{PROJECT}/runs/r1/metrics/loss", [])
        result = run("runs", "metrics", "r1", "loss")
        assert (result.exit_code, result.stdout) == (0, "")


class TestArtifacts:
    TREE: dict[str, list[dict[str, Any]]] = {
        "": [
            {"path": "notes.txt", "is_directory": False, "size_bytes": 5},
            {"path": "model", "is_directory": True, "size_bytes": None},
        ],
        "model": [{"path": "model/weights.bin", "is_directory": False, "size_bytes": 2048}],
    }

    @pytest.fixture(autouse=True)
    def tree(self, signed_in: FakeApi) -> None:
        def listing(asked: Asked) -> Answer:
            return Answer(body={"items": self.TREE.get(asked.query.get("path", ""), []), "next_cursor": None})

        def content(asked: Asked) -> Answer:
            if asked.query["path"] not in {"notes.txt", "model/weights.bin"}:
                return Answer(404, {"detail": "There is no such artifact.", "code": "not_found"})
            return Answer(body=asked.query["path"].encode())

        signed_in.put("GET", f"{PROJECT}/runs/r1/artifacts", listing)
        signed_in.put("GET", f"{PROJECT}/runs/r1/artifacts/content", content)

    def test_list(self, ok: Ok) -> None:
        assert ok("runs", "artifacts", "list", "r1").splitlines() == ["PATH       SIZE", "notes.txt  5 B", "model/"]
        assert "2.0 KiB" in ok("runs", "artifacts", "list", "r1", "model")

    @pytest.mark.parametrize(
        ("path", "files"),
        [
            ("", ["notes.txt", "model/weights.bin"]),
            ("model", ["weights.bin"]),
            ("/model/", ["weights.bin"]),
            ("model/weights.bin", ["weights.bin"]),
            ("notes.txt", ["notes.txt"]),
        ],
    )
    def test_download(self, as_json: AsJson, path: str, files: list[str]) -> None:
        saved = as_json("runs", "artifacts", "download", "r1", path, "--to", "out")["files"]
        assert saved == [f"out/{file}" for file in files]
        assert all(Path(file).read_bytes().decode().endswith(Path(file).name) for file in saved)

    def test_download_to_the_current_folder(self, ok: Ok) -> None:
        assert ok("runs", "artifacts", "download", "r1", "notes.txt") == "Saved 1 file in ..\n"
        assert Path("notes.txt").is_file()

    def test_what_is_not_there(self, run: Run, signed_in: FakeApi) -> None:
        assert run("runs", "artifacts", "download", "r1", "absent").exit_code == 3
        signed_in.page(f"{PROJECT}/runs/r2/artifacts", [])
        assert run("runs", "artifacts", "download", "r2").exit_code == 3

    @pytest.mark.parametrize("path", ["../evil.sh", "/etc/evil.sh", "model/../../evil.sh"])
    def test_nothing_is_written_outside_of_the_folder(
        self, run: Run, signed_in: FakeApi, home: Path, path: str
    ) -> None:
        signed_in.page(f"{PROJECT}/runs/r1/artifacts", [{"path": path, "is_directory": False, "size_bytes": 1}])
        assert run("runs", "artifacts", "download", "r1", "--to", "out").exit_code == 6
        assert not list(home.rglob("evil.sh"))

    def test_a_terminal_sees_progress(self, ok: Ok, monkeypatch: pytest.MonkeyPatch) -> None:
        screen = Terminal()
        monkeypatch.setattr("modelyard.cli.download.sys.stderr", screen)
        from modelyard.cli.download import progress

        with progress([{"path": "a", "size_bytes": 10}, {"path": "b", "size_bytes": None}]) as advance:
            advance(10)
        with progress([{"path": "[red]a", "size_bytes": 10}]) as advance:
            advance(10)
        assert "2 files" in screen.getvalue()
        assert "[red]a" in screen.getvalue()


class TestWaiting:
    PATH = f"{PROJECT}/deployments/live"

    @pytest.fixture(autouse=True)
    def at_once(self, signed_in: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("modelyard.client.Client.__init__.__kwdefaults__", _never_sleeping(), raising=False)
        signed_in.put("POST", f"{PROJECT}/deployments", Answer(201, DEPLOYMENT))

    def test_until_ready(self, signed_in: FakeApi, run: Run) -> None:
        ready = {**DEPLOYMENT, "status": "ready", "ready_replicas": 2}
        signed_in.put("GET", self.PATH, {**DEPLOYMENT, "status": "starting", "message": "loading"}, ready)
        result = run("deployments", "create", "live", "--model", "risk", "--wait")
        assert result.exit_code == 0, result.output
        assert result.stderr.splitlines() == [
            "starting, 0 of 2 replicas are ready: loading",
            "ready, 2 of 2 replicas are ready",
        ]
        assert result.stdout == f"Made the deployment live. It is ready at {DEPLOYMENT['address']}.\n"

    def test_a_failure_ends_with_9(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("GET", self.PATH, {**DEPLOYMENT, "status": "failed", "message": "No module named xgboost"})
        result = run("deployments", "create", "live", "--model", "risk", "--wait")
        assert result.exit_code == 9
        assert "No module named xgboost" in result.stderr
        assert "modelyard deployments logs live" in result.stderr

    def test_the_deadline_ends_with_9(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.put("POST", f"{self.PATH}/start", DEPLOYMENT)
        signed_in.put("GET", self.PATH, DEPLOYMENT)
        assert run("deployments", "start", "live", "--wait", "--timeout", "0").exit_code == 9

    def test_a_terminal_sees_one_moving_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from modelyard.cli.commands.deployments import _states

        screen = Terminal()
        monkeypatch.setattr("modelyard.cli.commands.deployments.sys.stderr", screen)
        with _states() as show:
            show({**DEPLOYMENT, "message": "[red]loading"})
        assert "asking" in screen.getvalue() or "[red]loading" in screen.getvalue()

    def test_an_edit_of_nothing_ends_with_2(self, run: Run) -> None:
        assert run("deployments", "edit", "live").exit_code == 2
        assert run("models", "edit", "risk").exit_code == 2


def _never_sleeping() -> dict[str, Any]:
    return {"timeout_seconds": 5, "transport": None, "sleep": lambda seconds: None}


def test_logs(signed_in: FakeApi, ok: Ok, as_json: AsJson) -> None:
    items = [{"replica": "revision 1, replica 0", "text": "started\nready \x1b[0m"}]
    signed_in.put("GET", f"{PROJECT}/deployments/live/logs", {"items": items})
    assert ok("deployments", "logs", "live", "--lines", "5") == "started\nready \N{REPLACEMENT CHARACTER}[0m\n"
    assert signed_in.last.query == {"lines": "5"}
    assert as_json("deployments", "logs", "live") == items
    items.append({"replica": "revision 1, replica 1", "text": "started"})
    assert "revision 1, replica 1 | started" in ok("deployments", "logs", "live")


class TestPredict:
    PATH = "/serve/acme/churn/live/invocations"
    INFER = "/serve/acme/churn/live/v2/models/risk/infer"
    NAME = "acme/churn/live"

    @pytest.fixture(autouse=True)
    def answers(self, signed_in: FakeApi) -> None:
        signed_in.put("POST", self.PATH, {"predictions": [0, 1]})
        signed_in.put("GET", f"{PROJECT}/deployments/live", DEPLOYMENT)
        outputs = [
            {"name": "label", "shape": [2], "datatype": "INT64", "data": [0, 1]},
            {"name": "p", "shape": [2, 2], "datatype": "FP64", "data": [0.1, 0.9, 0.8, 0.2]},
        ]
        signed_in.put("POST", self.INFER, {"model_name": "risk", "outputs": outputs})

    def test_csv_is_sent_as_it_is(self, signed_in: FakeApi, ok: Ok) -> None:
        Path("rows.csv").write_text("a,b\n1,x\n")
        assert ok("predict", self.NAME, "--data", "rows.csv").splitlines() == ["PREDICTION", "0", "1"]
        assert (signed_in.last.body, signed_in.last.headers["Content-Type"]) == (b"a,b\n1,x\n", "text/csv")

    @pytest.mark.parametrize(
        ("stdin", "body"),
        [('[{"a": 1}]', {"dataframe_records": [{"a": 1}]}), (' {"inputs": [[1]]}', {"inputs": [[1]]})],
    )
    def test_json_from_stdin(self, signed_in: FakeApi, as_json: AsJson, stdin: str, body: Any) -> None:
        assert as_json("predict", self.NAME, "--data", "-", stdin=stdin) == {"predictions": [0, 1]}
        assert signed_in.last.json == body

    def test_csv_from_stdin(self, signed_in: FakeApi, ok: Ok) -> None:
        ok("predict", self.NAME, "--data", "-", stdin=b"a\n1\n")
        assert signed_in.last.body == b"a\n1\n"

    @pytest.mark.parametrize(
        ("answer", "lines"),
        [
            ({"predictions": [{"label": "a", "p": 0.5}]}, ["LABEL  P", "a      0.5"]),
            ({"predictions": [[0.1, 0.9]]}, ["PREDICTION", "0.1, 0.9"]),
            ({"predictions": {"deep": 1}}, ["{", '  "predictions": {', '    "deep": 1', "  }", "}"]),
        ],
    )
    def test_tables(self, signed_in: FakeApi, ok: Ok, answer: Any, lines: list[str]) -> None:
        signed_in.put("POST", self.PATH, answer)
        assert ok("predict", self.NAME, "--data", "-", stdin="[[1]]").splitlines() == lines

    def test_v2_makes_a_tensor_of_each_column(self, signed_in: FakeApi, ok: Ok) -> None:
        Path("rows.csv").write_text("n,x,s\n1,0.5,a\n2,,\n")
        lines = ok("predict", self.NAME, "--data", "rows.csv", "--protocol", "v2").splitlines()
        assert lines == ["LABEL  P", "0      0.1, 0.9", "1      0.8, 0.2"]
        assert signed_in.last.json["inputs"] == [
            {"name": "n", "shape": [2], "datatype": "INT64", "data": [1, 2]},
            {"name": "x", "shape": [2], "datatype": "FP64", "data": [0.5, None]},
            {"name": "s", "shape": [2], "datatype": "BYTES", "data": ["a", None]},
        ]

    @pytest.mark.parametrize(
        ("stdin", "inputs"),
        [
            ('[{"b": true}]', [{"name": "b", "shape": [1], "datatype": "BOOL", "data": [True]}]),
            ('{"inputs": []}', []),
        ],
    )
    def test_v2_of_json(self, signed_in: FakeApi, ok: Ok, stdin: str, inputs: Any) -> None:
        ok("predict", self.NAME, "--data", "-", "--protocol", "v2", stdin=stdin)
        assert signed_in.last.json["inputs"] == inputs

    def test_nonsense_ends_with_2(self, run: Run) -> None:
        assert run("predict", "live", "--data", "-").exit_code == 2
        assert run("predict", self.NAME, "--data", "-", "--format", "json", stdin="no").exit_code == 2
        assert run("predict", self.NAME, "--data", "-", "--protocol", "v2", stdin="[[1]]").exit_code == 2

    def test_a_file_that_is_not_there(self, run: Run) -> None:
        result = run("predict", self.NAME, "--data", "absent.csv")
        assert result.exit_code == 1
        assert "No such file or directory: absent.csv" in result.stderr

    def test_a_deployment_that_is_not_ready_ends_with_7(self, signed_in: FakeApi, run: Run) -> None:
        signed_in.problem("POST", self.PATH, 503, "unavailable", "No replica is ready.")
        result = run("predict", self.NAME, "--data", "-", stdin="[[1]]")
        assert result.exit_code == 7
        assert "No replica is ready" in result.stderr


def test_tables_of_every_list_are_drawn_on_a_terminal(
    signed_in: FakeApi, ok: Ok, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "on_terminal", lambda: True)
    for command, path, item, _ in LISTS:
        signed_in.page(path, [item])
        assert "─" in ok(*command.split())
