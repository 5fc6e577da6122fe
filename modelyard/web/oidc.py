"""Sign-in by way of the identity provider: the browser leaves from `start` and comes back to `callback`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Flask, Response, current_app, g, redirect, request
from markupsafe import escape

from modelyard.config.settings import Settings
from modelyard.core import db
from modelyard.core.errors import AuthenticationRequired, ModelyardError, NotFound
from modelyard.core.identity.sign_in_attempts import LIFETIME_SECONDS, START_AGAIN
from modelyard.web.api.session import give_cookie
from modelyard.web.context import actor, release_connection, services
from modelyard.web.errors import problem_of

if TYPE_CHECKING:
    from modelyard.web.oidc_provider import OidcProvider

COOKIE = "modelyard_sign_in"
PATH = "/auth/oidc"
PROVIDER = "modelyard.oidc_provider"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign-in failed · Modelyard</title></head>
<body><main><h1>Sign-in failed</h1><p>{detail}</p><p>{hint}</p>
<p><a href="/sign-in">Back to the sign-in page</a></p><p><small>Request {request_id}</small></p></main></body></html>
"""

blueprint = Blueprint("oidc", __name__, url_prefix=PATH)


def register(app: Flask, settings: Settings) -> None:
    """Answer `/auth/oidc/start` and `/auth/oidc/callback`; without `oidc.issuer` both say that there is nothing."""
    app.register_blueprint(blueprint)
    if settings.oidc.issuer:
        from modelyard.web.oidc_provider import OidcProvider

        redirect_uri = f"{settings.public_url}{PATH}/callback"
        app.extensions[PROVIDER] = OidcProvider(settings.oidc, redirect_uri)


@blueprint.before_request
def _only_if_set() -> None:
    if PROVIDER not in current_app.extensions:
        raise NotFound("Sign-in with OpenID Connect is not set up.", hint="The setting is oidc.issuer.")


@blueprint.get("/start")
def start() -> Response:
    """Send the browser to the provider; `next` is the page to open afterwards."""
    attempt, sealed = services().sign_in_attempts.begin(request.args.get("next", "/"))
    release_connection()
    response = _redirect(_provider().authorization_url(attempt))
    return _set_cookie(response, sealed, LIFETIME_SECONDS)


@blueprint.get("/callback")
def callback() -> Response:
    """Check what the provider says, open a session, and go on to the page that was wanted."""
    attempt = services().sign_in_attempts.take_up(request.cookies.get(COOKIE, ""), request.args.get("state", ""))
    _refuse_other_issuer()
    if "error" in request.args or not request.args.get("code"):
        reason = request.args.get("error_description") or request.args.get("error") or "it sent no code"
        raise AuthenticationRequired(f"The identity provider refused the sign-in: {reason[:200]}.", hint=START_AGAIN)
    release_connection()
    identity = _provider().prove(attempt, request.args["code"])
    with db.connection():
        _, secret = services().oidc.sign_in(
            identity,
            address=actor().address,
            user_agent=request.headers.get("User-Agent", ""),
            request_id=actor().request_id,
        )
    return give_cookie(_forget(_redirect(attempt.next)), secret)


@blueprint.errorhandler(ModelyardError)
def _show_problem(error: ModelyardError) -> Response:
    """Answer browsers with a page and programs with a problem; a failed attempt is over."""
    response = problem_of(error)
    if request.accept_mimetypes.best_match(["application/problem+json", "text/html"]) == "text/html":
        texts = {"detail": error.message, "hint": error.hint or "", "request_id": g.request_id}
        response.set_data(PAGE.format(**{name: escape(text) for name, text in texts.items()}))
        response.content_type = "text/html; charset=utf-8"
    return _forget(response) if request.endpoint == "oidc.callback" else response


def _refuse_other_issuer() -> None:
    """Refuse an answer of which another provider says that it is its own (RFC 9207)."""
    issuer = services().settings.oidc.issuer
    if request.args.get("iss", issuer) != issuer:
        raise AuthenticationRequired("The answer is another identity provider's.", hint=START_AGAIN)


def _provider() -> OidcProvider:
    provider: OidcProvider = current_app.extensions[PROVIDER]
    return provider


def _redirect(address: str) -> Response:
    response: Any = redirect(address, 302)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[no-any-return]


def _forget(response: Response) -> Response:
    return _set_cookie(response, "", 0)


def _set_cookie(response: Response, value: str, seconds: int) -> Response:
    https = services().settings.public_url.startswith("https:")
    response.set_cookie(COOKIE, value, max_age=seconds, httponly=True, samesite="Lax", secure=https, path=PATH)
    return response
