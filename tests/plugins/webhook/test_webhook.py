"""The webhook against a real HTTP server that behaves well, badly, and not at all."""

import base64
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from modelyard import InvalidInput, Notification, PluginError, PluginRefused, PluginUnavailable
from modelyard.core import outgoing
from modelyard.core.plugin_guard import Guard
from modelyard.core.plugin_manager import PluginManager
from modelyard.core.providers import BoundNotifier, bind, validate_settings
from modelyard.core.testing import NotifierContract, NotifierOutageContract
from modelyard.core.testing.notifier import notification
from modelyard.plugins.webhook.notifier import MOST_BODY_BYTES, Webhook
from tests.receiver import Receiver, receiving

SECRET, OTHER = (f"whsec_{base64.b64encode(letter * 32).decode()}" for letter in (b"a", b"b"))


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
    with receiving() as server:
        yield server


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


class TestSignature:
    def test_another_implementation_accepts_it(self, receiver: Receiver) -> None:
        sent = replace(notification(), title="模型 ünïcødé 🕊")

        webhook(receiver.url("/200"), signing_secret=SECRET).send(sent)

        _, headers, body = receiver.requests[0]
        assert Verifier(SECRET).verify(body, headers)["id"] == sent.id
        for changed in ({"webhook-id": "other"}, {"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}):
            with pytest.raises(WebhookVerificationError):
                Verifier(SECRET).verify(body, headers | changed)
        with pytest.raises(WebhookVerificationError):
            Verifier(SECRET).verify(body.replace(b"risk", b"rusk"), headers)
        with pytest.raises(WebhookVerificationError):
            Verifier(OTHER).verify(body, headers)

    def test_during_a_rotation_both_secrets_are_good(self, receiver: Receiver) -> None:
        webhook(receiver.url("/200"), signing_secret=SECRET, previous_signing_secret=OTHER).send(notification())

        _, headers, body = receiver.requests[0]
        assert len(headers["webhook-signature"].split(" ")) == 2
        for secret in (SECRET, OTHER):
            Verifier(secret).verify(body, headers)

    def test_without_a_secret_there_is_none(self, receiver: Receiver) -> None:
        webhook(receiver.url("/200")).send(notification())

        assert "webhook-signature" not in receiver.requests[0][1]
        assert int(receiver.requests[0][1]["webhook-timestamp"]) > 1_700_000_000


class TestSize:
    @pytest.mark.parametrize(
        "change",
        [
            {"text": "x" * MOST_BODY_BYTES},
            {"title": "模" * MOST_BODY_BYTES},
            {"event": {"object_name": "risk", "after": {"notes": "x" * MOST_BODY_BYTES}}},
            {"event": {"notes": "x" * MOST_BODY_BYTES}},
        ],
    )
    def test_a_document_that_is_too_large_is_cut(self, receiver: Receiver, change: dict[str, Any]) -> None:
        sent = replace(notification(), **change)

        webhook(receiver.url("/200")).send(sent)

        body = receiver.requests[0][2]
        document = json.loads(body)
        assert len(body) <= MOST_BODY_BYTES
        assert (document["id"], document["type"]) == (sent.id, "modelyard.model_version.stage_changed")
        assert document["data"]["event"].get("truncated", False) is ("event" in change)


class TestAnswers:
    @pytest.mark.parametrize("status", ["200", "201", "204", "299"])
    def test_success(self, receiver: Receiver, status: str) -> None:
        webhook(receiver.url(f"/{status}")).send(notification())

    @pytest.mark.parametrize("status", ["408", "425", "429", "500", "502", "503"])
    def test_worth_another_try(self, receiver: Receiver, status: str) -> None:
        with pytest.raises(PluginUnavailable, match=f"answered {status}: wait"):
            webhook(receiver.url(f"/{status}/wait")).send(notification())

    @pytest.mark.parametrize("status", ["400", "401", "404", "410", "422"])
    def test_not_worth_another_try(self, receiver: Receiver, status: str) -> None:
        with pytest.raises(PluginRefused, match=f"answered {status}: no"):
            webhook(receiver.url(f"/{status}/no")).send(notification())

    @pytest.mark.parametrize(("path", "seconds"), [("/429-120", 120), ("/503-7", 7), ("/503", None), ("/503-x", None)])
    def test_how_long_it_asks_to_wait(self, receiver: Receiver, path: str, seconds: float | None) -> None:
        with pytest.raises(PluginUnavailable) as caught:
            webhook(receiver.url(path)).send(notification())
        assert caught.value.retry_after_seconds == seconds

    def test_a_redirect_is_reported_and_not_followed(self, receiver: Receiver) -> None:
        with pytest.raises(PluginRefused, match=r"307, a redirect to http://169\.254\.169\.254/latest"):
            webhook(receiver.url("/redirect")).send(notification())
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
    @pytest.mark.parametrize(("path", "raised"), [("/404/hunter2", PluginRefused), ("/503/hunter2", PluginUnavailable)])
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
        ({"url": "https://x.test/", "token_header": "Host"}, "token_header"),
        ({"url": "https://x.test/", "token_header": "Webhook-Signature"}, "token_header"),
        ({"url": "https://x.test/", "signing_secret": "hunter2"}, "signing_secret"),
        ({"url": "https://x.test/", "signing_secret": SECRET[6:]}, "signing_secret"),
        ({"url": "https://x.test/", "signing_secret": "whsec_aHVudGVyMg=="}, "signing_secret"),
        ({"url": "https://x.test/", "previous_signing_secret": "whsec_!!"}, "previous_signing_secret"),
        ({"url": "https://x.test/", "timeout_seconds": 0}, "timeout_seconds"),
        ({"url": "https://x.test/", "timeout_seconds": 60}, "timeout_seconds"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput, match=f"{field}:"):
        validate_settings(Webhook.settings_schema, settings)
