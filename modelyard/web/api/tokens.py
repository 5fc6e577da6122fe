"""API tokens."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.errors import InvalidInput
from modelyard.core.identity.models import ApiToken
from modelyard.core.projects.access import find_project
from modelyard.core.projects.models import Project
from modelyard.web.context import actor, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.identity import CreatedTokenSchema, NewTokenSchema, TokenSchema

LISTING = Listing(
    ApiToken.id,
    descending=True,
    sort={
        "created_at": ApiToken.id,
        "name": ApiToken.name,
        "expires_at": ApiToken.expires_at_ms,
        "last_used_at": ApiToken.last_used_at_ms,
    },
    search=(ApiToken.name,),
)
blueprint = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens", description="One's own API tokens")


def show(token: ApiToken) -> dict[str, Any]:
    """Add the name of the project that the token is bound to."""
    project = Project.get_or_none(Project.id == token.project_id) if token.project_id else None
    place = f"{project.organization.slug}/{project.slug}" if project else None
    columns = ("public_id", "name", "scopes", "created_at_ms", "expires_at_ms", "last_used_at_ms")
    return {"project": place, **{column: getattr(token, column) for column in columns}}


@blueprint.route("")
class TokensView(MethodView):
    """One's tokens."""

    @blueprint.arguments(LISTING.arguments, location="query")
    @blueprint.response(200, page_schema(TokenSchema))
    def get(self, arguments: dict[str, Any]) -> Any:
        """List one's tokens, newest first."""
        return page_of(services().tokens.list(actor()), arguments, LISTING, show=show)

    @blueprint.arguments(NewTokenSchema)
    @blueprint.response(201, CreatedTokenSchema)
    def post(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Make a token; the answer is the only place that ever shows it."""
        organization, slug = wish.pop("organization"), wish.pop("project")
        if (organization is None) != (slug is None):
            missing = "project" if slug is None else "organization"
            raise InvalidInput(
                f"{missing} is missing: a token is bound to a project of an organization, or to none.", field=missing
            )
        bound = find_project(actor(), organization, slug) if slug is not None else None
        token, whole = services().tokens.create(actor(), project=bound, **wish)
        return {**show(token), "token": whole}


@blueprint.route("/<token_id>")
class TokenView(MethodView):
    """One token."""

    @blueprint.response(204)
    def delete(self, token_id: str) -> None:
        """Revoke a token: from now on every process refuses it."""
        services().tokens.revoke(actor(), token_id)
