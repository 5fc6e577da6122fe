"""MLflow's webhooks: what they say of each change, read by MLflow's own definitions, and how they are signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from mlflow.entities.webhook import WebhookEvent
from mlflow.webhooks.delivery import _generate_hmac_signature
from mlflow.webhooks.types import EVENT_TO_PAYLOAD_CLASS, get_payload_class_for_event

from modelyard import Notification
from modelyard.core import outgoing
from modelyard.core.notifications.mlflow_events import ACTIONS
from modelyard.core.providers import validate_settings
from modelyard.core.testing import NotifierContract, NotifierOutageContract
from modelyard.core.testing.notifier import notification
from modelyard.plugins.webhook.mlflow import MlflowWebhook
from tests.receiver import Receiver, receiving

TAGS = {"k": "v", "mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "Hi {{name}}", "_mlflow_prompt_type": "text"}
VERSION = {"after": {"source": "models:/m-1", "run_id": "", "tags": TAGS, "description": "d"}}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    before = outgoing.current_policy()
    outgoing.set_policy(outgoing.OutgoingPolicy.of("127.0.0.0/8"))
    with receiving() as server:
        yield server
    outgoing.set_policy(before)


def webhook(url: str, **settings: Any) -> MlflowWebhook:
    return MlflowWebhook(validate_settings(MlflowWebhook.settings_schema, {"url": url, **settings}))


class TestContract(NotifierContract):
    @pytest.fixture
    def notifier(self, receiver: Receiver) -> MlflowWebhook:
        self.receiver = receiver
        return webhook(receiver.url("/200"), secret="s")

    def delivered(self, notifier: Any) -> list[str]:
        return [headers["x-mlflow-delivery-id"] for _, headers, _ in self.receiver.requests]


@pytest.mark.usefixtures("receiver")
class TestOutage(NotifierOutageContract):
    @pytest.fixture
    def unreachable_notifier(self) -> MlflowWebhook:
        return webhook("http://127.0.0.1:9/", secret="a secret of some length")


def told(receiver: Receiver, action: str, **event: Any) -> Any:
    sent = Notification("id-1", action, "title", "text", 1_760_000_000_123, event={"before": {}, "after": {}, **event})
    webhook(receiver.url("/200")).send(sent)
    return json.loads(receiver.requests[-1][2])


@pytest.mark.parametrize(
    ("name", "event", "data"),
    [
        ("registered_model.created", {"object_name": "risk", "after": {"name": "risk", "tags": {"k": "v"}}},
         {"name": "risk", "tags": {"k": "v"}, "description": None}),
        ("model_version.created", {"object_name": "risk/3", "after": {"source": "models:/m-1", "run_id": "r1"}},
         {"name": "risk", "version": "3", "source": "models:/m-1", "run_id": "r1", "tags": {}, "description": None}),
        ("model_version_tag.set", {"object_name": "risk/3", "after": {"k": "v"}},
         {"name": "risk", "version": "3", "key": "k", "value": "v"}),
        ("model_version_tag.deleted", {"object_name": "risk/3", "before": {"key": "k"}},
         {"name": "risk", "version": "3", "key": "k"}),
        ("model_version_alias.created", {"object_name": "risk/3", "after": {"alias": "champion", "version": 3}},
         {"name": "risk", "alias": "champion", "version": "3"}),
        ("model_version_alias.deleted", {"object_name": "risk/3", "before": {"alias": "champion", "version": 3}},
         {"name": "risk", "alias": "champion"}),
        ("prompt.created", {"object_name": "hi", "after": {"name": "hi", "tags": TAGS, "description": "d"}},
         {"name": "hi", "tags": {"k": "v"}, "description": "d"}),
        ("prompt_version.created", {"object_name": "hi/1", **VERSION},
         {"name": "hi", "version": "1", "template": "Hi {{name}}", "tags": {"k": "v"}, "description": "d"}),
        ("prompt_tag.set", {"object_name": "hi", "after": {"k": "v"}}, {"name": "hi", "key": "k", "value": "v"}),
        ("prompt_tag.deleted", {"object_name": "hi", "before": {"key": "k"}}, {"name": "hi", "key": "k"}),
        ("prompt_version_tag.set", {"object_name": "hi/1", "after": {"k": "v"}},
         {"name": "hi", "version": "1", "key": "k", "value": "v"}),
        ("prompt_version_tag.deleted", {"object_name": "hi/1", "before": {"key": "k"}},
         {"name": "hi", "version": "1", "key": "k"}),
        ("prompt_alias.created", {"object_name": "hi/1", "after": {"alias": "a", "version": 1}},
         {"name": "hi", "alias": "a", "version": "1"}),
        ("prompt_alias.deleted", {"object_name": "hi/1", "before": {"alias": "a", "version": 1}},
         {"name": "hi", "alias": "a"}),
    ],
)  # fmt: skip
def test_what_is_said_of_each_event(receiver: Receiver, name: str, event: dict[str, Any], data: dict[str, Any]) -> None:
    said = told(receiver, ACTIONS[name], **event)
    assert said["data"] == data
    assert f"{said['entity']}.{said['action']}" == name
    assert datetime.fromisoformat(said["timestamp"]).timestamp() == 1_760_000_000.123
    expected = get_payload_class_for_event(WebhookEvent.from_str(name))  # type: ignore[arg-type]  # a parameter
    assert expected is not None
    assert set(data) == set(expected.__annotations__)


def test_all_of_mlflows_events_are_known_but_the_gateways() -> None:
    theirs = {f"{entity.value}.{action.value}" for entity, action in EVENT_TO_PAYLOAD_CLASS}
    assert theirs - set(ACTIONS) == {"budget_policy.exceeded"}
    assert set(ACTIONS) <= theirs


def test_what_mlflow_never_tells_of_comes_as_it_is(receiver: Receiver) -> None:
    said = told(receiver, "model_version.stage_changed", object_name="risk/3", after={"stage": "Production"})
    assert (said["entity"], said["action"]) == ("model_version", "stage_changed")
    assert said["data"]["after"] == {"stage": "Production"}


def test_it_is_signed_as_mlflow_signs(receiver: Receiver) -> None:
    sent = notification()
    webhook(receiver.url("/200"), secret="geheim ü").send(sent)
    _, headers, body = receiver.requests[0]
    seconds = headers["x-mlflow-timestamp"]
    assert headers["x-mlflow-delivery-id"] == sent.id
    assert headers["content-type"] == "application/json"
    assert headers["x-mlflow-signature"] == _generate_hmac_signature("geheim ü", sent.id, seconds, body.decode())
    webhook(receiver.url("/200")).send(sent)
    assert "x-mlflow-signature" not in receiver.requests[1][1]
