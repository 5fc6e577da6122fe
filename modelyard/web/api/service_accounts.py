"""Service accounts of an organization, and their tokens."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.identity.models import User
from modelyard.core.projects.access import find_project
from modelyard.web.api.tokens import LISTING as TOKENS
from modelyard.web.api.tokens import show as show_token
from modelyard.web.context import actor, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.identity import (
    CreatedTokenSchema,
    NewAccountTokenSchema,
    NewServiceAccountSchema,
    ServiceAccountChangesSchema,
    ServiceAccountSchema,
    TokenSchema,
)

URL_PREFIX = "/api/v1/organizations/<organization>/service-accounts"
ACCOUNTS = Listing(
    User.username,
    sort={"username": User.username, "display_name": User.display_name, "created_at": User.created_at_ms},
    search=(User.username, User.display_name),
)
blueprint = Blueprint("service_accounts", __name__, url_prefix=URL_PREFIX, description="Programs as members")


def show(user: User) -> dict[str, Any]:
    """Name the account as its organization does."""
    columns = ("public_id", "username", "display_name", "disabled", "created_at_ms")
    return {"name": user.username.partition("@")[0], **{key: getattr(user, key) for key in columns}}


@blueprint.route("")
class ServiceAccountsView(MethodView):
    """An organization's service accounts."""

    @blueprint.arguments(ACCOUNTS.arguments, location="query")
    @blueprint.response(200, page_schema(ServiceAccountSchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List the service accounts by name."""
        return page_of(services().service_accounts.list(actor(), organization), arguments, ACCOUNTS, show=show)

    @blueprint.arguments(NewServiceAccountSchema)
    @blueprint.response(201, ServiceAccountSchema)
    def post(self, wish: dict[str, Any], organization: str) -> dict[str, Any]:
        """Make a service account: a member of the organization with no role in any project yet."""
        return show(services().service_accounts.create(actor(), organization, **wish))


@blueprint.route("/<name>")
class ServiceAccountView(MethodView):
    """One service account."""

    @blueprint.response(200, ServiceAccountSchema)
    def get(self, organization: str, name: str) -> dict[str, Any]:
        """Show a service account."""
        return show(services().service_accounts.get(actor(), organization, name))

    @blueprint.arguments(ServiceAccountChangesSchema)
    @blueprint.response(200, ServiceAccountSchema)
    def patch(self, changes: dict[str, Any], organization: str, name: str) -> dict[str, Any]:
        """Change or disable a service account; a disabled one's tokens are refused at once."""
        return show(services().service_accounts.edit(actor(), organization, name, changes))

    @blueprint.response(204)
    def delete(self, organization: str, name: str) -> None:
        """Delete a service account with its roles and tokens."""
        services().service_accounts.delete(actor(), organization, name)


@blueprint.route("/<name>/tokens")
class ServiceAccountTokensView(MethodView):
    """A service account's tokens."""

    @blueprint.arguments(TOKENS.arguments, location="query")
    @blueprint.response(200, page_schema(TokenSchema))
    def get(self, arguments: dict[str, Any], organization: str, name: str) -> Any:
        """List its tokens, newest first."""
        found = services().service_accounts.tokens(actor(), organization, name)
        return page_of(found, arguments, TOKENS, show=show_token)

    @blueprint.arguments(NewAccountTokenSchema)
    @blueprint.response(201, CreatedTokenSchema)
    def post(self, wish: dict[str, Any], organization: str, name: str) -> dict[str, Any]:
        """Make a token for it; the answer is the only place that ever shows it."""
        slug = wish.pop("project")
        bound = find_project(actor(), organization, slug) if slug is not None else None
        token, whole = services().service_accounts.create_token(actor(), organization, name, project=bound, **wish)
        return {**show_token(token), "token": whole}


@blueprint.route("/<name>/tokens/<token_id>")
class ServiceAccountTokenView(MethodView):
    """One token of a service account."""

    @blueprint.response(204)
    def delete(self, organization: str, name: str, token_id: str) -> None:
        """Revoke a token: from now on every process refuses it."""
        services().service_accounts.revoke_token(actor(), organization, name, token_id)
