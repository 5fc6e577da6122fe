"""Webhooks by MLflow's own client: made, changed, tried out, and told of what happens in the registry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from mlflow.entities.webhook import WebhookEvent
from mlflow.exceptions import MlflowException, RestException
from mlflow.webhooks.delivery import _generate_hmac_signature

from modelyard.core.bootstrap import Services
from modelyard.core.db import database
from modelyard.core.notifications.models import Event
from modelyard.core.projects.models import Connection
from modelyard.core.worker import Worker
from tests.factories import Factories
from tests.receiver import Receiver, receiving
from tests.web.mlflow.conftest import Wire

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
CREATED = {"entity": "MODEL_VERSION", "action": "CREATED"}
URL = "https://hooks.example.com/ml"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def worker(services: Services) -> Worker:
    return Worker(services, threads=1, lease_seconds=60, max_attempts=3)


@pytest.fixture
def deliver(worker: Worker) -> Any:
    """Do what the worker does until nothing is due."""

    def all_due() -> None:
        while worker.run_once():
            continue

    return all_due


def said(receiver: Receiver, secret: str | None) -> list[tuple[str, dict[str, Any]]]:
    """Return the events that came, in order, after checking each signature with MLflow's own code."""
    found = []
    for _, headers, body in receiver.requests:
        signature = headers.get("x-mlflow-signature")
        if secret is None:
            assert signature is None
        else:
            delivery, seconds = headers["x-mlflow-delivery-id"], headers["x-mlflow-timestamp"]
            assert signature == _generate_hmac_signature(secret, delivery, seconds, body.decode())
        document = json.loads(body)
        found.append((f"{document['entity']}.{document['action']}", document["data"]))
    return found


