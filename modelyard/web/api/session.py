"""Signing in and out by browser."""

from __future__ import annotations

import json
from typing import Any

from flask import Response, after_this_request, request
from flask.views import MethodView
from flask_smorest import Blueprint

from modelyard.core.identity.models import User
from modelyard.core.identity.policy import require_sign_in
from modelyard.web.auth import COOKIE
from modelyard.web.context import actor, services
from modelyard.web.schemas.identity import SessionSchema, SignInSchema

blueprint = Blueprint("session", __name__, url_prefix="/api/v1/session", description="Who is signed in")


@blueprint.route("")
class SessionView(MethodView):
    """The caller's session."""

    @blueprint.response(200, SessionSchema)
    def get(self) -> dict[str, Any]:
        """Say who the caller is; a session by cookie lasts on from now."""
        require_sign_in(actor())
        secret = request.cookies.get(COOKIE)
        if actor().kind == "user" and secret:
            after_this_request(lambda response: give_cookie(response, secret))
        user = User.get_by_id(actor().user_id)
        scopes = actor().scopes
        return {"kind": actor().kind, "user": user, "scopes": None if scopes is None else sorted(scopes)}

    @blueprint.doc(security=[])
    @blueprint.arguments(SignInSchema)
    @blueprint.response(201, SessionSchema)
    def post(self, credentials: dict[str, Any]) -> Any:
        """Sign in and get a cookie."""
        user, secret = services().sessions.sign_in(
            credentials["username"],
            credentials["password"],
            address=actor().address,
            user_agent=request.headers.get("User-Agent", ""),
            request_id=actor().request_id,
        )
        body = SessionSchema().dump({"kind": "user", "user": user, "scopes": None})
        response = Response(json.dumps(body), status=201, content_type="application/json")
        return give_cookie(response, secret)

    @blueprint.response(204)
    def delete(self) -> Any:
        """Sign out; without a session nothing happens."""
        if secret := request.cookies.get(COOKIE):
            services().sessions.sign_out(secret)
        response = Response(status=204)
        response.delete_cookie(COOKIE, path="/")
        return response


def give_cookie(response: Response, secret: str) -> Response:
    """Set the session's cookie for as long as the session lasts without use."""
    seconds = services().settings.server.session_hours * 3600
    https = services().settings.public_url.startswith("https:")
    response.set_cookie(COOKIE, secret, max_age=seconds, httponly=True, samesite="Lax", secure=https, path="/")
    return response
