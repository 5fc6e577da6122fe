"""The command line over a real `modelyard serve`: what it prints, keeps and ends with.

Signing in and the exit codes are seen from outside, by processes of their own; the other commands run in this process,
over HTTP all the same, because the start of a process takes longer than most of them.
"""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from tests.functional.person import ENVIRONMENT, PASSWORD, Person, make_user
from tests.functional.running_server import RunningServer, free_port

Log = Callable[[str, float], str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for the tests of this file, on a folder and an SQLite database of its own."""
    folder = tmp_path_factory.mktemp("cli")
    own = {
        "MODELYARD_DATA_DIRECTORY": str(folder / "data"),
        "MODELYARD_OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
    }
    server = RunningServer({**ENVIRONMENT, **own}, folder / "serve.log")
    try:
        yield server.start()
    finally:
        server.kill_all()


@pytest.fixture(scope="module")
def administrator(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """An instance administrator who owns the organization `acme`."""
    ada = Person(make_user(server, "ada", "--admin"), tmp_path_factory.mktemp("ada"), server.url).sign_in()
    ada.ok("organizations", "create", "acme")
    return ada


@pytest.fixture(scope="module")
def outsider(server: RunningServer) -> str:
    """The name of a user who is a member of nothing."""
    return make_user(server, "eve")


@pytest.fixture
def eve(outsider: str, server: RunningServer, tmp_path: Path) -> Person:
    """Somebody who is a member of nothing and has not signed in yet."""
    return Person(outsider, tmp_path, server.url)


@pytest.fixture
def ada(administrator: Person) -> Person:
    """The administrator in a new project."""
    project = f"acme/project-{uuid4().hex[:8]}"
    administrator.ok("projects", "create", project)
    return replace(administrator, project=project)


@pytest.fixture
def log(server: RunningServer, ada: Person) -> Log:
    """Log a run as an MLflow client does and return its id."""
    wire = f"/mlflow/{ada.project}/api/2.0"

    def make(name: str, auc: float) -> str:
        body = {"experiment_id": "0", "run_name": name}
        made = server.post(f"{wire}/mlflow/runs/create", body, token=ada.token).json()["run"]["info"]
        metric = {"key": "auc", "value": auc, "timestamp": 1000, "step": 0}
        batch = {"run_id": made["run_id"], "metrics": [metric], "params": [{"key": "depth", "value": "4"}]}
        assert server.post(f"{wire}/mlflow/runs/log-batch", batch, token=ada.token).status == 200
        root = made["artifact_uri"].removeprefix("mlflow-artifacts:/").strip("/")
        for path in ("notes.txt", "model/MLmodel", "model/data/deep/weights.bin"):
            put = f"{wire}/mlflow-artifacts/artifacts/{root}/{path}"
            assert server.request("PUT", put, token=ada.token, body=f"{name}: {path}".encode()).status == 200
        return str(made["run_id"])

    return make


class TestLogin:
    def test_by_password_a_token_is_kept_and_the_password_is_not(self, eve: Person) -> None:
        eve.sign_in()
        assert stat.S_IMODE(eve.profile.stat().st_mode) == 0o600
        assert PASSWORD not in eve.profile.read_text()
        ended = eve.start("whoami", "--output", "json")
        session = json.loads(ended.stdout)
        assert (session["user"]["username"], session["kind"], session["server"]) == (eve.username, "token", eve.url)
        assert eve.username in eve.ok("whoami")

    def test_by_token(self, ada: Person, tmp_path: Path) -> None:
        token = ada.json("tokens", "create", "elsewhere", "--scope", "read")["token"]
        elsewhere = replace(ada, home=tmp_path)
        assert elsewhere.start("login", ada.url, "--token-stdin", stdin=f"{token}\n").code == 0
        assert elsewhere.json("whoami")["user"]["username"] == ada.username
        assert elsewhere.ok("models", "list") == ""
        assert "write" in elsewhere.fails(4, "models", "create", "risk")

    def test_a_wrong_password_ends_with_4_and_keeps_nothing(self, eve: Person) -> None:
        words = ("login", eve.url, "--username", eve.username, "--password-stdin")
        ended = eve.start(*words, stdin="guess\n")
        assert (ended.code, ended.stdout) == (4, "")
        assert not eve.profile.exists()

    def test_logout_revokes_the_token(self, server: RunningServer, eve: Person) -> None:
        token = eve.sign_in().token
        assert server.get("/api/v1/session", token=token).status == 200
        eve.ok("logout")
        assert server.get("/api/v1/session", token=token).status == 401
        ended = eve.start("whoami")
        assert ended.code == 8
        assert "modelyard login URL" in ended.stderr

    def test_no_server_ends_with_7(self, eve: Person) -> None:
        ended = eve.start("whoami", MODELYARD_URL=f"http://127.0.0.1:{free_port()}")
        assert (ended.code, ended.stdout) == (7, "")
        assert "modelyard serve" in ended.stderr


class TestTokens:
    def test_one_is_made_listed_and_revoked(self, server: RunningServer, ada: Person) -> None:
        token = ada.ok("tokens", "create", "nightly", "--scope", "read", "--for-project", ada.project).strip()
        found = next(each for each in ada.json("tokens", "list") if each["id"] == token.split("_")[1])
        assert (found["name"], found["scopes"]) == ("nightly", ["read"])
        assert token not in ada.ok("tokens", "list")
        assert server.get("/api/v1/session", token=token).status == 200
        ada.ok("tokens", "revoke", found["id"])
        stderr = ada.fails(4, "models", "list", MODELYARD_TOKEN=token, MODELYARD_URL=ada.url)
        assert token not in stderr

    def test_an_expired_one_ends_with_4(self, server: RunningServer, ada: Person) -> None:
        made = ada.json("tokens", "create", "short", "--expires-in-days", "1")
        assert ada.run("models", "list", MODELYARD_TOKEN=made["token"], MODELYARD_URL=ada.url).code == 0
        file = Path(server.environment["MODELYARD_DATA_DIRECTORY"]) / "modelyard.db"
        with closing(sqlite3.connect(file, timeout=10)) as database, database:
            database.execute("UPDATE api_token SET expires_at_ms = 1 WHERE public_id = ?", (made["id"],))
        ada.fails(4, "models", "list", MODELYARD_TOKEN=made["token"], MODELYARD_URL=ada.url)


class TestProjects:
    def test_the_address_that_is_shown_takes_runs(self, server: RunningServer, ada: Person) -> None:
        assert ada.project in ada.ok("projects", "list")
        shown = ada.json("projects", "show")
        assert shown["mlflow_uri"] == f"{server.url}/mlflow/{ada.project}"
        assert shown["mlflow_uri"] in ada.ok("projects", "show", ada.project)
        path = shown["mlflow_uri"].removeprefix(server.url)
        answer = server.post(f"{path}/api/2.0/mlflow/runs/create", {"experiment_id": "0"}, token=ada.token)
        assert answer.status == 200

    def test_a_newcomer_is_told_what_to_do_next(self, eve: Person) -> None:
        eve.sign_in()
        for command in ("organizations", "projects"):
            ended = eve.run(command, "list")
            assert (ended.code, ended.stdout) == (0, "")
            assert "`modelyard organizations create SLUG`" in ended.stderr

    @pytest.mark.parametrize("what", ["connections", "models", "runs", "deployments"])
    def test_an_empty_project_says_what_to_do_next(self, ada: Person, what: str) -> None:
        ended = ada.run(what, "list")
        assert (ended.code, ended.stdout) == (0, "")
        assert "`modelyard " in ended.stderr

    def test_a_strangers_project_is_not_there(self, ada: Person, eve: Person) -> None:
        eve.sign_in()
        assert eve.start("projects", "show", ada.project).code == 3
        absent = eve.fails(3, "projects", "show", "acme/absent").splitlines()[0]
        for command in ("projects show", "runs list", "models list", "connections list", "events list"):
            stderr = eve.fails(3, *command.split(), MODELYARD_PROJECT=ada.project)
            assert stderr.splitlines()[0] == absent.replace("acme/absent", ada.project)


class TestRuns:
    def test_a_filter_chooses(self, ada: Person, log: Log) -> None:
        good, bad = log("good", 0.93), log("bad", 0.5)
        condition = "metrics.auc > 0.9 and params.depth = '4'"
        assert [run["id"] for run in ada.json("runs", "list", "--filter", condition)] == [good]
        ordered = ada.json("runs", "list", "--order-by", "metrics.auc ASC", "--status", "running")
        assert [run["id"] for run in ordered] == [bad, good]
        assert ada.json("runs", "list", "--status", "FINISHED") == []
        table = ada.ok("runs", "list", "--filter", condition)
        assert "auc=0.93" in table
        assert bad not in table

    @pytest.mark.parametrize("condition", ["metrics.auc >", "colour = 'red'", "metrics.auc > 0.9 or 1 = 1"])
    def test_a_bad_filter_ends_with_6(self, ada: Person, condition: str) -> None:
        ada.fails(6, "runs", "list", "--filter", condition)

    def test_one_file_is_downloaded(self, ada: Person, log: Log, tmp_path: Path) -> None:
        run = log("fox", 0.9)
        listed = {each["path"]: each["is_directory"] for each in ada.json("runs", "artifacts", "list", run)}
        assert listed == {"model": True, "notes.txt": False}
        ada.ok("runs", "artifacts", "download", run, "notes.txt", "--to", str(tmp_path))
        assert (tmp_path / "notes.txt").read_text() == "fox: notes.txt"
        ada.fails(3, "runs", "artifacts", "download", run, "absent.txt", "--to", str(tmp_path / "none"))
        assert not (tmp_path / "none").exists()

    @pytest.mark.parametrize(
        ("path", "files"),
        [("model", ["MLmodel", "data/deep/weights.bin"]), ("", ["notes.txt", "model/data/deep/weights.bin"])],
    )
    def test_a_folder_is_downloaded_with_the_folders_in_it(
        self, ada: Person, log: Log, tmp_path: Path, path: str, files: list[str]
    ) -> None:
        saved = ada.json("runs", "artifacts", "download", log("fox", 0.9), path, "--to", str(tmp_path))["files"]
        kept = {str(each) for each in tmp_path.rglob("*") if each.is_file()}
        assert kept == set(saved)
        assert {str(tmp_path / file) for file in files} <= kept
        assert (tmp_path / files[1]).read_text() == "fox: model/data/deep/weights.bin"


class TestModels:
    @pytest.fixture
    def versions(self, ada: Person, log: Log) -> None:
        """Two versions of the model `risk`."""
        run = log("fox", 0.9)
        ada.ok("models", "create", "risk", "--description", "Default risk")
        for _ in range(2):
            ada.ok("models", "register", "risk", "--source", f"runs:/{run}/model", "--run", run)

    def test_a_promotion_archives_the_one_before(self, ada: Person, versions: None) -> None:
        ada.ok("models", "promote", "risk", "1", "--stage", "production", "--reason", "the first")
        ada.ok("models", "promote", "risk", "2", "--stage", "Production", "--reason", "auc 0.93 on March")
        (model,) = ada.json("models", "list")
        assert (model["name"], model["latest_version"]) == ("risk", 2)
        assert model["stages"] == {"Archived": 1, "Production": 2}
        history = ada.json("models", "history", "risk")
        moves = [(change["version"], change["from_stage"], change["to_stage"]) for change in history]
        assert sorted(moves) == [(1, "None", "Production"), (1, "Production", "Archived"), (2, "None", "Production")]
        assert moves[-1] == (1, "None", "Production")
        assert "auc 0.93 on March" in ada.ok("models", "history", "risk")
        assert "Production=2" in ada.ok("models", "list")
        ada.fails(3, "models", "promote", "risk", "9", "--stage", "Staging")
        actions = [event["action"] for event in ada.json("events", "list")]
        assert actions.count("model_version.stage_changed") == 3
        assert actions[-1] == "project.created"
        assert "model_version.stage_changed" in ada.ok("events", "list", "--limit", "3")

    def test_a_viewer_may_look_and_not_promote(
        self, server: RunningServer, ada: Person, versions: None, tmp_path: Path
    ) -> None:
        viewer = replace(ada, username=make_user(server, "bo"), home=tmp_path).sign_in()
        ada.ok("organizations", "members", "set", "acme", "bo", "member")
        ada.ok("projects", "members", "set", "bo", "viewer")
        assert [model["name"] for model in viewer.json("models", "list")] == ["risk"]
        stderr = viewer.fails(4, "models", "promote", "risk", "1", "--stage", "Production")
        assert "'editor'" in stderr
        assert viewer.start("models", "promote", "risk", "1", "--stage", "Production").code == 4
        assert ada.json("models", "history", "risk") == []


class TestConnections:
    def test_a_secret_from_a_file_is_kept_and_never_shown(self, ada: Person, tmp_path: Path) -> None:
        (tmp_path / "token.txt").write_text("s3cr3t-of-hook\n")
        address = f"url={ada.url}/health/live"
        ada.ok(
            *("connections", "create", "notifier", "webhook", "hook", "--set", address),
            *("--secret", f"token=@{tmp_path}/token.txt", "--subscribe", "model.*"),
        )
        (found,) = ada.json("connections", "list")
        assert (found["name"], found["has_secrets"], found["subscriptions"]) == ("hook", True, ["model.*"])
        shown = [ada.ok("connections", "list"), json.dumps(found), ada.ok("events", "list", "--output", "json")]
        assert "s3cr3t" not in "".join(shown)
        assert "hook answers." in ada.ok("connections", "test", "hook")

    def test_what_does_not_answer_ends_with_7(self, ada: Person) -> None:
        dead = f"url=http://127.0.0.1:{free_port()}/"
        create = ("connections", "create", "notifier", "webhook", "dead", "--set", dead)
        assert "refused" in ada.fails(7, *create, "--test-first")
        assert ada.json("connections", "list") == []
        ada.ok(*create)
        assert "refused" in ada.fails(7, "connections", "test", "dead")
        ada.fails(5, *create)

    def test_settings_that_the_provider_does_not_know_end_with_6(self, ada: Person) -> None:
        stderr = ada.fails(6, "connections", "create", "notifier", "webhook", "hook", "--set", "colour=red")
        assert "colour" in stderr
        assert "webhook" in ada.fails(6, "connections", "create", "notifier", "pigeon", "hook")


def test_plugins(ada: Person) -> None:
    plugins = {plugin["name"]: plugin for plugin in ada.json("plugins", "list")}
    assert {"local_files", "local_process", "log", "sql_tracker", "webhook"} <= set(plugins)
    assert plugins["webhook"]["state"] == "loaded"
    assert "notifier:webhook" in ada.ok("plugins", "list")
    assert "notifier:webhook" in ada.ok("plugins", "show", "webhook")


def test_a_plugin_that_is_not_there_ends_with_3(ada: Person) -> None:
    ada.fails(3, "plugins", "show", "absent")
