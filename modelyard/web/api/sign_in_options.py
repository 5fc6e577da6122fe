"""The ways to sign in."""

from __future__ import annotations

from typing import Any

from flask import url_for
from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.web.context import services
from modelyard.web.schemas.identity import SignInOptionsSchema

blueprint = Blueprint(
    "sign_in_options", __name__, url_prefix="/api/v1/sign-in-options", description="The ways to sign in"
)


@blueprint.route("")
class SignInOptionsView(MethodView):
    """The ways to sign in."""

    @blueprint.doc(security=[])
    @blueprint.response(200, SignInOptionsSchema)
    def get(self) -> dict[str, Any]:
        """Say how people sign in here; `oidc` is null unless a provider is set up."""
        oidc = services().settings.oidc
        return {"password": True, "oidc": {"name": oidc.name, "start": url_for("oidc.start")} if oidc.issuer else None}
