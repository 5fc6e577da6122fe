"""The webhook against a real HTTP server that behaves well, badly, and not at all."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from modelyard import InvalidInput, Notification, PluginError, PluginUnavailable
from modelyard.core import outgoing
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.providers import BoundNotifier, bind, validate_settings
from modelyard.core.testing import NotifierContract, NotifierOutageContract
from modelyard.core.testing.notifier import notification
from modelyard.plugins.webhook.notifier import Webhook


class Receiver(ThreadingHTTPServer):
    """Answers each path as it says: /200, /404/text, /redirect, /reset, /slow."""

    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.released = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Resets are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        what, _, text = self.path[1:].partition("/")
        if what == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            return
        if what == "slow":
            self.server.released.wait(30)
            what = "200"
        self.send_response(307 if what == "redirect" else int(what))
        if what == "redirect":
            self.send_header("Location", "http://169.254.169.254/latest")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Keep the tests' output quiet."""


@pytest.fixture(autouse=True)
def policy() -> Iterator[None]:
    """Nothing inside may be reached, whatever another test has set."""
    before = outgoing.current_policy()
    outgoing.set_policy(outgoing.OutgoingPolicy())
    yield
    outgoing.set_policy(before)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    outgoing.set_policy(outgoing.OutgoingPolicy.of("127.0.0.0/8"))
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.released.set()
        server.shutdown()
        thread.join(10)


def webhook(url: str, **settings: Any) -> Webhook:
    return Webhook(validate_settings(Webhook.settings_schema, {"url": url, **settings}))


def dead_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"


class TestContract(NotifierContract):
    @pytest.fixture
    def notifier(self, receiver: Receiver) -> Webhook:
        self.receiver = receiver
        return webhook(receiver.url("/200"))

    def delivered(self, notifier: Any) -> list[str]:
        return [json.loads(body)["id"] for _, _, body in self.receiver.requests]


@pytest.mark.usefixtures("receiver")
class TestOutage(NotifierOutageContract):
    @pytest.fixture
    def unreachable_notifier(self) -> Webhook:
        return webhook(dead_url())


class TestRequest:
    def test_it_is_a_cloud_event(self, receiver: Receiver) -> None:
        sent = notification()

        webhook(receiver.url("/202/accepted")).send(sent)

        path, headers, body = receiver.requests[0]
        assert path == "/202/accepted"
        assert headers["webhook-id"] == sent.id
        assert headers["content-type"].startswith("application/cloudevents+json")
        assert "authorization" not in headers
        assert json.loads(body) == {
            "specversion": "1.0",
            "id": sent.id,
            "source": "/organizations/acme/projects/churn",
            "type": "modelyard.model_version.stage_changed",
            "subject": "model_version/risk/3",
            "time": "2025-10-09T08:53:20.123Z",
            "datacontenttype": "application/json",
            "data": {"title": sent.title, "text": sent.text, "link": sent.link, "event": sent.event},
        }

    @pytest.mark.parametrize(
        ("event", "source"), [({}, "/modelyard"), ({"organization": "acme"}, "/organizations/acme")]
    )
    def test_the_source_is_the_closest_known(self, receiver: Receiver, event: dict[str, str], source: str) -> None:
        webhook(receiver.url("/200")).send(Notification("id", "a.b", "", "", 0, event=event))

        document = json.loads(receiver.requests[0][2])
        assert document["source"] == source
        assert "subject" not in document

    @pytest.mark.parametrize(("settings", "header"), [({}, "authorization"), ({"token_header": "X-Key"}, "x-key")])
    def test_a_token_goes_into_its_header(self, receiver: Receiver, settings: dict[str, str], header: str) -> None:
        webhook(receiver.url("/200"), token="Bearer hunter2", **settings).send(notification())

        assert receiver.requests[0][1][header] == "Bearer hunter2"


class TestAnswers:
    @pytest.mark.parametrize("status", ["200", "201", "204", "299"])
    def test_success(self, receiver: Receiver, status: str) -> None:
        webhook(receiver.url(f"/{status}")).send(notification())

    @pytest.mark.parametrize("status", ["408", "429", "500", "502", "503"])
    def test_worth_another_try(self, receiver: Receiver, status: str) -> None:
        with pytest.raises(PluginUnavailable, match=f"answered {status}: wait"):
            webhook(receiver.url(f"/{status}/wait")).send(notification())

    @pytest.mark.parametrize("status", ["400", "401", "404", "410", "422"])
    def test_not_worth_another_try(self, receiver: Receiver, status: str) -> None:
        with pytest.raises(PluginError, match=f"answered {status}: no") as caught:
            webhook(receiver.url(f"/{status}/no")).send(notification())
        assert type(caught.value) is PluginError

    def test_a_redirect_is_reported_and_not_followed(self, receiver: Receiver) -> None:
        with pytest.raises(PluginError, match=r"307, a redirect to http://169\.254\.169\.254/latest") as caught:
            webhook(receiver.url("/redirect")).send(notification())
        assert type(caught.value) is PluginError
        assert len(receiver.requests) == 1

    def test_a_reset_is_worth_another_try(self, receiver: Receiver) -> None:
        with pytest.raises(PluginUnavailable, match=r"ConnectionResetError|RemoteDisconnected"):
            webhook(receiver.url("/reset")).send(notification())

    def test_a_slow_one_is_given_up_at_its_limit(self, receiver: Receiver) -> None:
        with pytest.raises(PluginUnavailable, match="no whole answer in time"):
            webhook(receiver.url("/slow"), timeout_seconds=0.3).send(notification())

    def test_an_address_inside_is_refused_for_good(self) -> None:
        with pytest.raises(InvalidInput, match="inside of this network"):
            webhook("http://127.0.0.1:9/").send(notification())
        assert not webhook("http://127.0.0.1:9/").health().ok


class TestBound:
    @pytest.mark.parametrize(("path", "raised"), [("/404/hunter2", PluginError), ("/503/hunter2", PluginUnavailable)])
    def test_an_answer_that_quotes_the_token_does_not_give_it_away(
        self, receiver: Receiver, path: str, raised: type[PluginError]
    ) -> None:
        entry = PluginManager().provider("notifier", "webhook")
        bound = bind(entry, {"url": receiver.url(path)}, {"token": "hunter2"}, Guard(), "c1")
        assert isinstance(bound, BoundNotifier)

        with pytest.raises(raised) as caught:
            bound.send(notification())

        assert type(caught.value) is raised
        assert caught.value.message.endswith(f"answered {path[1:4]}: ***")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "url"),
        ({"url": "ftp://x.test/"}, "url"),
        ({"url": "x"}, "url"),
        ({"url": "https://x.test/", "token": "a\r\nb"}, "token"),
        ({"url": "https://x.test/", "token_header": "a b"}, "token_header"),
        ({"url": "https://x.test/", "timeout_seconds": 0}, "timeout_seconds"),
        ({"url": "https://x.test/", "timeout_seconds": 60}, "timeout_seconds"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field}:"):
        validate_settings(Webhook.settings_schema, settings)
