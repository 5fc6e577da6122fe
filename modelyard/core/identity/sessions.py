"""Sign-in by browser, and the sessions that it opens."""

from __future__ import annotations

from typing import Any

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import AuthenticationRequired, NotFound, TooManyRequests
from modelyard.core.events import Events
from modelyard.core.identity import credentials, policy, throttle
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import Session, User
from modelyard.core.identity.refusals import Refusals
from modelyard.core.identity.users import find_user

TOUCH_EVERY_MS = 60_000


class SessionService:
    """Sign-in by browser; a session ends without use, and after its longest life in any case."""

    def __init__(self, events: Events, *, idle_seconds: int, longest_seconds: int) -> None:
        self._events = events
        self.refusals = Refusals(events)
        self._idle_ms = idle_seconds * 1000
        self._longest_ms = longest_seconds * 1000

    def sign_in(
        self, username: str, password: str, *, address: str, user_agent: str, request_id: str
    ) -> tuple[User, str]:
        """Check the password and open a session; returns the user and the cookie's secret.

        Raises `AuthenticationRequired`, the same and as slowly, for an unknown, a disabled user and a wrong password;
        after too many of those `TooManyRequests`, also for the right password. Either is told as ``session.refused``.
        """
        try:
            user = self._check(username, password, address)
        except (AuthenticationRequired, TooManyRequests):
            claimed = User.get_or_none(User.username == username.lower())
            self.refusals.note(claimed, address=address, request_id=request_id)
            raise
        self._keep_hash_current(user, password)
        return user, self.open(user, address=address, user_agent=user_agent, request_id=request_id)

    def _check(self, username: str, password: str, address: str) -> User:
        attempt = throttle.begin_attempt(username, address)
        user: User | None = User.get_or_none(
            User.username == username.lower(), User.kind == "person", User.disabled_at_ms.is_null()
        )
        matches = credentials.password_matches(password, user.password_hash if user else None)
        if user is None or not matches:
            raise AuthenticationRequired("The username or the password is not right.")
        attempt.succeeded()
        return user

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
                created_at_ms=now,
                last_seen_at_ms=now,
                expires_at_ms=now + min(self._idle_ms, self._longest_ms),
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

    def find(self, secret: str) -> tuple[User, Session] | None:
        """Return the live session and whose it is, and keep it alive; None for any other secret."""
        now = now_ms()
        session = (
            Session.select(Session, User)
            .join(User)
            .where(
                Session.secret_hash == credentials.hash_secret(secret),
                self._is_live(now),
                User.disabled_at_ms.is_null(),
            )
            .first()
        )
        if session is None:
            return None
        if session.last_seen_at_ms < now - TOUCH_EVERY_MS:
            with atomic():
                until = min(now + self._idle_ms, session.created_at_ms + self._longest_ms)
                Session.update(last_seen_at_ms=now, expires_at_ms=until).where(Session.id == session.id).execute()
        return session.user, session

    def _is_live(self, now: int) -> Any:
        return (Session.expires_at_ms > now) & (Session.created_at_ms > now - self._longest_ms)

    def sign_out(self, secret: str) -> None:
        """End the session; silent where it has ended."""
        with atomic():
            Session.delete().where(Session.secret_hash == credentials.hash_secret(secret)).execute()

    def list(self, actor: Actor) -> Any:
        """Return a query of the actor's own live sessions, newest first."""
        policy.require_account(actor, "session.read")
        mine = Session.select().where(Session.user == actor.user_id, self._is_live(now_ms()))
        return mine.order_by(Session.id.desc())

    def end(self, actor: Actor, session_id: str) -> None:
        """End one of the actor's own sessions; `NotFound` for any other."""
        policy.require_account(actor, "session.end")
        mine = (Session.user == actor.user_id) & (Session.public_id == session_id)
        with atomic():
            if Session.delete().where(mine, self._is_live(now_ms())).execute() == 0:
                raise NotFound(f"You have no session {session_id[:80]!r}.")
            self._record_end(actor, session_id, actor.name, 1)

    def end_others(self, actor: Actor) -> None:
        """End all the actor's own sessions but the one that asks; a token ends them all."""
        policy.require_account(actor, "session.end")
        with atomic():
            others = (Session.user == actor.user_id) & (Session.public_id != actor.session_id)
            if count := Session.delete().where(others).execute():
                self._record_end(actor, actor.id, actor.name, count)

    def end_all(self, actor: Actor, username: str) -> None:
        """End all sessions of a user, as an instance administrator."""
        policy.require_instance_admin(actor, "user.edit")
        with atomic():
            user = find_user(username)
            if count := Session.delete().where(Session.user == user).execute():
                self._record_end(actor, user.public_id, user.username, count)

    def _record_end(self, actor: Actor, object_id: str, name: str, count: int) -> None:
        self._events.record(
            "session.ended", actor=actor, object_id=object_id, object_name=name, after={"sessions": count}
        )


def actor_of_user(user: User, *, request_id: str, address: str, session_id: str = "") -> Actor:
    """Make the actor of somebody who signed in by browser."""
    return Actor(
        kind="user",
        id=user.public_id,
        name=user.username,
        user_id=user.id,
        is_instance_admin=user.is_instance_admin,
        request_id=request_id,
        address=address,
        session_id=session_id,
    )
