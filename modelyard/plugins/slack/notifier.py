"""Posts each notification to a Slack channel, by an incoming webhook or as a bot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from modelyard import Health, Notification, Notifier, PluginRefused, PluginUnavailable
from modelyard.core import outgoing
from modelyard.plugins.slack.message import compose

if TYPE_CHECKING:
    from modelyard.plugins.slack.clients import GuardedWebClient

API_URL = "https://slack.com/api/"
WORTH_ANOTHER_TRY = frozenset(
    {"fatal_error", "internal_error", "ratelimited", "request_timeout", "service_unavailable"}
)
_ADDRESS = validate.Regexp(r"https?://[\x21-\x7e]+\Z", error="Write it as https://host/path.")


class SlackSettings(Schema):
    """How messages get into the channel."""

    webhook_url = fields.String(
        load_default=None,
        allow_none=True,
        validate=_ADDRESS,
        metadata={
            "title": "Incoming webhook",
            "description": "The address that Slack gave; it posts to one channel.",
            "secret": True,
        },
    )
    token = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Regexp(r"[\x21-\x7e]+\Z", error="Printable ASCII without spaces only."),
        metadata={
            "title": "Bot token",
            "description": "Instead of the webhook: xoxb-…, with the scope chat:write.",
            "secret": True,
        },
    )
    channel = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(1, 80),
        metadata={"title": "Channel", "description": "Where the bot posts: an id (C0123456789) or #name."},
    )
    api_url = fields.String(
        load_default=API_URL,
        validate=_ADDRESS,
        metadata={"title": "Web API", "description": "GovSlack's is https://slack-gov.com/api/."},
    )
    timeout_seconds = fields.Float(
        load_default=8.0,
        validate=validate.Range(min=0.1, max=10.0),
        metadata={"title": "Seconds to wait for an answer"},
    )

    @validates_schema
    def check_way(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Ask for exactly one way into Slack."""
        if bool(data.get("webhook_url")) == bool(data.get("token")):
            raise ValidationError("Give an incoming webhook or a bot token; null takes one away.", "webhook_url")
        if data.get("token") and not data.get("channel"):
            raise ValidationError("A bot needs to be told the channel.", "channel")


class Slack(Notifier):
    """Posts a message in Block Kit.

    A rate limit, a server in trouble and a connection that fails are tried once more by slack_sdk and are
    `PluginUnavailable` after that; whatever else Slack answers is `PluginRefused`, with Slack's own word for it.
    """

    name = "slack"
    title = "Slack"
    settings_schema = SlackSettings

    def health(self) -> Health:
        """Whether the bot's token is good, or the webhook's server can be reached; nothing is posted."""
        try:
            if self.settings["webhook_url"]:
                outgoing.probe(self.settings["webhook_url"], timeout_seconds=4.0)
            else:
                self._call("auth.test", {}, self._bot(timeout_seconds=4.0, retries=False))
        except (outgoing.AddressRefused, outgoing.Unreachable, PluginRefused, PluginUnavailable) as exc:
            return Health(False, exc.message)
        return Health(True)

    def send(self, notification: Notification) -> None:
        """Post it. The same notification twice is two messages: Slack has no key against doubles."""
        message = compose(notification)
        if self.settings["webhook_url"]:
            self._post(message)
        else:
            body = {"channel": self.settings["channel"], "unfurl_links": False, **message}
            self._call("chat.postMessage", body, self._bot(timeout_seconds=self.settings["timeout_seconds"]))

    def _post(self, message: dict[str, Any]) -> None:
        from modelyard.plugins.slack.clients import GuardedWebhookClient

        client = GuardedWebhookClient(self.settings["webhook_url"], timeout_seconds=self.settings["timeout_seconds"])
        try:
            answer = client.send_dict(message)
        except URLError as exc:
            raise self._unavailable(str(exc.reason)) from None
        self._check(answer.status_code, answer.headers, answer.body)

    def _bot(self, *, timeout_seconds: float, retries: bool = True) -> GuardedWebClient:
        from modelyard.plugins.slack.clients import GuardedWebClient

        settings = self.settings
        return GuardedWebClient(
            settings["token"], settings["api_url"], timeout_seconds=timeout_seconds, retries=retries
        )

    def _call(self, method: str, body: dict[str, Any], client: GuardedWebClient) -> None:
        from slack_sdk.errors import SlackApiError, SlackClientError

        try:
            client.api_call(method, json=body)
        except SlackApiError as exc:
            answer = exc.response
            word = str(answer.get("error") or "no reason")
            status = 503 if word in WORTH_ANOTHER_TRY and answer.status_code == 200 else answer.status_code
            self._check(400 if status == 200 else status, answer.headers, word)
        except URLError as exc:
            raise self._unavailable(str(exc.reason)) from None
        except outgoing.AddressRefused:
            raise
        except (SlackClientError, ValueError) as exc:
            raise self._unavailable(f"Slack's answer cannot be read ({type(exc).__name__}).") from None

    def _check(self, status: int, headers: Mapping[str, str], body: str) -> None:
        if 200 <= status < 300:
            return
        word = " ".join(body[:300].split())
        said = f"Slack answered {status}{f': {word}' if word else ''}"
        if status in (408, 429) or status >= 500:
            later = outgoing.Answer(status, headers, b"").retry_after_seconds
            raise self._unavailable(said, retry_after_seconds=later)
        raise PluginRefused(
            said, plugin=self.name, operation="send", hint="Check the webhook or token, and the channel."
        )

    def _unavailable(self, said: str, *, retry_after_seconds: float | None = None) -> PluginUnavailable:
        return PluginUnavailable(said, plugin=self.name, operation="send", retry_after_seconds=retry_after_seconds)
