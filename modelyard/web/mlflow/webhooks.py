"""MLflow's endpoints of webhooks: connections of the project to the notifier `mlflow_webhook`, in MLflow's words.

What people see of them below ``/api/v1`` are those connections, with their deliveries. As there, addresses and
descriptions are shown to the project's admins alone.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

from modelyard.core.db import new_id, now_ms
from modelyard.core.errors import InvalidInput, NotFound, PluginError
from modelyard.core.interfaces import Notification
from modelyard.core.notifications.mlflow_events import ACTIONS
from modelyard.core.projects.access import role_in
from modelyard.core.projects.models import Connection
from modelyard.web.mlflow.decoding import Int64, Request, Required
from modelyard.web.mlflow.router import Answer, Context, endpoint

PROVIDER = "mlflow_webhook"
MOST_WEBHOOKS = 1000
ACTIVE, DISABLED = "ACTIVE", "DISABLED"
NAME = re.compile(r"(?i)(?=.{1,63}\Z)[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
ID = re.compile(r"[0-9a-f]{32}")
EXAMPLE_TAG = {"example_key": "example_value"}
EXAMPLES: dict[str, Any] = {
    "created": {
        "source": "models:/123",
        "run_id": "abcd1234abcd5678",
        "description": "An example",
        "tags": {**EXAMPLE_TAG, "mlflow.prompt.text": "Hello {{name}}!"},
    },
    "tag_set": EXAMPLE_TAG,
    "alias_set": {"alias": "example_alias", "version": 1},
}
"""What an event says in `after`, by its verb, where a webhook is tried out."""


class EventValue(Request):
    """A kind of event in a request."""

    entity: Required
    action: Required

    def name(self) -> str:
        """Return it as ``entity.action``, or refuse one that never happens here."""
        name = f"{self.entity}.{self.action}".lower()
        if name not in ACTIONS:
            raise InvalidInput(
                f"There is no event {name!r} on this server.", hint=f"Choose among {', '.join(ACTIONS)}."
            )
        return name


class CreateWebhook(Request):
    """Fields of POST webhooks."""

    name: Required
    url: Required
    events: list[EventValue]
    description: str = ""
    secret: str = ""
    status: str = ACTIVE


class ListWebhooks(Request):
    """Fields of GET webhooks."""

    max_results: Int64 = 100
    page_token: str = ""


class OfWebhook(Request):
    """A request that names a webhook."""

    webhook_id: Required


class UpdateWebhook(OfWebhook):
    """Fields of PATCH webhooks/{webhook_id}; what is not given stays."""

    name: str = ""
    url: str = ""
    events: list[EventValue] = []
    description: str | None = None
    secret: str | None = None
    status: str | None = None


class TestWebhook(OfWebhook):
    """Fields of POST webhooks/{webhook_id}/test."""

    event: EventValue | None = None


@endpoint("POST", "webhooks")
def create_webhook(context: Context, request: CreateWebhook) -> Answer:
    """Make a webhook."""
    settings = {"name": _checked_name(request.name), "url": request.url, "description": request.description}
    made = context.services.connections.create(
        context.actor,
        context.project,
        name=_slug(request.name),
        kind="notifier",
        provider=PROVIDER,
        settings={**settings, "secret": request.secret} if request.secret else settings,
        subscriptions=_subscriptions(request.events),
        enabled=_is_active(request.status),
    )
    return _answer(context, made)


@endpoint("GET", "webhooks")
def list_webhooks(context: Context, request: ListWebhooks) -> Answer:
    """Answer a page of webhooks, in the order in which they were made."""
    most = request.max_results
    if not 1 <= most <= MOST_WEBHOOKS:
        raise InvalidInput(f"Invalid value {most} for parameter 'max_results': 1 to {MOST_WEBHOOKS} are allowed.")
    if request.page_token and not ID.fullmatch(request.page_token):
        raise InvalidInput("Invalid page token.")
    connections = context.services.connections.list(context.actor, context.project)
    ours = connections.where(_is_webhook(context), Connection.public_id > request.page_token)
    rows = list(ours.order_by(Connection.public_id).limit(most + 1))
    is_admin = _is_admin(context)
    found = [_describe(row, is_admin) for row in rows[:most] if _events(row)]
    return {"webhooks": found, **({"next_page_token": rows[most - 1].public_id} if len(rows) > most else {})}


@endpoint("GET", "webhooks/{webhook_id}")
def get_webhook(context: Context, request: OfWebhook) -> Answer:
    """Answer one webhook."""
    return _answer(context, _find(context, request))


@endpoint("PATCH", "webhooks/{webhook_id}")
def update_webhook(context: Context, request: UpdateWebhook) -> Answer:
    """Change a webhook."""
    found = _find(context, request)
    changes: dict[str, Any] = {}
    settings = _changed_settings(request)
    if settings:
        changes["settings"] = {**found.settings, **settings}
    if request.events:
        changes["subscriptions"] = _subscriptions(request.events)
    if request.status is not None:
        changes["enabled"] = _is_active(request.status)
    edited = context.services.connections.edit(context.actor, context.project, found.public_id, changes)
    return _answer(context, edited)


def _changed_settings(request: UpdateWebhook) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    if request.name:
        changed["name"] = _checked_name(request.name)
    if request.url:
        changed["url"] = request.url
    if request.description is not None:
        changed["description"] = request.description
    if request.secret is not None:
        changed["secret"] = request.secret or None
    return changed


@endpoint("DELETE", "webhooks/{webhook_id}")
def delete_webhook(context: Context, request: OfWebhook) -> Answer:
    """Remove a webhook."""
    context.services.connections.delete(context.actor, context.project, _find(context, request).public_id)
    return {}


@endpoint("POST", "webhooks/{webhook_id}/test")
def test_webhook(context: Context, request: TestWebhook) -> Answer:
    """Send an example of an event now, by default of the webhook's first one, and say how that went."""
    found = _find(context, request)
    name = request.event.name() if request.event else _events(found)[0]
    try:
        context.services.connections.send(context.actor, context.project, found.public_id, _example(context, name))
    except (PluginError, InvalidInput) as error:
        return {"result": {"success": False, "error_message": error.message}}
    return {"result": {"success": True}}


