"""Posts each notification as MLflow's own webhooks do, signed as they are, for receivers written for those."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from modelyard import Health, Notification, Notifier
from modelyard.core.notifications.mlflow_events import EVENTS
from modelyard.plugins.webhook.posting import SCHEMES, WITHOUT_USER, post, probe

PROMPT_TEXT = "mlflow.prompt.text"
PROMPT_MARKS = frozenset({PROMPT_TEXT, "mlflow.prompt.is_prompt", "_mlflow_prompt_type"})
LONGEST_URL = 500
TIMEOUT_SECONDS = 15.0
KEPT = {"secret_goes_to": False}
"""The secret itself is never sent, only signatures: an address may change without it."""


class MlflowWebhookSettings(Schema):
    """Where the requests go, and what MLflow's client knows of the webhook."""

    url = fields.Url(
        required=True,
        schemes=SCHEMES,
        require_tld=False,
        validate=[WITHOUT_USER, validate.Length(max=LONGEST_URL)],
        metadata={"title": "Address", "description": "Gets a POST with JSON.", **KEPT},
    )
    secret = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=1000),
        metadata={"title": "Secret", "description": "Each request is signed with it.", "secret": True},
    )
    name = fields.String(load_default="", validate=validate.Length(max=63), metadata={"title": "Name", **KEPT})
    description = fields.String(
        load_default="", validate=validate.Length(max=1000), metadata={"title": "Description", **KEPT}
    )


class MlflowWebhook(Notifier):
    """Sends a POST and takes any 2xx for success; what else is answered means what it means to `webhook`."""

    name = "mlflow_webhook"
    title = "MLflow webhook"
    settings_schema = MlflowWebhookSettings

    def health(self) -> Health:
        """Whether a connection, TLS included, can be made; nothing is sent."""
        return probe(self.settings["url"])

    def send(self, notification: Notification) -> None:
        """Post the notification; its id is in the header `X-MLflow-Delivery-Id`, the same over all attempts."""
        body = json.dumps(document(notification)).encode()
        seconds = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "modelyard",
            "X-MLflow-Delivery-Id": notification.id,
            "X-MLflow-Timestamp": seconds,
        }
        if self.settings["secret"]:
            signed = f"{notification.id}.{seconds}.".encode() + body
            signature = hmac.new(self.settings["secret"].encode(), signed, hashlib.sha256).digest()
            headers["X-MLflow-Signature"] = f"v1,{base64.b64encode(signature).decode()}"
        post(self.settings["url"], body, headers, timeout_seconds=TIMEOUT_SECONDS)


def document(notification: Notification) -> dict[str, Any]:
    """Return what MLflow sends of such a change; of one that it does not tell of, the change itself."""
    event = notification.event
    entity, _, action = EVENTS.get(notification.action, notification.action).rpartition(".")
    payload = PAYLOADS.get(notification.action)
    known = payload is not None and "object_name" in event
    return {
        "entity": entity,
        "action": action,
        "timestamp": datetime.fromtimestamp(notification.occurred_at_ms / 1000, UTC).isoformat(),
        "data": payload(event) if payload is not None and known else dict(event),
    }


def _created_model(event: Mapping[str, Any]) -> dict[str, Any]:
    after = event["after"]
    tags = _without_marks(after.get("tags", {}))
    return {"name": event["object_name"], "tags": tags, "description": after.get("description")}


def _created_version(event: Mapping[str, Any]) -> dict[str, Any]:
    after = event["after"]
    more = {"source": after["source"], "run_id": after.get("run_id") or None}
    return {**_version(event), **more, "tags": after.get("tags", {}), "description": after.get("description")}


def _created_prompt_version(event: Mapping[str, Any]) -> dict[str, Any]:
    after = event["after"]
    tags = after.get("tags", {})
    more = {"template": tags.get(PROMPT_TEXT), "tags": _without_marks(tags)}
    return {**_version(event), **more, "description": after.get("description")}


def _version(event: Mapping[str, Any]) -> dict[str, Any]:
    name, _, number = event["object_name"].rpartition("/")
    return {"name": name, "version": number}


def _model(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": event["object_name"]}


def _with_tag(thing: Payload) -> Payload:
    return lambda event: {**thing(event), **next({"key": key, "value": text} for key, text in event["after"].items())}


def _without_tag(thing: Payload) -> Payload:
    return lambda event: {**thing(event), "key": event["before"]["key"]}


def _alias_set(event: Mapping[str, Any]) -> dict[str, Any]:
    named = _version(event)
    return {"name": named["name"], "alias": event["after"]["alias"], "version": named["version"]}


def _alias_deleted(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": _version(event)["name"], "alias": event["before"]["alias"]}


def _without_marks(tags: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in tags.items() if key not in PROMPT_MARKS}


Payload = Callable[[Mapping[str, Any]], dict[str, Any]]
PAYLOADS: dict[str, Payload] = {
    "model.created": _created_model,
    "model_version.created": _created_version,
    "prompt.created": _created_model,
    "prompt_version.created": _created_prompt_version,
    "prompt.tag_set": _with_tag(_model),
    "prompt.tag_deleted": _without_tag(_model),
}
for noun in ("model_version", "prompt_version"):
    PAYLOADS |= {
        f"{noun}.tag_set": _with_tag(_version),
        f"{noun}.tag_deleted": _without_tag(_version),
        f"{noun}.alias_set": _alias_set,
        f"{noun}.alias_deleted": _alias_deleted,
    }
