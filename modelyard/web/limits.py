"""Rate limits: each request counts for its address, and for its caller by what kind of request it is.

No key holds a secret: a caller is the public id of its token or user, and an IPv6 address counts as its /64 network.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, g, request

from modelyard.config.settings import LimitSettings
from modelyard.core.identity.credentials import read_token
from modelyard.web.auth import OPEN_ENDPOINTS, SAFE_METHODS, shown_token
from modelyard.web.context import actor

if TYPE_CHECKING:
    from modelyard.web.rate_counters import RateLimits

EXTENSION = "modelyard.limits"
COUNTED = "modelyard.counted"
"""Names in a request's environment the limits that it was counted against before Flask."""
UNLIMITED = OPEN_ENDPOINTS | {"health.ready", "metrics"}
KIND_OF_BLUEPRINT = {"mlflow": "tracking", "prediction": "predictions"}
SIGN_IN_ENDPOINTS = frozenset({"session.SessionView", "account.PasswordView"})
"""Where a password or another proof is sent: counted by address, whatever session comes along."""
SIGN_IN_PAGES = frozenset({"oidc.start", "oidc.callback"})
"""The same for what browsers are sent to."""


def register(app: Flask, settings: LimitSettings) -> None:
    """Refuse an address that sends too much, before anything else is done for it; `check_caller` is for later."""
    if not settings.enabled:
        return
    from modelyard.web.rate_counters import RateLimits

    app.extensions[EXTENSION] = RateLimits(settings)
    app.before_request(_check_address)


def count_early(app: Flask, environ: dict[str, Any], name: str, who: str) -> None:
    """Count a request against a limit before Flask has seen it; Flask counts it no more.

    Raises `TooManyRequests`, and then Flask does count it, and refuses it.
    """
    limits: RateLimits | None = app.extensions.get(EXTENSION)
    if limits is not None:
        limits.count(name, who)
        environ[COUNTED] = (*environ.get(COUNTED, ()), name)


def _is_counted(name: str) -> bool:
    return name in request.environ.get(COUNTED, ())


def check_caller() -> None:
    """Refuse a caller who sends too much of one kind of requests; call it when it is known who asks."""
    limits: RateLimits | None = current_app.extensions.get(EXTENSION)
    if limits is None or request.endpoint in UNLIMITED:
        return
    kind = _kind()
    if _is_counted(kind):
        return
    g.rate_limit = limits.count(kind, _address() if kind == "sign_in" else _caller(), tell=kind != "tracking")


def tell(response: Response) -> None:
    """Add to the answer how much the caller may still send."""
    response.headers.extend(g.get("rate_limit") or {})


def shared_answers() -> bool | None:
    """Say whether the counters of all processes can be reached; None where each process counts by itself."""
    limits: RateLimits | None = current_app.extensions.get(EXTENSION)
    return None if limits is None else limits.shared_answers()


def _check_address() -> None:
    if request.endpoint not in UNLIMITED and not _is_counted("address"):
        current_app.extensions[EXTENSION].count("address", _address())


def _kind() -> str:
    known = KIND_OF_BLUEPRINT.get(request.blueprint or "")
    if known is not None:
        return known
    if request.method in SAFE_METHODS:
        return "sign_in" if request.endpoint in SIGN_IN_PAGES else "reads"
    return "sign_in" if request.endpoint in SIGN_IN_ENDPOINTS or not actor().is_signed_in else "writes"


def _caller() -> str:
    caller = actor()
    if not caller.is_signed_in:
        return _address()
    return of_token(shown_token() or "") if caller.kind == "token" else f"user:{caller.id}"


def of_token(token: str) -> str:
    """Return what counts as one caller of those who show a token."""
    parts = read_token(token)
    return f"token:{parts[0]}" if parts else "token:unknown"


def _address() -> str:
    return of_address(request.remote_addr or "")


def of_address(address: str) -> str:
    """Return what counts as one address: for IPv6 the /64 that a single customer has."""
    if not address:
        return "address:unknown"
    if ":" not in address:
        return f"address:{address}"
    try:
        network = ipaddress.ip_network(f"{address.partition('%')[0]}/64", strict=False)
    except ValueError:
        return f"address:{address}"
    return f"address:{network}"
