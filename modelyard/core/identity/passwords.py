"""Passwords: changed by who knows the present one, or set once by a link that an administrator hands over."""

from __future__ import annotations

from dataclasses import dataclass

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import Conflict, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import credentials, policy, throttle
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import OneTimeLink, Session, User
from modelyard.core.identity.users import end_access, find_user

LINK_HOURS = 24


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is shown, this once."""

    url: str
    expires_at_ms: int


class PasswordService:
    """How passwords change."""

    def __init__(self, events: Events, public_url: str) -> None:
        self._events = events
        self._public_url = public_url

    def change(self, actor: Actor, *, current_password: str, password: str) -> None:
        """Set the actor's own password and end all their other sessions.

        Raises `InvalidInput` where the current one is wrong, and `TooManyRequests` after too many of those.
        """
        policy.require_account(actor, "account.edit")
        user = User.get_by_id(actor.user_id)
        _check_person(user)
        attempt = throttle.begin_attempt(user.username, actor.address)
        if not credentials.password_matches(current_password, user.password_hash):
            raise InvalidInput("The current password is not right.", field="current_password")
        attempt.succeeded()
        hashed = credentials.hash_password(password)
        with atomic():
            unchanged = (User.id == user.id) & (User.password_hash == user.password_hash)
            if User.update(password_hash=hashed).where(unchanged).execute() == 0:
                raise Conflict("The password was changed by somebody else meanwhile.", hint="Sign in again.")
            others = (Session.user == user) & (Session.public_id != actor.session_id)
            Session.delete().where(others).execute()
            OneTimeLink.delete().where(OneTimeLink.user == user).execute()
            self._record(actor, user, "password_changed")

    def create_link(self, actor: Actor, username: str) -> Link:
        """Make the link by which a user sets a password within 24 h, in place of any that was made before."""
        if actor.kind != "system":
            policy.require_instance_admin(actor, "user.edit")
        secret = credentials.new_secret()
        expires_at_ms = now_ms() + LINK_HOURS * 3600 * 1000
        with atomic():
            user = find_user(username)
            _check_person(user)
            if user.disabled:
                raise Conflict(f"{user.username!r} is disabled.", hint="Enable the user first.")
            OneTimeLink.delete().where(OneTimeLink.user == user).execute()
            OneTimeLink.create(user=user, secret_hash=credentials.hash_secret(secret), expires_at_ms=expires_at_ms)
            self._record(actor, user, "password_link_created")
        return Link(f"{self._public_url}/reset-password/{secret}", expires_at_ms)

    def use_link(self, secret: str, password: str, *, request_id: str, address: str) -> None:
        """Set the password that the link is for and end all sessions of its user.

        Raises `NotFound`, the same, for a link that never was, was used, was replaced or has expired.
        """
        user = _user_of_link(secret)
        hashed = credentials.hash_password(password)
        actor = Actor(kind="user", id=user.public_id, name=user.username, request_id=request_id, address=address)
        with atomic():
            mine = OneTimeLink.secret_hash == credentials.hash_secret(secret)
            if OneTimeLink.delete().where(mine).execute() == 0:  # somebody was quicker
                raise _no_link()
            User.update(password_hash=hashed).where(User.id == user.id).execute()
            end_access(user)
            throttle.forget_failures(user.username, address)
            self._record(actor, user, "password_reset")

    def _record(self, actor: Actor, user: User, verb: str) -> None:
        self._events.record(f"user.{verb}", actor=actor, object_id=user.public_id, object_name=user.username)


def _check_person(user: User) -> None:
    if user.kind != "person":
        raise Conflict(f"{user.username!r} is a service account and has no password.", hint="Make a token for it.")


def _user_of_link(secret: str) -> User:
    link = (
        OneTimeLink.select(OneTimeLink, User)
        .join(User)
        .where(
            OneTimeLink.secret_hash == credentials.hash_secret(secret),
            OneTimeLink.expires_at_ms > now_ms(),
            User.disabled_at_ms.is_null(),
        )
        .first()
    )
    if link is None:
        raise _no_link()
    user: User = link.user
    return user


def _no_link() -> NotFound:
    return NotFound("This link is not good: it was used, has expired, or was replaced.", hint="Ask for a new one.")
