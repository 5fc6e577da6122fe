"""Which other sites' pages may read answers (CORS): none, unless the setting `server.cors_origins` names them.

They show a token; cookies never go along, since no answer allows credentials.
"""

from __future__ import annotations

from collections.abc import Collection

from flask import Flask, Response, request

PATHS = ("/api/v1/", "/serve/", "/mlflow/")
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Range, X-Request-ID"
ANSWER_HEADERS = (
    "Content-Disposition, Content-Range, ETag, Link, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "Retry-After, X-Request-ID"
)
PREFLIGHT_SECONDS = 600


def register(app: Flask, origins: Collection[str]) -> None:
    """Answer the preflights of these origins and mark what they may read; without any, do nothing."""
    if not origins:
        return
    allowed = frozenset(origin.lower().rstrip("/") for origin in origins)

    def is_allowed() -> bool:
        return request.headers.get("Origin", "").lower() in allowed and request.path.startswith(PATHS)

    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers or not is_allowed():
            return None
        response = Response(status=204)
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response

    def mark(response: Response) -> Response:
        response.vary.add("Origin")
        if is_allowed():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = ANSWER_HEADERS
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    app.before_request(answer_preflight)
    app.after_request(mark)
