"""The verbs of users: made, found, edited, disabled and deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, held, now_ms
from modelyard.core.errors import AlreadyExists, Conflict, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import credentials, policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import OneTimeLink, Session, User
from modelyard.core.names import check_email, check_text, check_username
from modelyard.core.projects.models import Organization, OrganizationMember

ONES_OWN = frozenset({"display_name", "email"})
"""What people may change of themselves; the rest is the instance administrator's."""


class UserService:
    """Users of this server."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def create(
        self,
        actor: Actor,
        *,
        username: str,
        password: str | None,
        display_name: str = "",
        email: str = "",
        is_instance_admin: bool = False,
    ) -> User:
        """Make a user; one without a password signs in after `PasswordService.create_link`.

        Raises `AlreadyExists` where the name is taken, `InvalidInput` for a bad name, address or password.
        """
        _permit(actor, "user.create")
        values = {
            "username": check_username(username),
            "display_name": check_text(display_name, "display_name", longest=200),
            "email": check_email(email),
            "is_instance_admin": is_instance_admin,
        }
        hashed = "" if password is None else credentials.hash_password(password)
        return self.add(actor, hashed, values)

    def add(self, actor: Actor, password_hash: str, values: Mapping[str, Any]) -> User:
        """Write a user whose values were checked, with its event; `AlreadyExists` where the name is taken."""
        try:
            with atomic():
                user = User.create(password_hash=password_hash, **values)
                after = {"username": user.username, "is_instance_admin": user.is_instance_admin}
                self._record(actor, user, "created", {}, after)
                return user
        except IntegrityError:
            raise AlreadyExists(f"There is a user {values['username']!r} already.", field="username") from None

    def list(self, actor: Actor) -> Any:
        """Return a query of all users by name."""
        _permit(actor, "user.read")
        return User.select().order_by(User.username)

    def get(self, actor: Actor, username: str) -> User:
        """Return a user: oneself, or for an instance administrator any; `NotFound` where there is none."""
        if _is_self(actor, username):
            policy.require_account(actor, "account.read")
        else:
            _permit(actor, "user.read")
        return find_user(username)

    def edit(self, actor: Actor, username: str, changes: Mapping[str, Any]) -> User:
        """Change `display_name`, `email`, and, as an instance administrator, `is_instance_admin` and `disabled`.

        A disabled user's sessions end, and their tokens are refused from then on. Raises `Conflict` where nobody active
        would be left to administer the server.
        """
        if _is_self(actor, username) and changes.keys() <= ONES_OWN:
            policy.require_account(actor, "account.edit")
        else:
            _permit(actor, "user.edit")
        if "display_name" in changes:
            check_text(changes["display_name"], "display_name", longest=200)
        if "email" in changes:
            check_email(changes["email"])
        with atomic():
            lock_administrators()
            user = find_user(username)
            self._apply(actor, user, dict(changes))
        return user

    def _apply(self, actor: Actor, user: User, changes: dict[str, Any]) -> None:
        before = {name: getattr(user, name) for name in changes}
        changed = {name: value for name, value in changes.items() if before[name] != value}
        if not changed:
            return
        if changed.get("is_instance_admin") is False or changed.get("disabled"):
            _keep_an_administrator(user)
        if changed.get("is_instance_admin") and user.kind != "person":
            raise Conflict(f"{user.username!r} is a service account.", hint="Only people administer the server.")
        for name, value in changed.items():
            if name != "disabled":
                setattr(user, name, value)
        if "disabled" in changed:
            user.disabled_at_ms = now_ms() if changed["disabled"] else None
            end_access(user)
        user.save(only=["disabled_at_ms" if name == "disabled" else name for name in changed])
        self._record(actor, user, "updated", {name: before[name] for name in changed}, changed)

    def delete(self, actor: Actor, username: str) -> None:
        """Delete a user with their memberships, sessions and tokens; what they did stays in events under their name.

        Raises `Conflict` for oneself, for the last active instance administrator and for an organization's last owner.
        """
        _permit(actor, "user.delete")
        with atomic():
            lock_administrators()
            user = find_user(username)
            if user.id == actor.user_id:
                raise Conflict("You cannot delete yourself.", hint="Ask another instance administrator.")
            _keep_an_administrator(user)
            _keep_owners(user)
            user.delete_instance()
            self._record(actor, user, "deleted", {"username": user.username, "email": user.email}, {})

    def _record(self, actor: Actor, user: User, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"user.{verb}",
            actor=actor,
            object_id=user.public_id,
            object_name=user.username,
            before=before,
            after=after,
        )


def find_user(username: str) -> User:
    """Return the user of that name, in any spelling; `NotFound` where there is none."""
    user = User.get_or_none(User.username == username.lower())
    if user is None:
        raise NotFound(f"There is no user {username[:80]!r}.")
    found: User = user
    return found


def end_access(user: User) -> None:
    """End the user's sessions and the links that set their password; call it in the transaction that says why."""
    Session.delete().where(Session.user == user).execute()
    OneTimeLink.delete().where(OneTimeLink.user == user).execute()


def _permit(actor: Actor, permission: str) -> None:
    if actor.kind != "system":
        policy.require_instance_admin(actor, permission)


def _is_self(actor: Actor, username: str) -> bool:
    return actor.user_id is not None and actor.name == username.lower()


def _active_administrators() -> Any:
    return User.select(User.id).where(User.is_instance_admin, User.disabled_at_ms.is_null()).order_by(User.id)


def lock_administrators() -> None:
    """Let changes of who administers the server come one after the other."""
    list(held(_active_administrators()))


def is_last_administrator(user: User) -> bool:
    """Say whether nobody active but this user administers the server; lock the administrators first."""
    is_one = user.is_instance_admin and not user.disabled
    return is_one and not _active_administrators().where(User.id != user.id).exists()


def _keep_an_administrator(leaving: User) -> None:
    if is_last_administrator(leaving):
        raise Conflict(
            f"{leaving.username!r} is the last active instance administrator.", hint="Make another one first."
        )


def _keep_owners(leaving: User) -> None:
    owned = OrganizationMember.select(OrganizationMember.organization).where(
        OrganizationMember.user == leaving, OrganizationMember.role == "owner"
    )
    for organization in held(Organization.select().where(Organization.id.in_(owned)).order_by(Organization.id)):
        others = OrganizationMember.select().where(
            OrganizationMember.organization == organization,
            OrganizationMember.role == "owner",
            OrganizationMember.user != leaving,
        )
        if not others.exists():
            raise Conflict(
                f"{leaving.username!r} is the last owner of {organization.slug!r}.", hint="Make another owner first."
            )
