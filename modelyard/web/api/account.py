"""One's own account: password and sessions."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.identity.models import Session
from modelyard.web.context import actor, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.identity import PasswordChangeSchema, SignedInSessionSchema

SESSIONS = Listing(
    Session.id,
    descending=True,
    sort={"created_at": Session.id, "last_seen_at": Session.last_seen_at_ms},
    search=(Session.address, Session.user_agent),
)
blueprint = Blueprint("account", __name__, url_prefix="/api/v1/account", description="One's own password and sessions")


def show(row: Session) -> dict[str, Any]:
    """Say whether it is the caller's session."""
    columns = ("address", "user_agent", "created_at_ms", "last_seen_at_ms", "expires_at_ms")
    is_current = row.public_id == actor().session_id
    return {"id": row.public_id, "is_current": is_current, **{key: getattr(row, key) for key in columns}}


@blueprint.route("/password")
class PasswordView(MethodView):
    """One's own password."""

    @blueprint.arguments(PasswordChangeSchema)
    @blueprint.response(204)
    def put(self, wish: dict[str, Any]) -> None:
        """Change one's password; all other sessions end."""
        services().passwords.change(actor(), **wish)


@blueprint.route("/sessions")
class AccountSessionsView(MethodView):
    """One's own sessions."""

    @blueprint.arguments(SESSIONS.arguments, location="query")
    @blueprint.response(200, page_schema(SignedInSessionSchema))
    def get(self, arguments: dict[str, Any]) -> Any:
        """List one's sessions, newest first."""
        return page_of(services().sessions.list(actor()), arguments, SESSIONS, show=show)

    @blueprint.response(204)
    def delete(self) -> None:
        """End all one's sessions but the one that asks."""
        services().sessions.end_others(actor())


@blueprint.route("/sessions/<session_id>")
class AccountSessionView(MethodView):
    """One of one's own sessions."""

    @blueprint.response(204)
    def delete(self, session_id: str) -> None:
        """End a session: from now on every process refuses its cookie."""
        services().sessions.end(actor(), session_id)
