"""Slack: the message that people read, and a real HTTP server that answers as Slack does, badly, and not at all."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from slack_sdk.models.blocks import Block

from modelyard import InvalidInput, Notification, PluginError, PluginRefused, PluginUnavailable
from modelyard.core import outgoing
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_providers import check_provider
from modelyard.core.providers import bind, validate_settings
from modelyard.core.testing import NotifierContract, NotifierOutageContract
from modelyard.core.testing.notifier import notification
from modelyard.plugins.slack.message import LONGEST_HEADER, compose, escape
from modelyard.plugins.slack.notifier import Slack

SECRET = "T0001/B0001/hunter2"
TOKEN = "xoxb-hunter2"


class FakeSlack(ThreadingHTTPServer):
    """Answers with what stands first in `answers` (status, headers, body), else as Slack does when all is well."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.answers: list[Any] = []

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Resets are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: FakeSlack

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        fine = '{"ok": true}' if self.path.startswith("/api/") else "ok"
        answer = self.server.answers.pop(0) if self.server.answers else (200, {}, fine)
        if answer == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            return
        status, headers, text = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Keep the tests' output quiet."""


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    before = outgoing.current_policy()
    outgoing.set_policy(outgoing.OutgoingPolicy.of("127.0.0.0/8"))
    yield
    outgoing.set_policy(before)


@pytest.fixture
def server() -> Iterator[FakeSlack]:
    with FakeSlack() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join(10)


def slack(**settings: Any) -> Slack:
    return Slack(validate_settings(Slack.settings_schema, settings))


def by_webhook(server: FakeSlack, **more: Any) -> Slack:
    return slack(webhook_url=server.url(f"services/{SECRET}"), **more)


def by_token(server: FakeSlack, **more: Any) -> Slack:
    return slack(token=TOKEN, channel="#ml-alerts", api_url=server.url("api/"), **more)


WAYS = pytest.mark.parametrize("way", [by_webhook, by_token])


def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


class TestWebhookContract(NotifierContract):
    @pytest.fixture
    def notifier(self, server: FakeSlack) -> Slack:
        return by_webhook(server)


class TestTokenContract(NotifierContract):
    @pytest.fixture
    def notifier(self, server: FakeSlack) -> Slack:
        return by_token(server)


class TestWebhookOutage(NotifierOutageContract):
    @pytest.fixture
    def unreachable_notifier(self) -> Slack:
        return slack(webhook_url=dead_url())


class TestTokenOutage(NotifierOutageContract):
    @pytest.fixture
    def unreachable_notifier(self) -> Slack:
        return slack(token=TOKEN, channel="C1", api_url=dead_url())


