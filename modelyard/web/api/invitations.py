"""Invitations by link."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.errors import InvalidInput
from modelyard.core.projects.invitations import NewAccount, state_of
from modelyard.core.projects.models import Invitation
from modelyard.web.api.session import answer_sign_in
from modelyard.web.context import actor, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.identity import SessionSchema
from modelyard.web.schemas.invitations import (
    AcceptanceSchema,
    CreatedInvitationSchema,
    InvitationSchema,
    NewInvitationSchema,
    OfferSchema,
)

OF_ORGANIZATION = "/organizations/<organization>/invitations"
INVITATIONS = Listing(
    Invitation.id,
    descending=True,
    sort={"created_at": Invitation.created_at_ms, "expires_at": Invitation.expires_at_ms, "email": Invitation.email},
    search=(Invitation.email,),
)
blueprint = Blueprint("invitations", __name__, url_prefix="/api/v1", description="Ways into an organization")


def show(row: Invitation) -> dict[str, Any]:
    """Name the people, and say what became of it."""
    columns = ("role", "project_role", "email", "created_at_ms", "expires_at_ms", "accepted_at_ms")
    return {
        "id": row.public_id,
        "state": state_of(row),
        "project": row.project.slug if row.project else None,
        "invited_by": row.invited_by.username,
        "accepted_by": row.accepted_by.username if row.accepted_by else None,
        **{column: getattr(row, column) for column in columns},
    }


def show_offer(row: Invitation) -> dict[str, Any]:
    """Tell whoever has the link what they would join."""
    return {
        "organization": row.organization.slug,
        "organization_name": row.organization.name,
        "role": row.role,
        "project": row.project.slug if row.project else None,
        "project_role": row.project_role,
        "invited_by": row.invited_by.display_name or row.invited_by.username,
        "expires_at_ms": row.expires_at_ms,
    }


@blueprint.route(OF_ORGANIZATION)
class InvitationsView(MethodView):
    """An organization's invitations."""

    @blueprint.arguments(INVITATIONS.arguments, location="query")
    @blueprint.response(200, page_schema(InvitationSchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List the invitations, newest first, with what became of them (organization admins)."""
        found = services().invitations.list(actor(), organization)
        return page_of(found, arguments, INVITATIONS, show=show)

    @blueprint.arguments(NewInvitationSchema)
    @blueprint.response(201, CreatedInvitationSchema)
    def post(self, wish: dict[str, Any], organization: str) -> dict[str, Any]:
        """Make an invitation (organization admins; owners for an owner); the answer alone ever shows the link."""
        invitation, token = services().invitations.create(actor(), organization, **wish)
        return {**show(invitation), "link": f"{services().settings.public_url}/invitations/{token}"}


@blueprint.route(f"{OF_ORGANIZATION}/<invitation_id>")
class InvitationView(MethodView):
    """One invitation."""

    @blueprint.response(204)
    def delete(self, organization: str, invitation_id: str) -> None:
        """Revoke an open invitation."""
        services().invitations.revoke(actor(), organization, invitation_id)


@blueprint.route("/invitations/<token>")
class OfferView(MethodView):
    """What somebody with the link sees."""

    @blueprint.doc(security=[])
    @blueprint.response(200, OfferSchema)
    def get(self, token: str) -> dict[str, Any]:
        """Show what the invitation offers, to anybody who has its link."""
        return show_offer(services().invitations.find(token))


@blueprint.route("/invitations/<token>/accept")
class AcceptanceView(MethodView):
    """The way in."""

    @blueprint.doc(security=[])
    @blueprint.arguments(AcceptanceSchema, required=False)
    @blueprint.response(200, OfferSchema)
    @blueprint.alt_response(201, schema=SessionSchema)
    def post(self, wish: dict[str, Any], token: str) -> Any:
        """Join; with nobody signed in an account is made, and the answer is that of a sign-in."""
        if actor().is_signed_in:
            return show_offer(services().invitations.accept(actor(), token)[0])
        account = _account(wish)
        services().invitations.accept(actor(), token, account)
        return answer_sign_in(account.username, account.password)


def _account(wish: dict[str, Any]) -> NewAccount:
    missing = [name for name in ("username", "password") if name not in wish]
    if missing:
        raise InvalidInput(
            f"{missing[0]} is missing: nobody is signed in, so an account is to be made.",
            hint="Sign in first, or send username, display_name and password.",
            field=missing[0],
        )
    return NewAccount(**wish)
