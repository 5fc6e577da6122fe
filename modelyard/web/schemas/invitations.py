"""Shapes of invitations."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.core.identity.policy import ORGANIZATION_ROLES, PROJECT_ROLES
from modelyard.core.projects.invitations import LONGEST_DAYS, LONGEST_EMAIL
from modelyard.web.schemas.base import StrictSchema, moment


class NewInvitationSchema(StrictSchema):
    """A wish for an invitation."""

    role = fields.String(required=True, validate=validate.OneOf(ORGANIZATION_ROLES))
    project = fields.String(
        load_default=None, allow_none=True, metadata={"description": "A project to give a role in, by its slug."}
    )
    project_role = fields.String(load_default=None, allow_none=True, validate=validate.OneOf([*PROJECT_ROLES, None]))
    email = fields.String(
        load_default="",
        validate=validate.Length(0, LONGEST_EMAIL),
        metadata={"description": "Whom it is for, as a note; nothing is sent."},
    )
    expires_in_days = fields.Integer(strict=True, load_default=7, validate=validate.Range(1, LONGEST_DAYS))


class InvitationSchema(Schema):
    """An invitation without its link."""

    id = fields.String(required=True)
    role = fields.String(required=True)
    project = fields.String(required=True, allow_none=True)
    project_role = fields.String(required=True, allow_none=True)
    email = fields.String(required=True)
    state = fields.String(
        required=True,
        metadata={
            "description": "`open`, `accepted`, `expired`, or `revoked` (also where its maker may let nobody in)."
        },
    )
    invited_by = fields.String(required=True)
    accepted_by = fields.String(required=True, allow_none=True)
    created_at = moment("created_at_ms")
    expires_at = moment("expires_at_ms")
    accepted_at = moment("accepted_at_ms", allow_none=True)


class CreatedInvitationSchema(InvitationSchema):
    """A new invitation; `link` is shown here and never again."""

    link = fields.String(required=True)


class OfferSchema(Schema):
    """What an invitation offers to whoever has its link."""

    organization = fields.String(required=True, metadata={"description": "Its slug."})
    organization_name = fields.String(required=True)
    role = fields.String(required=True)
    project = fields.String(required=True, allow_none=True)
    project_role = fields.String(required=True, allow_none=True)
    invited_by = fields.String(required=True)
    expires_at = moment("expires_at_ms")


class AcceptanceSchema(StrictSchema):
    """Who accepts, where nobody is signed in: an account is made."""

    username = fields.String(validate=validate.Length(1, 200), metadata={"example": "ada"})
    display_name = fields.String(load_default="", validate=validate.Length(0, 200))
    password = fields.String(load_only=True, validate=validate.Length(1, 1024))
