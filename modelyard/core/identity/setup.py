"""The first administrator of a server without users: made once, by a link that only the server's own log shows."""

from __future__ import annotations

from dataclasses import replace

from modelyard.core.db import atomic
from modelyard.core.errors import NotFound
from modelyard.core.identity import credentials
from modelyard.core.identity.actor import system_actor
from modelyard.core.identity.models import OneTimeLink, User
from modelyard.core.identity.users import UserService
from modelyard.core.names import check_email, check_text, check_username

KEPT_LINKS = 10


class SetupService:
    """The way into a new server; it is closed for good once there is a user."""

    def __init__(self, users: UserService, public_url: str) -> None:
        self._users = users
        self._public_url = public_url

    def create_link(self) -> str | None:
        """Make a link and return its address, or None where there is a user; those of earlier starts stay good."""
        with atomic():
            if User.select().exists():
                OneTimeLink.delete().where(OneTimeLink.user.is_null()).execute()
                return None
            secret = credentials.new_secret()
            OneTimeLink.create(user=None, secret_hash=credentials.hash_secret(secret), expires_at_ms=None)
            links = OneTimeLink.select(OneTimeLink.id).where(OneTimeLink.user.is_null())
            kept = [row.id for row in links.order_by(OneTimeLink.id.desc()).limit(KEPT_LINKS)]
            OneTimeLink.delete().where(OneTimeLink.user.is_null(), OneTimeLink.id.not_in(kept)).execute()
        return f"{self._public_url}/setup/{secret}"

    def use_link(
        self,
        secret: str,
        *,
        username: str,
        password: str,
        display_name: str = "",
        email: str = "",
        request_id: str = "",
        address: str = "",
    ) -> User:
        """Make the first instance administrator; all links are dead then.

        Raises `NotFound` for a link that is none, and whenever there is a user.
        """
        mine = (OneTimeLink.secret_hash == credentials.hash_secret(secret)) & OneTimeLink.user.is_null()
        if not OneTimeLink.select().where(mine).exists() or User.select().exists():
            raise _nothing()
        values = {
            "username": check_username(username),
            "display_name": check_text(display_name, "display_name", longest=200),
            "email": check_email(email),
            "is_instance_admin": True,
        }
        hashed = credentials.hash_password(password)
        actor = replace(system_actor("set-up link"), request_id=request_id, address=address)
        with atomic():
            # All links go at once: of two callers with two links the second waits here and then finds none.
            gone = OneTimeLink.delete().where(OneTimeLink.user.is_null()).execute()
            if not gone or User.select().exists():
                raise _nothing()
            return self._users.add(actor, hashed, values)


def _nothing() -> NotFound:
    return NotFound("There is nothing here.")