class TestAnswers:
    def test_the_webhook_gets_the_message(self, server: FakeSlack) -> None:
        sent = notification()
        by_webhook(server).send(sent)

        (request,) = server.requests
        assert request[0] == f"/services/{SECRET}"
        assert request[2] == compose(sent)

    def test_the_bot_posts_to_its_channel(self, server: FakeSlack) -> None:
        sent = notification()
        by_token(server).send(sent)

        ((path, headers, body),) = server.requests
        assert (path, headers["authorization"]) == ("/api/chat.postMessage", f"Bearer {TOKEN}")
        assert body == {"channel": "#ml-alerts", "unfurl_links": False, **compose(sent)}

    @WAYS
    def test_a_short_rate_limit_is_waited_for(self, server: FakeSlack, way: Any) -> None:
        server.answers = [(429, {"Retry-After": "0"}, "")]
        way(server).send(notification())
        assert len(server.requests) == 2

    @WAYS
    def test_a_long_rate_limit_is_the_deliverys(self, server: FakeSlack, way: Any) -> None:
        server.answers = [(429, {"Retry-After": "90"}, '{"ok": false, "error": "ratelimited"}')] * 2
        with pytest.raises(PluginUnavailable, match="answered 429") as caught:
            way(server).send(notification())
        assert caught.value.retry_after_seconds == 90
        assert len(server.requests) == 1

    @WAYS
    @pytest.mark.parametrize("odd", [{}, {"Retry-After": "soon"}])
    def test_a_rate_limit_that_does_not_say_how_long(self, server: FakeSlack, way: Any, odd: dict[str, str]) -> None:
        server.answers = [(429, odd, "")]
        with pytest.raises(PluginUnavailable) as caught:
            way(server).send(notification())
        assert caught.value.retry_after_seconds is None

    @WAYS
    @pytest.mark.parametrize("trouble", [(500, {}, "rollup_error"), (503, {}, ""), "reset"])
    def test_trouble_is_tried_once_more_within_the_attempt(self, server: FakeSlack, way: Any, trouble: Any) -> None:
        server.answers = [trouble]
        way(server).send(notification())
        assert len(server.requests) == 2

    @WAYS
    @pytest.mark.parametrize("trouble", [(500, {}, "rollup_error"), (502, {}, "<html>"), "reset"])
    def test_trouble_that_stays_is_worth_another_attempt(self, server: FakeSlack, way: Any, trouble: Any) -> None:
        server.answers = [trouble] * 5
        with pytest.raises(PluginUnavailable):
            way(server).send(notification())
        assert len(server.requests) <= 2

    @pytest.mark.parametrize(
        ("status", "word"),
        [(400, "invalid_payload"), (404, "no_service"), (410, "channel_is_archived"), (403, "action_prohibited")],
    )
    def test_what_the_webhook_refuses_is_final(self, server: FakeSlack, status: int, word: str) -> None:
        server.answers = [(status, {}, word)] * 2
        with pytest.raises(PluginRefused, match=f"Slack answered {status}: {word}"):
            by_webhook(server).send(notification())
        assert len(server.requests) == 1

    @pytest.mark.parametrize("word", ["channel_not_found", "invalid_auth", "not_in_channel"])
    def test_what_the_web_api_refuses_is_final(self, server: FakeSlack, word: str) -> None:
        server.answers = [(200, {}, json.dumps({"ok": False, "error": word}))] * 2
        with pytest.raises(PluginRefused, match=word):
            by_token(server).send(notification())
        assert len(server.requests) == 1

    @pytest.mark.parametrize("said", ['{"ok": false, "error": "internal_error"}', "{no json", "<html>"])
    def test_odd_answers_of_the_web_api_are_worth_another_attempt(self, server: FakeSlack, said: str) -> None:
        server.answers = [(200, {}, said)] * 2
        raised = PluginRefused if said == "<html>" else PluginUnavailable
        with pytest.raises(raised):
            by_token(server).send(notification())

    @WAYS
    def test_a_redirect_is_not_followed(self, server: FakeSlack, way: Any) -> None:
        server.answers = [(302, {"Location": "http://169.254.169.254/"}, "")]
        with pytest.raises(PluginRefused, match="answered 302"):
            way(server).send(notification())
        assert len(server.requests) == 1

    @WAYS
    def test_an_address_inside_is_refused_for_good(self, server: FakeSlack, way: Any) -> None:
        outgoing.set_policy(outgoing.OutgoingPolicy())
        with pytest.raises(InvalidInput, match="inside of this network"):
            way(server).send(notification())
        assert way(server).health().ok is False
        assert server.requests == []

    def test_a_proxy_of_the_environment_is_not_used(self, server: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, dead_url())
        by_webhook(server).send(notification())
        by_token(server).send(notification())
        assert len(server.requests) == 2

    def test_health_asks_whether_the_token_is_good(self, server: FakeSlack) -> None:
        assert by_token(server).health().ok is True
        server.answers = [(200, {}, '{"ok": false, "error": "token_revoked"}')]
        health = by_token(server).health()
        assert (health.ok, "token_revoked" in health.message) == (False, True)
        assert {path for path, _, _ in server.requests} == {"/api/auth.test"}

    def test_health_of_a_webhook_posts_nothing(self, server: FakeSlack) -> None:
        assert by_webhook(server).health().ok is True
        assert server.requests == []


