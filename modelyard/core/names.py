"""The rules for names that people choose: slugs of organizations and projects, usernames, names of things."""

from __future__ import annotations

import re
import unicodedata

from modelyard.core.errors import InvalidInput

SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")
MAX_SLUG = 63
EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f\ud800-\udfff]+@[^@\s\x00-\x1f\x7f\ud800-\udfff]+")
RESERVED_SLUGS = frozenset(
    [
        "account",
        "admin",
        "ajax-api",
        "api",
        "assets",
        "auth",
        "docs",
        "events",
        "get-artifact",
        "graphql",
        "health",
        "invitations",
        "login",
        "metrics",
        "mlflow",
        "model-versions",
        "new",
        "organizations",
        "plugins",
        "projects",
        "reset-password",
        "serve",
        "session",
        "settings",
        "setup",
        "sign-in",
        "sign-out",
        "static",
        "tokens",
        "users",
        "version",
    ]
)


def check_slug(value: str, field: str) -> str:
    """Return `value` if it may stand in an address; raises `InvalidInput` with the rule that it breaks."""
    if len(value) > MAX_SLUG or not SLUG.fullmatch(value):
        raise InvalidInput(
            f"{field} {value[:80]!r} is not a slug.",
            hint="Use a-z, 0-9 and single hyphens between them, at most 63 characters.",
            field=field,
        )
    if value in RESERVED_SLUGS:
        raise InvalidInput(f"{field} {value!r} is reserved.", hint="Choose another one.", field=field)
    return value


def check_username(value: str) -> str:
    """Return the username in lower case; raises `InvalidInput` unless it is a slug, dots and underscores allowed."""
    lowered = value.lower()
    if len(lowered) > MAX_SLUG or not re.fullmatch(r"[a-z0-9]([._-]?[a-z0-9])*", lowered):
        raise InvalidInput(
            f"username {value[:80]!r} cannot be taken.",
            hint="Use a-z, 0-9 and single dots, hyphens or underscores between them, at most 63 characters.",
            field="username",
        )
    return lowered


def check_email(value: str) -> str:
    """Return `value` if it may be an e-mail address, or nothing; whether mail arrives there is not looked at."""
    if value and (len(value) > 254 or not EMAIL.fullmatch(value)):
        raise InvalidInput(
            f"email {value[:80]!r} is no e-mail address.",
            hint="Write it as NAME@HOST, or leave it empty.",
            field="email",
        )
    return value


def check_text(value: str, field: str, *, longest: int, shortest: int = 0) -> str:
    """Return `value` unless it is too long, too short, or holds control characters or halves of surrogate pairs."""
    if not shortest <= len(value) <= longest:
        raise InvalidInput(f"{field} has {len(value)} characters; {shortest} to {longest} are allowed.", field=field)
    bad = next(
        (letter for letter in value if unicodedata.category(letter) in {"Cs", "Cc"} and letter not in "\n\t\r"), None
    )
    if bad is not None:
        raise InvalidInput(f"{field} holds the character U+{ord(bad):04X}.", hint="Take it out.", field=field)
    return value


def check_name(value: str, field: str, *, longest: int = 255) -> str:
    """Return the name of a thing: one line that can stand in an address, without slash, colon or space at its ends."""
    check_text(value, field, longest=longest, shortest=1)
    lines = len(value.splitlines())
    if value != value.strip() or value in {".", ".."} or lines > 1 or any(letter in value for letter in "/:\t"):
        raise InvalidInput(
            f"{field} {value[:80]!r} cannot be taken.",
            hint="Leave out slashes, colons, tabs, line breaks, and spaces at its ends; dots alone are no name.",
            field=field,
        )
    return value
