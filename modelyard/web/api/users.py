"""Users of this server, and the ways to a first password."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.identity.models import User
from modelyard.web.api.tokens import LISTING as TOKENS
from modelyard.web.api.tokens import show as show_token
from modelyard.web.context import actor, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.identity import (
    AccountSchema,
    CreatedUserSchema,
    NewUserSchema,
    PasswordLinkSchema,
    PasswordSchema,
    SetupSchema,
    TokenSchema,
    UserChangesSchema,
    UserSchema,
)

USERS = Listing(
    User.username,
    sort={"username": User.username, "display_name": User.display_name, "created_at": User.created_at_ms},
    search=(User.username, User.display_name, User.email),
    filters={
        "kind": (User.kind, fields.String(validate=validate.OneOf(("person", "service")))),
        "is_instance_admin": (User.is_instance_admin, fields.Boolean()),
    },
)
SHOWN = ("public_id", "username", "display_name", "email", "kind", "is_instance_admin", "disabled", "created_at_ms")
blueprint = Blueprint("users", __name__, url_prefix="/api/v1", description="People of this server")


@blueprint.route("/users")
class UsersView(MethodView):
    """All users."""

    @blueprint.arguments(USERS.arguments, location="query")
    @blueprint.response(200, page_schema(AccountSchema))
    def get(self, arguments: dict[str, Any]) -> Any:
        """List all users (instance administrators)."""
        return page_of(services().users.list(actor()), arguments, USERS)

    @blueprint.arguments(NewUserSchema)
    @blueprint.response(201, CreatedUserSchema)
    def post(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Make a user (instance administrators), with a password or a link that sets it."""
        user = services().users.create(actor(), **wish)
        link = services().passwords.create_link(actor(), user.username) if wish["password"] is None else None
        return {**{column: getattr(user, column) for column in SHOWN}, "password_link": link}


@blueprint.route("/users/<username>")
class UserView(MethodView):
    """One user."""

    @blueprint.response(200, AccountSchema)
    def get(self, username: str) -> Any:
        """Show a user: oneself, or for an instance administrator anybody."""
        return services().users.get(actor(), username)

    @blueprint.arguments(UserChangesSchema)
    @blueprint.response(200, AccountSchema)
    def patch(self, changes: dict[str, Any], username: str) -> Any:
        """Change a user; the last active instance administrator stays one."""
        return services().users.edit(actor(), username, changes)

    @blueprint.response(204)
    def delete(self, username: str) -> None:
        """Delete a user with their roles, sessions and tokens (instance administrators)."""
        services().users.delete(actor(), username)


@blueprint.route("/users/<username>/sessions")
class UserSessionsView(MethodView):
    """A user's sessions."""

    @blueprint.response(204)
    def delete(self, username: str) -> None:
        """End all sessions of a user (instance administrators)."""
        services().sessions.end_all(actor(), username)


@blueprint.route("/users/<username>/tokens")
class UserTokensView(MethodView):
    """A user's API tokens."""

    @blueprint.arguments(TOKENS.arguments, location="query")
    @blueprint.response(200, page_schema(TokenSchema))
    def get(self, arguments: dict[str, Any], username: str) -> Any:
        """List a user's tokens, newest first (instance administrators)."""
        return page_of(services().tokens.list_of(actor(), username), arguments, TOKENS, show=show_token)


@blueprint.route("/users/<username>/tokens/<token_id>")
class UserTokenView(MethodView):
    """One API token of a user."""

    @blueprint.response(204)
    def delete(self, username: str, token_id: str) -> None:
        """Revoke a user's token (instance administrators)."""
        services().tokens.revoke_of(actor(), username, token_id)


@blueprint.route("/users/<username>/password-reset")
class UserPasswordResetView(MethodView):
    """A user's way to a new password."""

    @blueprint.response(201, PasswordLinkSchema)
    def post(self, username: str) -> Any:
        """Make a link by which the user sets a password within 24 hours, once (instance administrators)."""
        return services().passwords.create_link(actor(), username)


@blueprint.route("/password-resets/<token>")
class PasswordResetView(MethodView):
    """A link that sets a password."""

    @blueprint.doc(security=[])
    @blueprint.arguments(PasswordSchema)
    @blueprint.response(204)
    def post(self, wish: dict[str, Any], token: str) -> None:
        """Set the password that the link is for; all sessions of its user end."""
        caller = actor()
        services().passwords.use_link(token, **wish, request_id=caller.request_id, address=caller.address)


@blueprint.route("/setup/<token>")
class SetupView(MethodView):
    """The first administrator of a server without users."""

    @blueprint.doc(security=[])
    @blueprint.arguments(SetupSchema)
    @blueprint.response(201, UserSchema)
    def post(self, wish: dict[str, Any], token: str) -> Any:
        """Make the first instance administrator, by the link that `modelyard serve` printed."""
        caller = actor()
        return services().setup.use_link(token, **wish, request_id=caller.request_id, address=caller.address)