@WAYS
@pytest.mark.parametrize("answer", [(404, {}, SECRET + TOKEN), (503, {}, SECRET + TOKEN), "reset"])
def test_no_secret_leaves(
    server: FakeSlack, way: Any, answer: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    server.answers = [answer] * 3
    given = dict(way(server).settings)
    hidden = {key: given.pop(key) for key in ("webhook_url", "token")}
    bound = bind(check_provider("notifier", "slack", Slack), given, hidden, Guard(), "c1")
    if hidden["webhook_url"]:
        server.answers = [(one[0], {}, hidden["webhook_url"]) if one != "reset" else one for one in server.answers]
    with pytest.raises(PluginError) as caught:
        bound.send(notification())  # type: ignore[attr-defined]  # a BoundNotifier
    printed = capsys.readouterr()
    for text in (str(caught.value), caplog.text, printed.out, printed.err):
        assert hidden["webhook_url"] is None or hidden["webhook_url"] not in text
        assert TOKEN not in text


def test_what_slack_asks_to_wait_comes_through_the_guard(server: FakeSlack) -> None:
    server.answers = [(429, {"Retry-After": "120"}, "")]
    settings = {"webhook_url": server.url("services/x")}
    bound = bind(check_provider("notifier", "slack", Slack), {}, settings, Guard(), "c1")
    with pytest.raises(PluginUnavailable) as caught:
        bound.send(notification())  # type: ignore[attr-defined]
    assert caught.value.retry_after_seconds == 120


def texts(message: dict[str, Any]) -> list[str]:
    blocks = message["blocks"]
    parts = [part for one in blocks for part in (one.get("text"), *one.get("fields", []), *one.get("elements", []))]
    return [part["text"] for part in parts if part]


class TestMessage:
    def test_it_says_who_what_where_when_and_links_to_the_page(self) -> None:
        sent = notification()
        sent = replace(sent, event={**sent.event, "actor_name": "ada"})
        message = compose(sent)
        assert message["text"] == "🟢 risk/3 is now in Production"
        assert texts(message) == [
            "🟢 risk/3 is now in Production",
            "*stage*\nStaging → Production",
            "<https://modelyard.test/acme/churn/models/risk/versions/3|Open in Modelyard>",
            "by *ada*  ·  in acme/churn  ·  <!date^1760000000^{date_short_pretty} {time}|2025-10-09 08:53 UTC>"
            "  ·  model_version.stage_changed",
        ]

    @pytest.mark.parametrize(
        ("action", "after", "mark"),
        [
            ("run.finished", {"status": "FAILED"}, "🔴"),
            ("deployment.failed", {}, "🔴"),
            ("run.finished", {"status": "FINISHED"}, "🟢"),
            ("deployment.became_ready", {}, "🟢"),
            ("model.deleted", {}, "⚪"),
            ("model.created", {"name": "risk"}, "🔵"),
            ("odd", "no mapping", "🔵"),
        ],
    )
    def test_the_dot_shows_the_outcome(self, action: str, after: Any, mark: str) -> None:
        sent = replace(notification(), action=action, event={"after": after})
        assert compose(sent)["text"].startswith(mark)

    def test_what_slack_would_read_as_markup_is_text(self) -> None:
        sent = Notification("1", "a.b", "<!channel> & co", "", 0, event={"after": {"<!here>": "<@U1|x>", "n": None}})
        message = compose(sent)
        joined = "".join(texts(message))
        assert "&lt;!channel&gt; &amp; co" in message["text"]
        assert "<!channel>" not in joined
        assert "<!here>" not in joined
        assert "<@U1" not in joined
        assert "*n*\nnone" in joined

    @pytest.mark.parametrize(
        "link", [None, "javascript:alert(1)", "https://x.test/|<!channel>", "https://" + "x" * 9000]
    )
    def test_a_link_that_is_none_is_left_out(self, link: str | None) -> None:
        assert "Open in" not in "".join(texts(compose(replace(notification(), link=link))))

    @pytest.mark.parametrize(
        "change",
        [
            {"title": "&" * 5000, "text": "<" * 50_000, "event": {}},
            {"title": "模" * 5000},
            {"event": {"after": {f"key{i}" * 50: ["x" * 9000, {"deep": i}] for i in range(50)}}},
            {"event": {"organization": "o" * 900, "project": "p" * 900, "actor_name": "&" * 900}},
        ],
    )
    def test_it_stays_within_slacks_limits(self, change: dict[str, Any]) -> None:
        message = compose(replace(notification(), **change))
        blocks = Block.parse_all(message["blocks"])
        for block in blocks:
            block.validate_json()
        assert len(message["blocks"][0]["text"]["text"]) <= LONGEST_HEADER
        assert all(len(text) <= 3000 for text in texts(message))
        fields = [field for block in message["blocks"] for field in block.get("fields", [])]
        assert len(fields) <= 10
        assert all(len(field["text"]) <= 2000 for field in fields)

    def test_a_cut_never_halves_an_escape(self) -> None:
        for longest in range(1, 20):
            cut = escape("a&<>b&c", longest)
            assert len(cut) <= longest
            assert cut.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").count("&") == 0
        assert escape("a&<>b&c", 20) == "a&amp;&lt;&gt;b…"
        assert escape("a&<>b&c", 22) == "a&amp;&lt;&gt;b&amp;c"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "webhook_url"),
        ({"webhook_url": "https://x.test/", "token": "xoxb-1", "channel": "C1"}, "webhook_url"),
        ({"token": "xoxb-1"}, "channel"),
        ({"webhook_url": "ftp://x.test"}, "webhook_url"),
        ({"webhook_url": "https://x.test/\r\nX: y"}, "webhook_url"),
        ({"token": "a\nb", "channel": "C1"}, "token"),
        ({"webhook_url": "https://x.test/", "timeout_seconds": 11}, "timeout_seconds"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field}:"):
        validate_settings(Slack.settings_schema, settings)
