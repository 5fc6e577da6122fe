"""Mails each notification through an SMTP server."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from modelyard import Health, Notification, Notifier, PluginRefused, PluginUnavailable
from modelyard.core import outgoing
from modelyard.plugins.email.message import compose, one_line
from modelyard.plugins.email.smtp import GuardedSMTP, session

PERMANENT = 500
MOST_RECIPIENTS = 50
LONGEST_CERTIFICATES = 100_000
_ASCII = validate.Regexp(r"[\x21-\x7e]+\Z", error="ASCII without spaces only.")


class EmailSettings(Schema):
    """The server, and who writes to whom."""

    host = fields.String(
        required=True,
        validate=validate.Regexp(r"[A-Za-z0-9._:-]{1,253}\Z", error="This is no name of a host."),
        metadata={"title": "SMTP server"},
    )
    port = fields.Integer(load_default=587, validate=validate.Range(1, 65535), metadata={"title": "Port"})
    security = fields.String(
        load_default="starttls",
        validate=validate.OneOf(["starttls", "tls", "none"]),
        metadata={"title": "Encryption", "description": "starttls is usual on port 587, tls on 465."},
    )
    username = fields.String(load_default=None, allow_none=True, metadata={"title": "User name"})
    password = fields.String(load_default=None, allow_none=True, metadata={"title": "Password", "secret": True})
    sender = fields.Email(required=True, data_key="from", validate=_ASCII, metadata={"title": "From"})
    to = fields.List(
        fields.Email(validate=_ASCII),
        required=True,
        validate=validate.Length(1, MOST_RECIPIENTS),
        metadata={"title": "To", "description": "At most 50 addresses."},
    )
    ca_certificates = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.Length(max=LONGEST_CERTIFICATES),
        metadata={"title": "Certificates", "description": "PEM of your own authority; empty takes the system's."},
    )
    timeout_seconds = fields.Float(
        load_default=15.0,
        validate=validate.Range(min=0.1, max=25.0),
        metadata={"title": "Seconds for the whole of it"},
    )

    @validates_schema
    def check_security(self, data: dict[str, Any], **kwargs: Any) -> None:
        """Send no password in the clear, and take no certificates that are none."""
        if data.get("username") and data.get("security") == "none":
            raise ValidationError("A password is not sent in the clear: take starttls or tls.", "security")
        if data.get("ca_certificates"):
            try:
                ssl.create_default_context(cadata=data["ca_certificates"])
            except (ssl.SSLError, ValueError):
                raise ValidationError("This is no certificate in PEM.", "ca_certificates") from None


class Email(Notifier):
    """Sends one mail to all recipients.

    What the server refuses for good (5xx), also for one recipient of several, is `PluginRefused`; what it puts off
    (4xx), a connection that fails and a certificate that is not good are `PluginUnavailable`.
    """

    name = "email"
    title = "E-mail"
    settings_schema = EmailSettings

    def health(self) -> Health:
        """Whether the server takes us in, user name and password included; nothing is sent."""
        try:
            with self._session(timeout_seconds=4.0) as client:
                client.noop()
        except (outgoing.AddressRefused, PluginRefused, PluginUnavailable) as exc:
            return Health(False, exc.message)
        return Health(True)

    def send(self, notification: Notification) -> None:
        """Send the mail; over all attempts it has the same Message-ID."""
        sender, recipients = self.settings["sender"], self.settings["to"]
        message = compose(notification, sender=sender, recipients=recipients)
        with self._session(timeout_seconds=self.settings["timeout_seconds"]) as client:
            refused = client.sendmail(sender, recipients, message.as_bytes())
        if refused:
            raise self._refusal(refused)

    @contextmanager
    def _session(self, *, timeout_seconds: float) -> Iterator[GuardedSMTP]:
        try:
            with session(self.settings, timeout_seconds=timeout_seconds) as client:
                yield client
        except outgoing.AddressRefused:
            raise
        except smtplib.SMTPRecipientsRefused as exc:
            raise self._refusal(exc.recipients) from None
        except smtplib.SMTPResponseException as exc:
            raise self._error(exc.smtp_code, said(exc.smtp_code, exc.smtp_error)) from None
        except smtplib.SMTPNotSupportedError as exc:
            raise self._error(500, f"The mail server cannot do this: {exc}") from None
        except outgoing.Unreachable as exc:
            raise self._error(400, exc.message) from None
        except (OSError, ValueError) as exc:
            problem = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
            raise self._error(400, f"The mail server {self.settings['host']}: {one_line(problem, 300)}") from None

    def _refusal(self, refused: Mapping[str, tuple[int, bytes]]) -> PluginRefused | PluginUnavailable:
        """Make the error of recipients that were refused; while one was only put off, another try is worth it."""
        told = "; ".join(f"{recipient}: {said(*answer)}" for recipient, answer in list(refused.items())[:3])
        taken = len(self.settings["to"]) - len(refused)
        code = min(code for code, _ in refused.values())
        return self._error(code, f"{taken} of {len(self.settings['to'])} recipients were taken. {told}")

    def _error(self, code: int, message: str) -> PluginRefused | PluginUnavailable:
        kind = PluginRefused if code >= PERMANENT else PluginUnavailable
        return kind(message, plugin=self.name, operation="send")


def said(code: int, answer: bytes | str) -> str:
    """Write down what the server said, on one line."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return f"{code} {one_line(text, 300)}"
