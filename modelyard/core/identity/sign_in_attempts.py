"""A sign-in on its way to the identity provider and back: what must be remembered meanwhile, sealed for a cookie."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from peewee import IntegrityError

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import AuthenticationRequired, ConfigurationError, InvalidInput
from modelyard.core.identity.credentials import hash_secret
from modelyard.core.identity.models import UsedAttempt
from modelyard.core.secret_box import SecretBox

LIFETIME_SECONDS = 600
START_AGAIN = "Start the sign-in again."


@dataclass(frozen=True, slots=True)
class SignInAttempt:
    """The secrets of one attempt, and the path of the page to open after it."""

    state: str
    nonce: str
    code_verifier: str
    next: str
    expires_at_ms: int


class SignInAttempts:
    """Begins attempts and takes them up again when the browser comes back."""

    def __init__(self, secrets: SecretBox) -> None:
        self._secrets = secrets

    def begin(self, next_path: str) -> tuple[SignInAttempt, str]:
        """Return a new attempt, and the same sealed for the browser's cookie; it lasts ten minutes.

        Raises `InvalidInput` for a `next_path` that is no path of this server.
        """
        attempt = SignInAttempt(
            state=secrets.token_urlsafe(32),
            nonce=secrets.token_urlsafe(32),
            code_verifier=secrets.token_urlsafe(48),
            next=check_local_path(next_path),
            expires_at_ms=now_ms() + LIFETIME_SECONDS * 1000,
        )
        return attempt, self._secrets.seal({"sign_in_attempt": asdict(attempt)}) or ""

    def take_up(self, sealed: str, state: str) -> SignInAttempt:
        """Return the attempt that this browser began with this state; each is taken up once, also across processes.

        Raises `AuthenticationRequired` for one that was begun elsewhere, is too old, or has come back before.
        """
        attempt = self._open(sealed)
        if attempt is None or not hmac.compare_digest(state.encode("utf-8", "replace"), attempt.state.encode()):
            raise AuthenticationRequired("This browser began no such sign-in.", hint=START_AGAIN)
        now = now_ms()
        if attempt.expires_at_ms <= now:
            raise AuthenticationRequired("The sign-in took more than ten minutes.", hint=START_AGAIN)
        try:
            with atomic():
                UsedAttempt.delete().where(UsedAttempt.expires_at_ms <= now).execute()
                UsedAttempt.create(state_hash=hash_secret(attempt.state), expires_at_ms=attempt.expires_at_ms)
        except IntegrityError:
            raise AuthenticationRequired("This sign-in has come back before.", hint=START_AGAIN) from None
        return attempt

    def _open(self, sealed: str) -> SignInAttempt | None:
        try:
            found = self._secrets.open(sealed or None).get("sign_in_attempt")
        except (ConfigurationError, ValueError):  # no seal of ours; ValueError where it is not even text
            return None
        return SignInAttempt(**found) if found else None


def check_local_path(path: str) -> str:
    """Return `path` if a browser that follows it stays on this server; raises `InvalidInput` otherwise.

    Browsers take a backslash for a slash and skip tabs and line breaks, so neither may be there.
    """
    try:
        parts = urlsplit(path)
    except ValueError:
        parts = None
    strange = any(letter <= " " or letter in "\\\x7f" for letter in path)
    if parts is None or parts.scheme or parts.netloc or strange or not path.startswith("/") or path.startswith("//"):
        raise InvalidInput(f"next {path[:80]!r} is no path of this server.", hint="Write it as /page.", field="next")
    return path
