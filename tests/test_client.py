from __future__ import annotations

import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from hypothesis import given
from hypothesis import strategies as st

from modelyard import client as module
from modelyard.client import (
    Client,
    ClientError,
    DeploymentFailedError,
    DeploymentTimeoutError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    PlainHttpWarning,
    Request,
    Response,
    ServerUnreachableError,
    TooLargeError,
    UnavailableError,
    UnexpectedAnswerError,
    sends_in_clear,
)
from tests.fake_api import PROJECT, Answer, FakeApi, running

TOKEN = "my_0198_secret"


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with running() as fake:
        yield fake


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def client(api: FakeApi, slept: list[float]) -> Iterator[Client]:
    with Client(api.url, TOKEN, sleep=slept.append) as made:
        yield made


def over_flask(app: Flask) -> Any:
    """The transport that docs/client.md shows."""
    browser = app.test_client()

    def transport(request: Request) -> Response:
        answer = browser.open(request.url, method=request.method, headers=dict(request.headers), data=request.body)
        headers = {name.lower(): value for name, value in answer.headers}
        return Response(answer.status_code, headers, [answer.data])

    return transport


class TestIdentity:
    def test_address_and_token_come_from_the_environment(self, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MODELYARD_URL", api.url + "/")
        monkeypatch.setenv("MODELYARD_TOKEN", TOKEN + "\n")
        api.put("GET", "/api/v1/session", {"user": {"username": "ada"}, "kind": "token"})
        with Client() as client:
            assert client.session.get()["user"]["username"] == "ada"
        assert api.last.headers["Authorization"] == f"Bearer {TOKEN}"

    def test_without_an_address_it_says_how_to_give_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MODELYARD_URL", raising=False)
        with pytest.raises(NotConfiguredError, match="modelyard login URL"):
            Client()

    @pytest.mark.parametrize(
        "url", ["example.com", "ftp://example.com", "http://", "http://x:99999", "https://a:b@x", "https://x/?a=1"]
    )
    def test_refuses_what_is_no_address_and_never_shows_a_password(self, url: str) -> None:
        with pytest.raises(NotConfiguredError) as caught:
            Client(url)
        assert "a:b" not in str(caught.value)

    @pytest.mark.parametrize("token", ["a b", "a\nb", "tökén", "a\x00"])
    def test_refuses_a_broken_token_without_showing_it(self, token: str) -> None:
        with pytest.raises(NotConfiguredError) as caught:
            Client("https://example.com", token)
        assert token not in str(caught.value)

    def test_the_token_is_in_no_repr(self, client: Client) -> None:
        request = client._request("GET", "/", None, None, None, "")
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        assert "secret" not in repr(client) + repr(request) + repr(client.project("acme", "churn"))

    def test_a_login_in_netrc_does_not_replace_the_token(
        self, api: FakeApi, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login eve password guess\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        api.put("GET", "/api/v1/session", {"user": {}, "kind": "token"})
        client.session.get()
        assert api.last.headers["Authorization"] == f"Bearer {TOKEN}"

    @pytest.mark.parametrize(
        ("url", "clear"),
        [
            ("http://example.com", True),
            ("http://10.0.0.1:5000", True),
            ("https://example.com", False),
            ("http://localhost:5000", False),
            ("http://app.localhost", False),
            ("http://127.0.0.2", False),
            ("http://[::1]:5000", False),
            ("http://[2001:db8::1]", True),
        ],
    )
    def test_warns_before_a_token_goes_in_clear(self, url: str, clear: bool) -> None:
        assert sends_in_clear(url) is clear
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            Client(url)
            Client(url, TOKEN)
        assert [entry.category for entry in caught] == ([PlainHttpWarning] if clear else [])
        assert all("secret" not in str(entry.message) for entry in caught)

    def test_a_password_in_clear_warns_too(self) -> None:
        client = Client("http://example.com", transport=lambda request: Response(200, {}, [b'{"kind": "user"}']))
        with pytest.warns(PlainHttpWarning):
            client.session.create("ada", "pass")

    def test_the_cookie_of_a_sign_in_is_kept(self, api: FakeApi) -> None:
        user = {"user": {"username": "ada"}, "kind": "user"}
        api.put("POST", "/api/v1/session", Answer(201, user, {"Set-Cookie": "modelyard_session=abc; Path=/; HttpOnly"}))
        api.put("POST", "/api/v1/tokens", Answer(201, {"token": TOKEN}))
        api.put("DELETE", "/api/v1/session", Answer(204))
        with Client(api.url, "") as client:
            client.session.create("ada", "correct horse")
            assert client.tokens.create("laptop", ["write", "read"], expires_in_days=3)["token"] == TOKEN
            assert api.last.headers["Cookie"] == "modelyard_session=abc"
            assert api.last.headers["X-Requested-With"] == "modelyard"
            assert api.last.json == {"name": "laptop", "scopes": ["read", "write"], "expires_in_days": 3}
            client.session.delete()


class TestErrors:
    @pytest.mark.parametrize(("status", "kind"), sorted(module._ERROR_OF_STATUS.items()))
    def test_each_status_has_its_class(
        self, api: FakeApi, client: Client, status: int, kind: type[ClientError]
    ) -> None:
        problem = {"code": "some_code", "detail": "It is so.", "hint": "Do this.", "errors": {"name": ["Too long."]}}
        api.put("POST", "/x", Answer(status, {**problem, "request_id": "req-1"}))
        with pytest.raises(kind) as caught:
            client.call("POST", "/x")
        error = caught.value
        assert type(error) is kind
        assert (error.status, error.code, error.detail, error.hint) == (status, "some_code", "It is so.", "Do this.")
        assert (error.errors, error.request_id) == ({"name": ["Too long."]}, "req-1")
        assert str(error) == "It is so. Do this."

    def test_other_statuses_are_the_servers_fault_or_the_root(self, api: FakeApi, client: Client) -> None:
        for status, kind in ((500, module.ServerError), (418, ClientError)):
            api.put("POST", "/x", Answer(status, b"<html>", {"X-Request-ID": "req-2"}))
            with pytest.raises(ClientError) as caught:
                client.call("POST", "/x")
            assert type(caught.value) is kind
            assert f"POST {api.url}/x answered {status}" in str(caught.value)
            assert caught.value.request_id == "req-2"

    @pytest.mark.parametrize(
        "body", [{"error_code": "BAD", "message": "No column a."}, {"error": "No column a."}, {"title": "No column a."}]
    )
    def test_the_model_servers_forms_are_read(self, api: FakeApi, client: Client, body: Any) -> None:
        api.put("POST", "/serve/acme/churn/live/invocations", Answer(400, body))
        with pytest.raises(InvalidInputError, match="No column a"):
            client.predict("acme", "churn", "live", [[1]])

    @pytest.mark.parametrize("body", [[], "text", None, 3])
    def test_a_problem_that_is_no_object_is_survived(self, api: FakeApi, client: Client, body: Any) -> None:
        api.put("GET", "/x", Answer(404, body))
        with pytest.raises(NotFoundError, match="answered 404"):
            client.call("GET", "/x")

    def test_what_is_not_json_is_unexpected(self, api: FakeApi, client: Client) -> None:
        api.put("GET", "/api/v1/session", b"<html>Welcome</html>")
        with pytest.raises(UnexpectedAnswerError, match="in place of JSON"):
            client.session.get()
        api.put("GET", "/api/v1/session", ["no", "object"])
        with pytest.raises(UnexpectedAnswerError):
            client.session.get()
        api.put("GET", "/api/v1/tokens", {"things": []})
        with pytest.raises(UnexpectedAnswerError):
            list(client.tokens.list())

    def test_a_change_is_never_sent_on(self, api: FakeApi, client: Client) -> None:
        api.put("POST", "/api/v1/tokens", Answer(301, None, {"Location": "https://elsewhere.example/"}))
        with pytest.raises(UnexpectedAnswerError, match=r"elsewhere\.example"):
            client.tokens.create("a", ["read"])

    def test_what_json_cannot_hold_is_refused_before_it_is_sent(self, api: FakeApi, client: Client) -> None:
        for data in ([[float("nan")]], [[object()]]):
            with pytest.raises(InvalidInputError):
                client.predict("acme", "churn", "live", data)
        assert api.asked == []

    @pytest.mark.parametrize("name", ["", ".", ".."])
    def test_names_that_would_change_the_path_are_refused(self, client: Client, name: str) -> None:
        with pytest.raises(InvalidInputError):
            client.project("acme", name)

    @given(st.text(min_size=1).filter(lambda text: text not in {".", ".."} and text.isprintable()))
    def test_any_other_name_is_one_segment(self, name: str) -> None:
        path = module._segments("models", name)
        assert path.count("/") == 2
        assert path.isascii()

    def test_every_class_says_what_it_is(self) -> None:
        classes = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, ClientError)]
        assert len(classes) > 10
        for kind in classes:
            assert kind.__doc__
            assert kind.__name__ in (module.__doc__ or "")


