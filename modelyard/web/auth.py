"""Turns what a request shows, a session cookie, a Bearer token or Basic with a token as password, into an `Actor`."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import structlog
from flask import Flask, g, request

from modelyard.core.db import now_ms
from modelyard.core.errors import AuthenticationRequired, PermissionDenied
from modelyard.core.identity.actor import Actor, anonymous_actor
from modelyard.core.identity.sessions import actor_of_user
from modelyard.core.identity.tokens import actor_of_token
from modelyard.web.context import services

COOKIE = "modelyard_session"
OPEN_ENDPOINTS = frozenset({None, "ui.api_docs", "ui.asset", "ui.page", "health.live"})
"""What is answered without a look at who asks, and without a database."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROOF_HEADER = "X-Requested-With"


def register(app: Flask) -> None:
    """Set `g.actor` before every request that is not for a static file."""
    app.before_request(_authenticate)


def _authenticate() -> None:
    if request.endpoint in OPEN_ENDPOINTS:
        g.actor = anonymous_actor(request_id=g.request_id, address=request.remote_addr or "")
        return
    g.actor = _actor()
    if g.actor.is_signed_in:
        structlog.contextvars.bind_contextvars(actor=g.actor.id)


def _actor() -> Actor:
    """Return who asks; a credential that is shown must be good, whatever the address."""
    address = request.remote_addr or ""
    token = shown_token()
    if token is not None:
        view = services().access.view(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())
        found = view.fetch("actor", lambda: _actor_of(token))
        g.access = view
        if found is None or (found.expires_at_ms is not None and found.expires_at_ms <= now_ms()):
            raise AuthenticationRequired("The token is unknown, wrong, expired or revoked.", hint="Make a new one.")
        return replace(found, request_id=g.request_id, address=address)
    secret = request.cookies.get(COOKIE)
    signed_in = services().sessions.find(secret) if secret else None
    if signed_in is None:
        return anonymous_actor(request_id=g.request_id, address=address)
    _refuse_foreign_pages()
    user, session = signed_in
    return actor_of_user(user, request_id=g.request_id, address=address, session_id=session.public_id)


def _actor_of(token: str) -> Actor | None:
    """Look the token up; what is found counts for any request that shows it, and so do the roles it comes to know."""
    found = services().tokens.find(token)
    return actor_of_token(*found, request_id="", address="") if found else None


def shown_token() -> str | None:
    """Return the token that the request shows as Bearer or as Basic's password; None where it shows none."""
    if "Authorization" not in request.headers:
        return None
    scheme, _, value = request.headers["Authorization"].partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic" and request.authorization is not None:
        return request.authorization.password or ""
    raise AuthenticationRequired("The Authorization header is neither Bearer nor Basic.")


def _refuse_foreign_pages() -> None:
    """Refuse a change by cookie that another site's page may have sent: it cannot set the header that ours sets."""
    if request.method not in SAFE_METHODS and PROOF_HEADER not in request.headers:
        raise PermissionDenied(
            "A change by cookie needs proof that our own page sent it.", hint=f"Send the header {PROOF_HEADER}."
        )
