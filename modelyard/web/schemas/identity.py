"""Shapes of sign-in, users, sessions, tokens and service accounts."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.core.identity.policy import SCOPES
from modelyard.web.schemas.base import Moment, StrictSchema, moment

NEW_PASSWORD = {"description": "10 to 1024 characters."}


def _new_password(*, required: bool = True) -> fields.String:
    if required:
        return fields.String(required=True, load_only=True, metadata=NEW_PASSWORD)
    described = {"description": "10 to 1024 characters; without one the answer has a link that sets it."}
    return fields.String(load_default=None, allow_none=True, load_only=True, metadata=described)


class SignInSchema(StrictSchema):
    """A sign-in."""

    username = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "ada"})
    password = fields.String(required=True, load_only=True, validate=validate.Length(1, 1024))


class OidcOptionSchema(Schema):
    """Sign-in with OpenID Connect."""

    name = fields.String(required=True, metadata={"description": "What the button calls the provider."})
    start = fields.String(required=True, metadata={"description": "Where the browser goes; `?next=/page` comes back."})


class SignInOptionsSchema(Schema):
    """The ways to sign in."""

    password = fields.Boolean(required=True)
    oidc = fields.Nested(OidcOptionSchema, required=True, allow_none=True)


class UserSchema(Schema):
    """Who somebody is."""

    id = fields.String(attribute="public_id", required=True)
    username = fields.String(required=True)
    display_name = fields.String(required=True)
    is_instance_admin = fields.Boolean(required=True)


class SessionSchema(Schema):
    """Who the caller is."""

    kind = fields.String(required=True, metadata={"description": "`user` by cookie, `token` by token."})
    user = fields.Nested(UserSchema, required=True)
    scopes = fields.List(fields.String(), required=True, allow_none=True)


class AccountSchema(UserSchema):
    """A user as administrators and the user see it."""

    email = fields.String(required=True)
    kind = fields.String(required=True, metadata={"description": "`person`, or `service` for a service account."})
    disabled = fields.Boolean(required=True)
    created_at = moment("created_at_ms")


class NewUserSchema(StrictSchema):
    """A wish for a user."""

    username = fields.String(required=True, metadata={"example": "ada"})
    password = _new_password(required=False)
    display_name = fields.String(load_default="")
    email = fields.String(load_default="")
    is_instance_admin = fields.Boolean(load_default=False)


class UserChangesSchema(StrictSchema):
    """What may be changed of a user; people change their own `display_name` and `email`."""

    display_name = fields.String()
    email = fields.String(metadata={"example": "ada@example.com"})
    is_instance_admin = fields.Boolean(metadata={"description": "For instance administrators."})
    disabled = fields.Boolean(metadata={"description": "For instance administrators; ends the user's sessions."})


class PasswordLinkSchema(Schema):
    """A link that sets a password once; it is shown here and never again."""

    url = fields.String(required=True)
    expires_at = Moment(attribute="expires_at_ms", metadata={"type": "string", "format": "date-time"})


class CreatedUserSchema(AccountSchema):
    """A new user; `password_link` is null where a password was given."""

    password_link = fields.Nested(PasswordLinkSchema, required=True, allow_none=True)


class PasswordChangeSchema(StrictSchema):
    """A new password, by somebody who knows the present one."""

    current_password = fields.String(required=True, load_only=True, validate=validate.Length(1, 1024))
    password = _new_password()


class PasswordSchema(StrictSchema):
    """A new password, by somebody who has the link for it."""

    password = _new_password()


class SetupSchema(StrictSchema):
    """The first instance administrator."""

    username = fields.String(required=True, metadata={"example": "ada"})
    password = _new_password()
    display_name = fields.String(load_default="")
    email = fields.String(load_default="")


class SignedInSessionSchema(Schema):
    """A session of a browser."""

    id = fields.String(required=True)
    address = fields.String(required=True)
    user_agent = fields.String(required=True)
    is_current = fields.Boolean(required=True, metadata={"description": "Whether it is the caller's."})
    created_at = moment("created_at_ms")
    last_seen_at = moment("last_seen_at_ms")
    expires_at = moment("expires_at_ms")


class TokenSchema(Schema):
    """An API token without its secret."""

    id = fields.String(attribute="public_id", required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True, metadata={"description": "How the token begins."})
    scopes = fields.List(fields.String(), required=True)
    project = fields.String(
        allow_none=True, required=True, metadata={"description": "`organization/project` it is bound to."}
    )
    created_at = moment("created_at_ms")
    expires_at = moment("expires_at_ms", allow_none=True)
    last_used_at = moment("last_used_at_ms", allow_none=True)


class NewAccountTokenSchema(StrictSchema):
    """A wish for a token of a service account."""

    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "training on node 7"})
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)),
        load_default=["read", "write"],
        validate=validate.Length(1, len(SCOPES)),
    )
    project = fields.String(
        load_default=None, allow_none=True, metadata={"description": "Bind it to this project of the organization."}
    )
    expires_in_days = fields.Integer(strict=True, load_default=None, allow_none=True, validate=validate.Range(1, 3650))


class NewTokenSchema(NewAccountTokenSchema):
    """A wish for a token."""

    organization = fields.String(
        load_default=None, allow_none=True, metadata={"description": "The organization of `project`."}
    )


class CreatedTokenSchema(TokenSchema):
    """A new token; `token` is shown here and never again."""

    token = fields.String(required=True)


class ServiceAccountSchema(Schema):
    """A service account of an organization."""

    id = fields.String(attribute="public_id", required=True)
    name = fields.String(required=True)
    username = fields.String(required=True, metadata={"description": "Its name among the members."})
    display_name = fields.String(required=True)
    disabled = fields.Boolean(required=True)
    created_at = moment("created_at_ms")


class NewServiceAccountSchema(StrictSchema):
    """A wish for a service account."""

    name = fields.String(required=True, metadata={"example": "nightly-training"})
    display_name = fields.String(load_default="")


class ServiceAccountChangesSchema(StrictSchema):
    """What may be changed of a service account."""

    display_name = fields.String()
    disabled = fields.Boolean()
