"""What every answer tells browsers: run nothing that is not ours, show us in no frame, guess no types."""

from __future__ import annotations

from flask import Flask, Response

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'self'; frame-ancestors 'none'; form-action 'self'"
    ),
}
A_YEAR_SECONDS = 365 * 24 * 3600


def of(public_url: str) -> list[tuple[str, str]]:
    """Return the headers; a server that is reached by TLS asks for nothing but TLS."""
    tls = [("Strict-Transport-Security", f"max-age={A_YEAR_SECONDS}")] if public_url.startswith("https:") else []
    return [*HEADERS.items(), *tls]


def register(app: Flask, public_url: str) -> None:
    """Add them where a view has not said otherwise."""
    pairs = [(name.lower(), (name, value)) for name, value in of(public_url)]

    def add(response: Response) -> Response:
        # `setdefault` raises and catches an exception for each header that is not there, on each answer
        said = {name.lower() for name in response.headers.keys()}  # noqa: SIM118 - iterating gives pairs
        response.headers.extend([pair for key, pair in pairs if key not in said])
        return response

    app.after_request(add)