class TestRetries:
    def test_a_get_is_tried_again_after_503(self, api: FakeApi, client: Client, slept: list[float]) -> None:
        api.put("GET", "/x", Answer(503, {}, {"Retry-After": "2"}), Answer(503, {}), {"done": True})
        assert client.call("GET", "/x") == {"done": True}
        assert slept[0] == 2
        assert 0 < slept[1] < 1

    def test_it_gives_up_after_four(self, api: FakeApi, client: Client, slept: list[float]) -> None:
        api.put("GET", "/x", Answer(503, {"detail": "Down."}))
        with pytest.raises(UnavailableError, match="Down"):
            client.call("GET", "/x")
        assert (len(api.asked), len(slept)) == (4, 3)

    def test_it_does_not_wait_for_long(self, api: FakeApi, client: Client, slept: list[float]) -> None:
        api.put("GET", "/x", Answer(429, {}, {"Retry-After": "60"}))
        with pytest.raises(UnavailableError) as caught:
            client.call("GET", "/x")
        assert caught.value.retry_after_seconds == 60
        assert slept == []

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_a_change_is_sent_once(self, api: FakeApi, client: Client, method: str) -> None:
        api.put(method, "/x", Answer(503, {}))
        with pytest.raises(UnavailableError):
            client.call(method, "/x")
        assert len(api.asked) == 1

    def test_other_errors_are_final(self, api: FakeApi, client: Client) -> None:
        with pytest.raises(NotFoundError):
            client.call("GET", "/x")
        assert len(api.asked) == 1

    def test_nobody_there(self, slept: list[float]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as held:
            port = held.getsockname()[1]
        with (
            Client(f"http://127.0.0.1:{port}", TOKEN, sleep=slept.append) as client,
            pytest.raises(ServerUnreachableError, match="modelyard serve") as caught,
        ):
            client.session.get()
        assert len(slept) == 3
        assert TOKEN not in str(caught.value)

    def test_a_broken_answer_is_asked_for_again(self, api: FakeApi, client: Client) -> None:
        api.put("GET", "/x", Answer(200, {"long": "x" * 100}, cut_at=10), {"done": True})
        assert client.call("GET", "/x") == {"done": True}

    @pytest.mark.parametrize(
        ("error", "says"),
        [(TimeoutError(), "did not answer in time"), (type("SSLError", (OSError,), {})(), "certificate")],
    )
    def test_says_why(self, error: OSError, says: str) -> None:
        def transport(request: Request) -> Response:
            raise error

        client = Client("https://example.com", transport=transport, sleep=lambda seconds: None)
        with pytest.raises(ServerUnreachableError, match=says):
            client.session.get()


class TestPages:
    def test_pages_are_asked_for_when_they_are_needed(self, api: FakeApi, client: Client) -> None:
        path = f"{PROJECT}/runs"
        api.put("GET", path, {"items": [{"id": 1}, {"id": 2}], "next_cursor": "c1"}, {"items": [{"id": 3}]})
        runs = client.project("acme", "churn").runs.list(
            filter="metrics.auc > 0.9", status="finished", order_by="metrics.auc DESC"
        )
        assert api.asked == []
        assert next(runs)["id"] == 1
        assert len(api.asked) == 1
        assert [run["id"] for run in runs] == [2, 3]
        condition = "metrics.auc > 0.9 and attributes.status = 'FINISHED'"
        assert api.asked[0].query == {"filter": condition, "order_by": "metrics.auc DESC", "limit": "200"}
        assert api.asked[1].query["cursor"] == "c1"

    def test_a_limit_bounds_what_is_asked_for(self, api: FakeApi, client: Client) -> None:
        api.put("GET", f"{PROJECT}/models", {"items": [{"id": n} for n in range(3)], "next_cursor": "c"})
        assert len(list(client.project("acme", "churn").models.list(limit=2))) == 2
        assert [asked.query["limit"] for asked in api.asked] == ["2"]

    def test_a_status_cannot_smuggle_a_condition(self, client: Client) -> None:
        with pytest.raises(InvalidInputError):
            client.project("acme", "churn").runs.list(status="A' or attributes.status = 'B")

    def test_a_history_comes_in_large_pages(self, api: FakeApi, client: Client) -> None:
        api.page(f"{PROJECT}/runs/r1/metrics/loss", [])
        assert list(client.project("acme", "churn").runs.metric_history("r1", "loss")) == []
        assert int(api.last.query["limit"]) > 1000

    def test_a_cursor_that_stands_still_ends(self, api: FakeApi, client: Client) -> None:
        api.put("GET", "/api/v1/tokens", {"items": [{}], "next_cursor": "same"})
        assert len(list(client.tokens.list())) == 2


class TestDownload:
    PATH = f"{PROJECT}/runs/r1/artifacts/content"

    def test_streams_into_a_file(self, api: FakeApi, client: Client, tmp_path: Path) -> None:
        content = bytes(range(256)) * 4000
        api.put("GET", self.PATH, content)
        seen: list[int] = []
        runs = client.project("acme", "churn").runs
        saved = runs.download("r1", "plots/roc curve.png", tmp_path, on_bytes=seen.append)
        assert saved == tmp_path / "roc curve.png"
        assert saved.read_bytes() == content
        assert sum(seen) == len(content)
        assert len(seen) > 1
        assert api.last.query == {"path": "plots/roc curve.png"}

    def test_a_broken_download_leaves_the_old_file(self, api: FakeApi, client: Client, tmp_path: Path) -> None:
        api.put("GET", self.PATH, Answer(200, b"x" * 1000, cut_at=100))
        target = tmp_path / "model.bin"
        target.write_bytes(b"old")
        with pytest.raises(ServerUnreachableError, match="broke off"):
            client.project("acme", "churn").runs.download("r1", "model.bin", target)
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_short_answer_of_another_transport_is_noticed(self, tmp_path: Path) -> None:
        client = Client("http://x.localhost", transport=lambda r: Response(200, {"content-length": "9"}, [b"abc"]))
        with pytest.raises(ServerUnreachableError, match="3 of 9"):
            client.project("acme", "churn").runs.download("r1", "a", tmp_path / "a")

    def test_a_file_that_is_not_there(self, api: FakeApi, client: Client, tmp_path: Path) -> None:
        api.problem("GET", self.PATH, 404, "not_found", "There is no artifact.")
        with pytest.raises(NotFoundError, match="no artifact"):
            client.project("acme", "churn").runs.download("r1", "a", tmp_path / "new" / "a")
        assert not (tmp_path / "new").exists()

    def test_files_walks_folders(self, api: FakeApi, client: Client) -> None:
        def listing(asked: Any) -> Answer:
            here = {
                "": [{"path": "a.txt", "is_directory": False}, {"path": "d", "is_directory": True}],
                "d": [{"path": "d/b.txt", "is_directory": False}],
            }
            return Answer(body={"items": here[asked.query.get("path", "")], "next_cursor": None})

        api.put("GET", f"{PROJECT}/runs/r1/artifacts", listing)
        assert [file["path"] for file in client.project("acme", "churn").runs.files("r1")] == ["a.txt", "d/b.txt"]


class TestDeployments:
    PATH = f"{PROJECT}/deployments/live"

    @staticmethod
    def state(status: str, ready: int = 0, **more: Any) -> dict[str, Any]:
        known = {"status": status, "ready_replicas": ready, "replicas": 2, "desired_status": "running", "message": ""}
        return {**known, **more}

    def test_waits_and_tells_each_change_once(self, api: FakeApi, client: Client, slept: list[float]) -> None:
        states = [self.state("pending"), self.state("starting"), self.state("starting"), self.state("ready", 2)]
        api.put("GET", self.PATH, *states)
        seen: list[str] = []
        deployments = client.project("acme", "churn").deployments
        ready = deployments.wait_until_ready("live", on_change=lambda deployment: seen.append(deployment["status"]))
        assert ready["ready_replicas"] == 2
        assert seen == ["pending", "starting", "ready"]
        assert slept == sorted(slept)

    def test_a_failure_ends_the_wait(self, api: FakeApi, client: Client) -> None:
        api.put("GET", self.PATH, self.state("failed", message="No module named xgboost"))
        with pytest.raises(DeploymentFailedError, match="No module named xgboost") as caught:
            client.project("acme", "churn").deployments.wait_until_ready("live")
        assert caught.value.deployment["status"] == "failed"

    def test_a_stopped_one_is_not_waited_for(self, api: FakeApi, client: Client) -> None:
        api.put("GET", self.PATH, self.state("stopping", desired_status="stopped"))
        with pytest.raises(DeploymentFailedError, match="is stopped"):
            client.project("acme", "churn").deployments.wait_until_ready("live")

    def test_the_deadline(self, api: FakeApi, client: Client) -> None:
        api.put("GET", self.PATH, self.state("starting"))
        with pytest.raises(DeploymentTimeoutError, match="still starting after 0 seconds"):
            client.project("acme", "churn").deployments.wait_until_ready("live", deadline_seconds=0)

    @pytest.mark.parametrize(
        ("data", "kind", "body"),
        [
            (b"a,b\n1,2\n", "text/csv", b"a,b\n1,2\n"),
            ("a\n1\n", "text/csv", b"a\n1\n"),
            ([{"a": 1}], "application/json", b'{"dataframe_records": [{"a": 1}]}'),
            ([[1, 2]], "application/json", b'{"inputs": [[1, 2]]}'),
            ([], "application/json", b'{"inputs": []}'),
            ({"instances": [1]}, "application/json", b'{"instances": [1]}'),
        ],
    )
    def test_predict(self, api: FakeApi, client: Client, data: Any, kind: str, body: bytes) -> None:
        api.put("POST", "/serve/acme/churn/live/invocations", {"predictions": [0.5]})
        assert client.project("acme", "churn").predict("live", data) == {"predictions": [0.5]}
        assert (api.last.headers["Content-Type"], api.last.body) == (kind, body)

    def test_infer(self, api: FakeApi, client: Client) -> None:
        api.put("POST", "/serve/acme/churn/live/v2/models/risk/infer", {"outputs": []})
        tensor = {"name": "a", "shape": [1], "datatype": "FP64", "data": [1.0]}
        client.infer("acme", "churn", "live", "risk", [tensor])
        assert api.last.json == {"inputs": [tensor]}
        client.infer("acme", "churn", "live", "risk", {"id": "1", "inputs": [tensor]})
        assert api.last.json == {"id": "1", "inputs": [tensor]}


def _project(client: Client) -> module.Project:
    return client.project("acme", "churn")


# fmt: off
VERBS = [
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


def test_flasks_test_client_is_a_transport() -> None:
    app = Flask("small")

    @app.get("/under/api/v1/session")
    def session() -> dict[str, Any]:
        return {"user": {"username": request.headers["Authorization"]}, "kind": "token"}

    client = Client("http://app.localhost/under", TOKEN, transport=over_flask(app))
    assert client.session.get()["user"]["username"] == f"Bearer {TOKEN}"


def test_too_large_is_an_invalid_input_of_python_too() -> None:
    assert issubclass(TooLargeError, ValueError)
    assert issubclass(NotFoundError, LookupError)


def test_importing_the_client_loads_nothing_else() -> None:
    program = (
        "import sys, modelyard.client; "
        "heavy = {'requests', 'urllib3', 'flask', 'peewee', 'marshmallow', 'click', 'rich'} & set(sys.modules); "
        "ours = {name for name in sys.modules if name.startswith('modelyard.')} - {'modelyard.client'}; "
        "sys.exit(f'{heavy} {ours}' if heavy or ours else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_class_and_verb_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "client.md").read_text("utf-8")
    for name, value in vars(module).items():
        if not isinstance(value, type) or value.__module__ != module.__name__ or name.startswith("_"):
            continue
        if issubclass(value, ClientError):
            assert f"`{name}`" in page
        if issubclass(value, module._Resource):
            verbs = [verb for verb in vars(value) if not verb.startswith("_") and callable(getattr(value, verb))]
            assert all(f"`{verb}" in page for verb in verbs), name