def test_the_client_makes_changes_and_removes_webhooks(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    made = client.create_webhook(
        "ml.Ops", URL, ["model_version.created", "model_version_alias.created"], description="d", secret="geheim"
    )
    assert (made.name, made.url, made.description, str(made.status)) == ("ml.Ops", URL, "d", "ACTIVE")
    assert [str(event) for event in made.events] == ["model_version.created", "model_version_alias.created"]
    twin = client.create_webhook("ml.Ops", URL, ["prompt.created"], status="DISABLED")
    assert str(client.get_webhook(twin.webhook_id).status) == "DISABLED"
    assert [hook.webhook_id for hook in client.list_webhooks()] == [made.webhook_id, twin.webhook_id]
    first = client.list_webhooks(max_results=1)
    rest = client.list_webhooks(max_results=1, page_token=first.token)
    assert ([hook.webhook_id for hook in [*first, *rest]], bool(rest.token)) == (
        [made.webhook_id, twin.webhook_id],
        False,
    )
    changed = client.update_webhook(
        made.webhook_id, name="other", url=f"{URL}/2", events=[WebhookEvent.from_str("prompt.created")],
        description="e", status="DISABLED", secret="neu",
    )  # fmt: skip
    assert (changed.name, changed.url, changed.description) == ("other", f"{URL}/2", "e")
    assert ([str(event) for event in changed.events], str(changed.status)) == (["prompt.created"], "DISABLED")
    assert changed.creation_timestamp == made.creation_timestamp
    moved = client.update_webhook(made.webhook_id, url=URL)  # the secret stays, as it is never sent itself
    assert (moved.url, moved.name, str(moved.status)) == (URL, "other", "DISABLED")
    client.delete_webhook(made.webhook_id)
    with pytest.raises(RestException) as gone:
        client.get_webhook(made.webhook_id)
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert [hook.webhook_id for hook in client.list_webhooks()] == [twin.webhook_id]


def test_what_happens_in_the_registry_is_told(mlflow: Any, receiver: Receiver, deliver: Any) -> None:
    client = mlflow.MlflowClient()
    events = [
        "registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
        "model_version_alias.created", "model_version_alias.deleted",
    ]  # fmt: skip
    client.create_webhook("all", receiver.url("/200"), events, secret="geheim")
    client.create_registered_model("risk", tags={"team": "a"}, description="d")
    client.create_model_version("risk", "mlflow-artifacts:/m", description="v", tags={"t": "1"})
    client.set_model_version_tag("risk", "1", "k", "v" * 5000)
    client.delete_model_version_tag("risk", "1", "k")
    client.set_registered_model_alias("risk", "champion", "1")
    client.delete_registered_model_alias("risk", "champion")
    client.update_registered_model("risk", description="nobody is told")
    deliver()
    version = {"name": "risk", "version": "1"}
    assert sorted(said(receiver, "geheim")) == sorted(
        [
            ("registered_model.created", {"name": "risk", "tags": {"team": "a"}, "description": "d"}),
            ("model_version.created", {**version, "source": "mlflow-artifacts:/m", "run_id": None, "tags": {"t": "1"},
                                       "description": "v"}),
            ("model_version_tag.set", {**version, "key": "k", "value": "v" * 5000}),
            ("model_version_tag.deleted", {**version, "key": "k"}),
            ("model_version_alias.created", {**version, "alias": "champion"}),
            ("model_version_alias.deleted", {"name": "risk", "alias": "champion"}),
        ]
    )  # fmt: skip


@on_sqlite
def test_prompts_are_told_of_as_prompts(mlflow: Any, receiver: Receiver, deliver: Any) -> None:
    client = mlflow.MlflowClient()
    client.create_webhook("models", receiver.url("/200/models"), ["registered_model.created", "model_version.created"])
    events = ["prompt.created", "prompt_version.created", "prompt_alias.created", "prompt_version_tag.set"]
    client.create_webhook("prompts", receiver.url("/200/prompts"), events)
    mlflow.genai.register_prompt("hi", "Hello {{name}}", commit_message="first", tags={"k": "v"})
    mlflow.genai.set_prompt_alias("hi", alias="live", version=1)
    client.set_prompt_version_tag("hi", "1", "state", "good")
    deliver()
    assert {path for path, _, _ in receiver.requests} == {"/200/prompts"}
    found = dict(said(receiver, None))
    assert set(found) == set(events)
    assert found["prompt_version.created"]["template"] == "Hello {{name}}"
    assert found["prompt_alias.created"] == {"name": "hi", "alias": "live", "version": "1"}
    assert found["prompt_version_tag.set"]["value"] == "good"
    assert mlflow.genai.load_prompt("prompts:/hi@live").template == "Hello {{name}}"


@on_sqlite
def test_a_disabled_or_deleted_webhook_hears_nothing(mlflow: Any, receiver: Receiver, deliver: Any) -> None:
    client = mlflow.MlflowClient()
    hook = client.create_webhook("h", receiver.url("/200"), ["registered_model.created"], status="DISABLED")
    client.create_registered_model("a")
    client.update_webhook(hook.webhook_id, status="ACTIVE")
    client.create_registered_model("b")
    deliver()
    client.delete_webhook(hook.webhook_id)
    client.create_registered_model("c")
    deliver()
    assert [data["name"] for _, data in said(receiver, None)] == ["b"]


def test_trying_out_sends_mlflows_example_now(mlflow: Any, receiver: Receiver) -> None:
    client = mlflow.MlflowClient()
    events = ["model_version_alias.created", "prompt_version.created"]
    good = client.create_webhook("good", receiver.url("/200"), events, secret="geheim")
    assert client.test_webhook(good.webhook_id).success
    for name in ("prompt_version.created", "model_version_tag.deleted", "registered_model.created"):
        assert client.test_webhook(good.webhook_id, name).success
    found = said(receiver, "geheim")
    assert [name for name, _ in found] == [
        "model_version_alias.created", "prompt_version.created", "model_version_tag.deleted", "registered_model.created"
    ]  # fmt: skip
    assert found[0][1] == {"name": "example_model", "alias": "example_alias", "version": "1"}
    assert found[1][1]["template"] == "Hello {{name}}!"
    bad = client.create_webhook("bad", receiver.url("/500/broken"), events)
    result = client.test_webhook(bad.webhook_id)
    assert not result.success
    assert "500: broken" in result.error_message


@on_sqlite
def test_addresses_inside_are_not_reached(mlflow: Any) -> None:
    client = mlflow.MlflowClient()
    hook = client.create_webhook("inside", "http://169.254.169.254/latest", ["registered_model.created"])
    result = client.test_webhook(hook.webhook_id)
    assert not result.success
    assert "inside of this network" in result.error_message


@on_sqlite
def test_a_failure_is_tried_again_and_is_in_the_log(
    mlflow: Any, wire: Wire, client: FlaskClient, receiver: Receiver, worker: Worker
) -> None:
    mlflow.MlflowClient().create_webhook("flaky", receiver.url("/503"), ["registered_model.created"])
    mlflow.MlflowClient().create_registered_model("risk")
    worker.run_once()
    organization, project = wire.prefix.split("/")[2:4]
    base = f"/api/v1/organizations/{organization}/projects/{project}"
    (delivery,) = client.get(f"{base}/deliveries", headers=wire.headers).get_json()["items"]
    assert (delivery["state"], delivery["attempts"], delivery["action"]) == ("queued", 1, "model.created")
    assert "503" in delivery["last_error"]
    (connection,) = client.get(f"{base}/connections", headers=wire.headers).get_json()["items"]
    assert (connection["provider"], connection["subscriptions"]) == ("mlflow_webhook", ["model.created"])
    assert delivery["subscriber"] == connection["name"]


@on_sqlite
def test_a_secret_is_never_shown_and_stored_encrypted(wire: Wire) -> None:
    made = wire.post("webhooks", name="h", url=URL, events=[CREATED], secret="very-secret-text")["webhook"]
    changed = wire.call("PATCH", f"webhooks/{made['webhook_id']}", {"secret": "other-secret-text"})
    seen = [str(made), changed.get_data(as_text=True), str(wire.get("webhooks"))]
    seen += [str(row) for table in ("connection", "event") for row in database.execute_sql(f"SELECT * FROM {table}")]
    assert not any("secret-text" in text for text in seen)
    assert Connection.get(Connection.provider == "mlflow_webhook").encrypted_secrets
    actions = [event.action for event in Event.select().where(Event.object_kind == "connection").order_by(Event.id)]
    assert actions == ["connection.created", "connection.updated"]


@on_sqlite
def test_addresses_are_for_the_projects_admins(wire: Wire, factories: Factories) -> None:
    made = wire.post("webhooks", name="h", url=URL, events=[CREATED], description="d")["webhook"]
    wire.headers.update(factories.headers(factories.member(wire.project, "viewer")))
    shown = wire.get(f"webhooks/{made['webhook_id']}")["webhook"]
    assert (shown["name"], shown["url"], shown["description"]) == ("h", "", "")
    assert wire.refusal("DELETE", f"webhooks/{made['webhook_id']}", {})[:2] == (403, "PERMISSION_DENIED")


@on_sqlite
def test_other_connections_are_no_webhooks(wire: Wire, services: Services, factories: Factories) -> None:
    actor = factories.actor(wire.owner)
    wish: dict[str, Any] = {"kind": "notifier", "settings": {"url": URL}}
    log = services.connections.create(actor, wire.project, name="log", kind="notifier", provider="log", settings={})
    none = services.connections.create(
        actor, wire.project, name="none", provider="mlflow_webhook", subscriptions=["run.*"], **wish
    )
    every = services.connections.create(actor, wire.project, name="every", provider="mlflow_webhook", **wish)
    services.connections.create(actor, wire.project.organization, name="shared", provider="mlflow_webhook", **wish)
    (found,) = wire.get("webhooks")["webhooks"]
    assert (found["webhook_id"], found["name"], len(found["events"])) == (every.public_id, "every", 14)
    for other in (log.public_id, none.public_id, "0" * 32):
        assert wire.refusal("GET", f"webhooks/{other}")[:2] == (404, "RESOURCE_DOES_NOT_EXIST")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": None}, "'name'"),
    ({"name": "-a"}, "'-a'"),
    ({"name": "a" * 64}, "Webhook name"),
    ({"url": None}, "'url'"),
    ({"url": "ftp://x/y"}, "url"),
    ({"url": "https://user:pass@example.com/"}, "url"),
    ({"url": "https://example.com/" + "x" * 500}, "url"),
    ({"events": None}, "'events'"),
    ({"events": []}, "non-empty"),
    ({"events": [{"entity": "MODEL_VERSION", "action": "EXCEEDED"}]}, "model_version.exceeded"),
    ({"events": [{"entity": "BUDGET_POLICY", "action": "EXCEEDED"}]}, "budget_policy.exceeded"),
    ({"events": [{"entity": "MODEL_VERSION"}]}, "events[0].action"),
    ({"status": "PAUSED"}, "'PAUSED'"),
    ({"secret": "x" * 1001}, "secret"),
    ({"description": "x" * 1001}, "description"),
]


@on_sqlite
def test_a_wrong_wish_is_refused(wire: Wire) -> None:
    for change, said in WRONG:
        status, code, message = wire.refusal(
            "POST", "webhooks", {"name": "h", "url": URL, "events": [CREATED], **change}
        )
        assert (status, code) == (400, "INVALID_PARAMETER_VALUE"), change
        assert said in message, change
    assert Connection.select().count() == 0
    for query in ({"max_results": 0}, {"max_results": 1001}, {"page_token": "x"}):
        assert wire.refusal("GET", "webhooks", **query)[:2] == (400, "INVALID_PARAMETER_VALUE")


@on_sqlite
def test_the_client_says_why(mlflow: Any) -> None:
    with pytest.raises(MlflowException, match=r"budget_policy\.exceeded"):
        mlflow.MlflowClient().create_webhook("h", URL, ["budget_policy.exceeded"])
