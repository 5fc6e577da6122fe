"""A notification as a mail: plain text, and the same as simple HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime
from html import escape

from modelyard import Notification

LONGEST_SUBJECT = 200
LONGEST_TEXT = 100_000


def compose(notification: Notification, *, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """Write the mail. Its Message-ID is made of the notification's id, so that mail programs can tell doubles."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Modelyard", addr_spec=sender)
    message["To"] = [Address(addr_spec=recipient) for recipient in recipients]
    message["Subject"] = one_line(notification.title or notification.action, LONGEST_SUBJECT)
    message["Date"] = localtime()
    message["Message-ID"] = f"<{_plain(notification.id)}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["X-Modelyard-Action"] = _plain(notification.action)
    text = _printable(notification.text[:LONGEST_TEXT])
    link = notification.link if _is_link(notification.link) else None
    title = message["Subject"]
    message.set_content("\n\n".join(part for part in (title, text, link) if part) + "\n", cte="quoted-printable")
    message.add_alternative(_html(title, text, link), subtype="html", cte="quoted-printable")
    return message


def one_line(text: str, longest: int) -> str:
    """Return the text on one line without control characters: a header that nothing can break out of."""
    line = " ".join(_printable(text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _html(title: str, text: str, link: str | None) -> str:
    lines = "<br>\n".join(escape(line) for line in text.splitlines())
    parts = [f"<h2>{escape(title)}</h2>", f"<p>{lines}</p>" if lines else ""]
    if link:
        parts.append(f'<p><a href="{escape(link)}">Open in Modelyard</a></p>')
    return "<html><body>\n" + "\n".join(part for part in parts if part) + "\n</body></html>\n"


def _printable(text: str) -> str:
    clean = "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)
    return clean.encode("utf-8", "replace").decode()


def _plain(text: str) -> str:
    """Return what may stand in an identifier of a header."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:64]


def _is_link(link: str | None) -> bool:
    return bool(link) and re.fullmatch(r"https?://[\x21-\x7e]+", link or "") is not None
