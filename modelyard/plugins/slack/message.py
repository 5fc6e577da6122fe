"""A notification as Slack's Block Kit: what happened, what changed, by whom, where, when, and the way to the page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from modelyard import Notification

LONGEST_HEADER = 150
LONGEST_SECTION = 3000
LONGEST_FIELD = 500
LONGEST_LINK = 3000
MOST_FIELDS = 10
GOOD = frozenset({"FINISHED", "READY", "READY_TO_SERVE", "RESOLVED", "PRODUCTION"})
BAD = frozenset({"FAILED", "KILLED", "UNHEALTHY", "FIRED"})
ENDED = frozenset({"deleted", "removed", "stopped", "archived", "revoked", "purged"})
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def compose(notification: Notification) -> dict[str, Any]:
    """Return `text`, for banners and screen readers, and `blocks` of the message."""
    title = notification.title or notification.action
    header = f"{mark_of(notification)} {title}"
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": escape(header, LONGEST_HEADER)}}]
    return {"text": escape(header, LONGEST_SECTION), "blocks": [*blocks, *_body(notification), _context(notification)]}


def mark_of(notification: Notification) -> str:
    """Return the coloured dot of the outcome: green for good, red for bad, white for what ended, else blue."""
    after = _mapping(notification.event.get("after"))
    outcomes = {str(after.get(key, "")).upper() for key in ("status", "stage", "state")}
    verb = notification.action.rpartition(".")[2]
    outcomes.add(verb.removeprefix("became_").upper())
    if outcomes & BAD:
        return "🔴"
    if outcomes & GOOD:
        return "🟢"
    return "⚪" if verb in ENDED else "🔵"


def escape(text: str, longest: int) -> str:
    """Return the text with Slack's three special characters replaced, cut so that it stays within `longest`."""
    parts = [_ESCAPED.get(character, character) for character in text[: longest + 1]]
    if sum(map(len, parts)) <= longest:
        return "".join(parts)
    kept, size = [], 1
    for part in parts:
        size += len(part)
        if size > longest:
            break
        kept.append(part)
    return "".join(kept) + "…"


def _body(notification: Notification) -> list[dict[str, Any]]:
    before, after = _mapping(notification.event.get("before")), _mapping(notification.event.get("after"))
    changed = [key for key in dict.fromkeys([*after, *before]) if isinstance(key, str)]
    blocks: list[dict[str, Any]] = []
    if changed:
        fields = [_mrkdwn(_change(key, before, after)) for key in changed[:MOST_FIELDS]]
        blocks.append({"type": "section", "fields": fields})
    elif notification.text:
        blocks.append({"type": "section", "text": _mrkdwn(escape(notification.text, LONGEST_SECTION))})
    link = _link(notification.link)
    if link:
        blocks.append({"type": "section", "text": _mrkdwn(link)})
    return blocks


def _change(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    name = escape(key.replace("_", " "), 100)
    values = [_value(side[key]) for side in (before, after) if key in side]
    return f"*{name}*\n{' → '.join(values)}"


def _value(value: Any) -> str:
    if value is None or value == "":
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return escape(text, LONGEST_FIELD)


def _context(notification: Notification) -> dict[str, Any]:
    event = notification.event
    place = "/".join(str(event[key]) for key in ("organization", "project") if event.get(key))
    actor = str(event.get("actor_name") or event.get("actor_kind") or "")
    occurred = datetime.fromtimestamp(notification.occurred_at_ms / 1000, UTC)
    seconds = notification.occurred_at_ms // 1000
    parts = [
        f"by *{escape(actor, 200)}*" if actor else "",
        f"in {escape(place, 200)}" if place else "",
        f"<!date^{seconds}^{{date_short_pretty}} {{time}}|{occurred:%Y-%m-%d %H:%M} UTC>",
        escape(notification.action, 100),
    ]
    return {"type": "context", "elements": [_mrkdwn("  ·  ".join(part for part in parts if part))]}


def _link(link: str | None) -> str:
    """Return the link as Slack writes it; nothing for one that would break out of it."""
    if not link or len(link) > LONGEST_LINK - 50 or not link.startswith(("http://", "https://")):
        return ""
    if any(character in link for character in "<>|\n"):
        return ""
    return f"<{link.replace('&', '&amp;')}|Open in Modelyard>"


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
