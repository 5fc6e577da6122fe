"""Posts each notification as a CloudEvents 1.0 document in JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import Schema, fields, validate

from modelyard import Health, Notification, Notifier, PluginError, PluginUnavailable
from modelyard.core import outgoing

TRY_AGAIN = frozenset({408, 429})
_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+\Z"  # noqa: S105 - the grammar of a header's name


class WebhookSettings(Schema):
    """Where the requests go."""

    url = fields.Url(
        required=True,
        schemes={"http", "https"},
        require_tld=False,
        validate=validate.Regexp(r"https?://[^/@]*(?:/|\Z)", re.IGNORECASE, error="Give no user or password in it."),
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
        validate=validate.Regexp(_TOKEN, error="This is no name of a header."),
        metadata={"title": "Header of the token"},
    )
    timeout_seconds = fields.Float(
        load_default=15.0,
        validate=validate.Range(min=0.1, max=25.0),
        metadata={"title": "Seconds to wait for the answer"},
    )


class Webhook(Notifier):
    """Sends a POST and takes any 2xx for success.

    408, 429, 5xx and a connection that fails are `PluginUnavailable`, which is tried again; a redirect and any other
    answer are `PluginError`, which is shown as it is.
    """

    name = "webhook"
    title = "Webhook"
    settings_schema = WebhookSettings

    def health(self) -> Health:
        """Whether a connection, TLS included, can be made; nothing is sent."""
        try:
            outgoing.probe(self.settings["url"], timeout_seconds=4.0)
        except (outgoing.AddressRefused, outgoing.Unreachable) as exc:
            return Health(False, str(exc))
        return Health(True)

    def send(self, notification: Notification) -> None:
        """Post the notification; its id is in the header `webhook-id`, the same over all attempts."""
        headers = {
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": "modelyard",
            "webhook-id": notification.id,
        }
        if self.settings["token"]:
            headers[self.settings["token_header"]] = self.settings["token"]
        body = json.dumps(_cloud_event(notification), ensure_ascii=False).encode()
        try:
            answer = outgoing.request(
                "POST",
                self.settings["url"],
                body=body,
                headers=headers,
                timeout_seconds=self.settings["timeout_seconds"],
            )
        except outgoing.Unreachable as exc:
            raise PluginUnavailable(exc.message, plugin=self.name, operation="send") from None
        self._check(answer)

    def _check(self, answer: outgoing.Answer) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        text = " ".join(answer.body[:300].decode("utf-8", "replace").split())
        said = f"The webhook answered {status}{f': {text}' if text else ''}"
        if 300 <= status < 400:
            place = next((value for name, value in answer.headers.items() if name.lower() == "location"), "nowhere")
            said = f"The webhook answered {status}, a redirect to {place:.200}, which is not followed"
            raise PluginError(said, plugin=self.name, operation="send", hint="Give the address that it leads to.")
        if status in TRY_AGAIN or status >= 500:
            raise PluginUnavailable(said, plugin=self.name, operation="send")
        raise PluginError(said, plugin=self.name, operation="send", hint="Check the address and the token.")


def _cloud_event(notification: Notification) -> dict[str, Any]:
    event = notification.event
    occurred = datetime.fromtimestamp(notification.occurred_at_ms / 1000, UTC)
    document = {
        "specversion": "1.0",
        "id": notification.id,
        "source": _source(notification),
        "type": f"modelyard.{notification.action}",
        "time": occurred.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "title": notification.title,
            "text": notification.text,
            "link": notification.link,
            "event": dict(event),
        },
    }
    if event.get("object_kind") and event.get("object_name"):
        document["subject"] = f"{event['object_kind']}/{event['object_name']}"
    return document


def _source(notification: Notification) -> str:
    organization, project = notification.event.get("organization"), notification.event.get("project")
    place = f"/organizations/{organization}" if organization else "/modelyard"
    return f"{place}/projects/{project}" if organization and project else place
