"""Posts each notification as a CloudEvents 1.0 document in JSON, signed as Standard Webhooks says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from modelyard import Health, Notification, Notifier, PluginRefused
from modelyard.plugins.webhook.posting import SCHEMES, WITHOUT_USER, post, probe

MOST_BODY_BYTES = 256 * 1024
SIGNING_PREFIX = "whsec_"
RESERVED = ("connection", "content-length", "content-type", "host", "transfer-encoding", "user-agent")
_TOKEN_HEADER = rf"(?!(?:{'|'.join(RESERVED)})\Z|webhook-)[A-Z0-9!#$%&'*+.^_`|~-]+\Z"  # ours are not the token's


def signing_key(secret: str) -> bytes:
    """Return the bytes of a secret such as Standard Webhooks writes it; raises ValueError for any other text."""
    key = base64.b64decode(secret.removeprefix(SIGNING_PREFIX), validate=True)
    if not secret.startswith(SIGNING_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError
    return key


def _check_signing_secret(secret: str) -> None:
    try:
        signing_key(secret)
    except ValueError:
        raise ValidationError("Write whsec_ and 24 to 64 random bytes in base64.") from None


class WebhookSettings(Schema):
    """Where the requests go."""

    url = fields.Url(
        required=True,
        schemes=SCHEMES,
        require_tld=False,
        validate=WITHOUT_USER,
        metadata={"title": "Address", "description": "Gets a POST with a CloudEvents 1.0 document in JSON."},
    )
    token = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"[\x20-\x7e]+\Z", error="Printable ASCII only."),
        metadata={"title": "Token", "description": "Sent in the header below, as it is.", "secret": True},
    )
    token_header = fields.String(
        load_default="Authorization",
        validate=validate.Regexp(_TOKEN_HEADER, re.IGNORECASE, error="This is no name of a header for a token."),
        metadata={"title": "Header of the token"},
    )
    signing_secret = fields.String(
        load_default=None,
        allow_none=True,
        validate=_check_signing_secret,
        metadata={
            "title": "Signing secret",
            "description": "whsec_ and 24 to 64 random bytes in base64; each request is signed with it.",
            "secret": True,
        },
    )
    previous_signing_secret = fields.String(
        load_default=None,
        allow_none=True,
        validate=_check_signing_secret,
        metadata={
            "title": "Previous signing secret",
            "description": "Requests are signed with it, too, until every receiver has the new one.",
            "secret": True,
        },
    )
    timeout_seconds = fields.Float(
        load_default=15.0,
        validate=validate.Range(min=0.1, max=25.0),
        metadata={"title": "Seconds to wait for the answer"},
    )


class Webhook(Notifier):
    """Sends a POST and takes any 2xx for success.

    408, 425, 429, 5xx and a connection that fails are `PluginUnavailable`, which is tried again; a redirect and any
    other answer are `PluginRefused`, which is shown as it is and final.
    """

    name = "webhook"
    title = "Webhook"
    settings_schema = WebhookSettings

    def health(self) -> Health:
        """Whether a connection, TLS included, can be made; nothing is sent."""
        return probe(self.settings["url"])

    def send(self, notification: Notification) -> None:
        """Post the notification; its id is in the header `webhook-id`, the same over all attempts."""
        body = _body(notification)
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": "modelyard",
            **self._signed(notification.id, body),
        }
        if self.settings["token"]:
            headers[self.settings["token_header"]] = self.settings["token"]
        post(self.settings["url"], body, headers, timeout_seconds=self.settings["timeout_seconds"])

    def _signed(self, message_id: str, body: bytes) -> dict[str, str]:
        """Make the headers of Standard Webhooks; without a secret there is no signature among them."""
        seconds = str(int(time.time()))
        secrets = [self.settings["signing_secret"], self.settings["previous_signing_secret"]]
        signed = f"{message_id}.{seconds}.".encode() + body
        signatures = [
            "v1," + base64.b64encode(hmac.new(signing_key(secret), signed, hashlib.sha256).digest()).decode()
            for secret in secrets
            if secret
        ]
        headers = {"webhook-id": message_id, "webhook-timestamp": seconds}
        return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})


def _body(notification: Notification) -> bytes:
    """Return the document, without its largest parts where it would be larger than 256 KiB."""
    for event, longest in _ever_smaller(notification):
        document = json.dumps(_cloud_event(notification, event, longest), ensure_ascii=False).encode("utf-8", "replace")
        if len(document) <= MOST_BODY_BYTES:
            return document
    raise PluginRefused(f"The document is larger than {MOST_BODY_BYTES} bytes.", plugin="webhook", operation="send")


def _ever_smaller(notification: Notification) -> Iterator[tuple[dict[str, Any], int]]:
    event = dict(notification.event)
    yield event, len(notification.text) + len(notification.title)
    yield event, 2000
    yield {**{key: event[key] for key in event if key not in ("before", "after")}, "truncated": True}, 2000
    yield {"truncated": True}, 200


def _cloud_event(notification: Notification, event: dict[str, Any], longest: int) -> dict[str, Any]:
    occurred = datetime.fromtimestamp(notification.occurred_at_ms / 1000, UTC)
    document = {
        "specversion": "1.0",
        "id": notification.id,
        "source": _source(notification),
        "type": f"modelyard.{notification.action}",
        "time": occurred.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "title": notification.title[:longest],
            "text": notification.text[:longest],
            "link": notification.link,
            "event": event,
        },
    }
    if event.get("object_kind") and event.get("object_name"):
        document["subject"] = f"{event['object_kind']}/{event['object_name']}"
    return document


def _source(notification: Notification) -> str:
    organization, project = notification.event.get("organization"), notification.event.get("project")
    place = f"/organizations/{organization}" if organization else "/modelyard"
    return f"{place}/projects/{project}" if organization and project else place
