"""Sign-in by browser, and the sessions that it opens."""

from __future__ import annotations

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import AuthenticationRequired
from modelyard.core.events import Events
from modelyard.core.identity import credentials, throttle
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import Session, User

TOUCH_EVERY_MS = 60_000


class SessionService:
    """Sign-in by browser."""

    def __init__(self, events: Events, lifetime_seconds: int) -> None:
        self._events = events
        self._lifetime_ms = lifetime_seconds * 1000

    def sign_in(
        self, username: str, password: str, *, address: str, user_agent: str, request_id: str
    ) -> tuple[User, str]:
        """Check the password and open a session; returns the user and the cookie's secret.

        Raises `AuthenticationRequired`, the same and as slowly, for an unknown, a disabled user and a wrong password;
        after too many of those `TooManyRequests`, also for the right password.
        """
        attempt = throttle.begin_attempt(username, address)
        user = User.get_or_none(User.username == username.lower(), User.disabled_at_ms.is_null())
        matches = credentials.password_matches(password, user.password_hash if user else None)
        if user is None or not matches:
            raise AuthenticationRequired("The username or the password is not right.")
        attempt.succeeded()
        self._keep_hash_current(user, password)
        return user, self.open(user, address=address, user_agent=user_agent, request_id=request_id)

    def open(self, user: User, *, address: str, user_agent: str, request_id: str) -> str:
        """Open a session for somebody who has shown who they are; returns the cookie's secret."""
        secret = credentials.new_secret()
        actor = Actor(kind="user", id=user.public_id, name=user.username, request_id=request_id, address=address)
        now = now_ms()
        with atomic():
            Session.delete().where(Session.expires_at_ms < now).execute()
            Session.create(
                user=user,
                secret_hash=credentials.hash_secret(secret),
                expires_at_ms=now + self._lifetime_ms,
                address=address,
                user_agent=user_agent[:400],
            )
            self._events.record("session.opened", actor=actor, object_id=user.public_id, object_name=user.username)
        return secret

    def _keep_hash_current(self, user: User, password: str) -> None:
        """Hash the password anew where Argon2's parameters have changed since it was hashed."""
        if credentials.is_outdated(user.password_hash):
            hashed = credentials.hash_again(password)
            with atomic():
                unchanged = (User.id == user.id) & (User.password_hash == user.password_hash)
                User.update(password_hash=hashed).where(unchanged).execute()

    def find(self, secret: str) -> User | None:
        """Return the user whose live session this is, and keep the session alive; None for any other secret."""
        now = now_ms()
        session = (
            Session.select(Session, User)
            .join(User)
            .where(
                Session.secret_hash == credentials.hash_secret(secret),
                Session.expires_at_ms > now,
                User.disabled_at_ms.is_null(),
            )
            .first()
        )
        if session is None:
            return None
        if session.last_seen_at_ms < now - TOUCH_EVERY_MS:
            with atomic():
                Session.update(last_seen_at_ms=now, expires_at_ms=now + self._lifetime_ms).where(
                    Session.id == session.id
                ).execute()
        user: User = session.user
        return user

    def sign_out(self, secret: str) -> None:
        """End the session; silent where it has ended."""
        with atomic():
            Session.delete().where(Session.secret_hash == credentials.hash_secret(secret)).execute()


def actor_of_user(user: User, *, request_id: str, address: str) -> Actor:
    """Make the actor of somebody who signed in by browser."""
    return Actor(
        kind="user",
        id=user.public_id,
        name=user.username,
        user_id=user.id,
        is_instance_admin=user.is_instance_admin,
        request_id=request_id,
        address=address,
    )
