"""The verbs of users."""

from __future__ import annotations

from collections.abc import Iterable

from peewee import IntegrityError

from modelyard.core.db import atomic
from modelyard.core.errors import AlreadyExists
from modelyard.core.events import Events
from modelyard.core.identity import credentials, policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.names import check_text, check_username


class UserService:
    """Users of this server."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def create(
        self, actor: Actor, *, username: str, password: str, display_name: str = "", is_instance_admin: bool = False
    ) -> User:
        """Make a user; `AlreadyExists` where the name is taken, `InvalidInput` for a bad name or password."""
        if actor.kind != "system":
            policy.require_instance_admin(actor, "user.create")
        name = check_username(username)
        check_text(display_name, "display_name", longest=200)
        hashed = credentials.hash_password(password)
        try:
            with atomic():
                user = User.create(
                    username=name, display_name=display_name, password_hash=hashed, is_instance_admin=is_instance_admin
                )
                after = {"username": name, "is_instance_admin": is_instance_admin}
                self._events.record(
                    "user.created", actor=actor, object_id=user.public_id, object_name=name, after=after
                )
                return user
        except IntegrityError:
            raise AlreadyExists(f"There is a user {name!r} already.", field="username") from None

    def list(self) -> Iterable[User]:
        """Return all users by name."""
        found: Iterable[User] = User.select().order_by(User.username)
        return found