def _example(context: Context, name: str) -> Notification:
    """Make a notification of something that never happened; its content is MLflow's own example."""
    action = ACTIONS[name]
    noun, _, verb = action.partition(".")
    is_version = noun.endswith("_version")
    thing = "example_prompt" if noun.startswith("prompt") else "example_model"
    event = {
        "id": new_id(),
        "action": action,
        "organization": context.project.organization.slug,
        "project": context.project.slug,
        "object_kind": noun,
        "object_name": f"{thing}/1" if is_version else thing,
        "before": {"tag_deleted": {"key": "example_key"}, "alias_deleted": EXAMPLES["alias_set"]}.get(verb, {}),
        "after": EXAMPLES.get(verb, {}),
    }
    return Notification(event["id"], action, f"An example of {name}", "A test.", now_ms(), event=event)


def _find(context: Context, request: OfWebhook) -> Connection:
    connections = context.services.connections.list(context.actor, context.project)
    found: Connection | None = connections.where(
        _is_webhook(context), Connection.public_id == request.webhook_id
    ).first()
    if found is None or not _events(found):
        raise NotFound(f"Webhook with ID {request.webhook_id} not found.")
    return found


def _is_webhook(context: Context) -> Any:
    """Make the condition that a connection is a webhook of the project's own."""
    return (Connection.project == context.project.id) & (Connection.provider == PROVIDER)


def _events(connection: Connection) -> list[str]:
    """Return MLflow's names of what it is told of; other events have none there."""
    patterns = connection.subscriptions
    return [name for name, action in ACTIONS.items() if any(fnmatchcase(action, pattern) for pattern in patterns)]


def _subscriptions(events: list[EventValue]) -> list[str]:
    if not events:
        raise InvalidInput("Webhook events must be a non-empty list.")
    return list(dict.fromkeys(ACTIONS[event.name()] for event in events))


def _is_active(status: str) -> bool:
    if status not in {ACTIVE, DISABLED}:
        raise InvalidInput(f"Invalid webhook status {status!r}.", hint=f"It is {ACTIVE} or {DISABLED}.")
    return status == ACTIVE


def _checked_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"Webhook name {name!r} is invalid.",
            hint="At most 63 letters, digits, dots, underscores and hyphens; a letter or digit at both ends.",
        )
    return name


def _slug(name: str) -> str:
    """Make a connection's name: webhooks may share theirs."""
    return f"{re.sub('[^a-z0-9]+', '-', name.lower())[:50].strip('-')}-{new_id()[-10:]}"


def _is_admin(context: Context) -> bool:
    return role_in(context.actor, context.project) == "admin"


def _answer(context: Context, connection: Connection) -> Answer:
    return {"webhook": _describe(connection, _is_admin(context))}


def _describe(connection: Connection, is_admin: bool) -> dict[str, Any]:
    shown = connection.settings if is_admin else {}
    events = [name.upper().split(".") for name in _events(connection)]
    return {
        "webhook_id": connection.public_id,
        "name": connection.settings.get("name") or connection.name,
        "url": shown.get("url", ""),
        "description": shown.get("description", ""),
        "events": [{"entity": entity, "action": action} for entity, action in events],
        "status": ACTIVE if connection.enabled else DISABLED,
        "creation_timestamp": connection.created_at_ms,
        "last_updated_timestamp": connection.updated_at_ms,
    }
