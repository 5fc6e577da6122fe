"""Shapes of sign-in, users and tokens."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from modelyard.core.identity.policy import SCOPES
from modelyard.web.schemas.base import StrictSchema, moment


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
    """A user."""

    id = fields.String(attribute="public_id", required=True)
    username = fields.String(required=True)
    display_name = fields.String(required=True)
    is_instance_admin = fields.Boolean(required=True)


class SessionSchema(Schema):
    """Who the caller is."""

    kind = fields.String(required=True, metadata={"description": "`user` by cookie, `token` by token."})
    user = fields.Nested(UserSchema, required=True)
    scopes = fields.List(fields.String(), required=True, allow_none=True)


class TokenSchema(Schema):
    """An API token without its secret."""

    id = fields.String(attribute="public_id", required=True)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    project = fields.String(
        allow_none=True, required=True, metadata={"description": "`organization/project` it is bound to."}
    )
    created_at = moment("created_at_ms")
    expires_at = moment("expires_at_ms", allow_none=True)
    last_used_at = moment("last_used_at_ms", allow_none=True)


class NewTokenSchema(StrictSchema):
    """A wish for a token."""

    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "training on node 7"})
    scopes = fields.List(
        fields.String(validate=validate.OneOf(SCOPES)), load_default=["read", "write"], validate=validate.Length(1, 4)
    )
    organization = fields.String(load_default=None, allow_none=True)
    project = fields.String(
        load_default=None, allow_none=True, metadata={"description": "Bind it to this project of `organization`."}
    )
    expires_in_days = fields.Integer(strict=True, load_default=None, allow_none=True, validate=validate.Range(1, 3650))


class CreatedTokenSchema(TokenSchema):
    """A new token; `token` is shown here and never again."""

    token = fields.String(required=True)
