"""API tokens: users' passwords for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import credentials, policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.names import check_text
from modelyard.core.projects.models import Project

TOUCH_EVERY_MS = 60_000
LONGEST_TOKEN_DAYS = 3650


class TokenService:
    """API tokens: a user's passwords for programs."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def create(
        self, actor: Actor, *, name: str, scopes: Sequence[str], project: Project | None, expires_in_days: int | None
    ) -> tuple[ApiToken, str]:
        """Make a token for the actor; returns the row and the whole token, which is never to be had again.

        A token that makes a token cannot give it scopes or projects beyond its own.
        """
        policy.require_sign_in(actor)
        policy.require_scope(actor, "admin", "token.create")
        unknown = sorted(set(scopes) - set(policy.SCOPES))
        if unknown or not scopes:
            raise InvalidInput(f"scopes {list(scopes)!r}: choose among {', '.join(policy.SCOPES)}.", field="scopes")
        if actor.scopes is not None and not set(scopes) <= actor.scopes:
            raise InvalidInput("A token cannot make a token with more scopes than its own.", field="scopes")
        if actor.project_id is not None and (project is None or project.id != actor.project_id):
            raise InvalidInput("A token of one project can make tokens for that project only.", field="project")
        if expires_in_days is not None and not 1 <= expires_in_days <= LONGEST_TOKEN_DAYS:
            raise InvalidInput(
                f"expires_in_days is {expires_in_days}; 1 to {LONGEST_TOKEN_DAYS} are allowed.", field="expires_in_days"
            )
        check_text(name, "name", longest=200, shortest=1)
        secret = credentials.new_secret()
        day_ms = 24 * 3600 * 1000
        with atomic():
            token = ApiToken.create(
                user=actor.user_id,
                project_id=project.id if project else None,
                name=name,
                secret_hash=credentials.hash_secret(secret),
                scopes=sorted(set(scopes)),
                expires_at_ms=None if expires_in_days is None else now_ms() + expires_in_days * day_ms,
            )
            self._events.record(
                "token.created",
                actor=actor,
                object_id=token.public_id,
                object_name=name,
                project=project,
                after={"scopes": token.scopes},
            )
        return token, credentials.write_token(token.public_id, secret)

    def find(self, token: str) -> tuple[User, ApiToken] | None:
        """Return whose token this is; None for one that is unknown, wrong, expired or revoked."""
        parts = credentials.read_token(token)
        if parts is None:
            return None
        row = (
            ApiToken.select(ApiToken, User)
            .join(User)
            .where(ApiToken.public_id == parts[0], ApiToken.revoked_at_ms.is_null(), User.disabled_at_ms.is_null())
            .first()
        )
        now = now_ms()
        if row is None or not credentials.secret_matches(parts[1], row.secret_hash):
            return None
        if row.expires_at_ms is not None and row.expires_at_ms <= now:
            return None
        if row.last_used_at_ms is None or row.last_used_at_ms < now - TOUCH_EVERY_MS:
            with atomic():
                ApiToken.update(last_used_at_ms=now).where(ApiToken.id == row.id).execute()
        return row.user, row

    def list(self, actor: Actor) -> Iterable[ApiToken]:
        """Return the actor's own tokens that are not revoked, newest first; a token of one project sees those of it."""
        policy.require_sign_in(actor)
        policy.require_scope(actor, "read", "token.read")
        found: Iterable[ApiToken] = ApiToken.select().where(_tokens_of(actor)).order_by(ApiToken.id.desc())
        return found

    def revoke(self, actor: Actor, token_id: str) -> None:
        """End one of the actor's own tokens; `NotFound` for any other."""
        policy.require_sign_in(actor)
        policy.require_scope(actor, "admin", "token.revoke")
        with atomic():
            token = ApiToken.get_or_none(_tokens_of(actor) & (ApiToken.public_id == token_id))
            if token is None:
                raise NotFound(f"You have no token {token_id!r}.")
            ApiToken.update(revoked_at_ms=now_ms()).where(ApiToken.id == token.id).execute()
            self._events.record("token.revoked", actor=actor, object_id=token.public_id, object_name=token.name)


def _tokens_of(actor: Actor) -> Any:
    """Make the condition for the live tokens that the actor may see and end."""
    mine = (ApiToken.user == actor.user_id) & ApiToken.revoked_at_ms.is_null()
    return mine if actor.project_id is None else mine & (ApiToken.project_id == actor.project_id)


def actor_of_token(user: User, token: ApiToken, *, request_id: str, address: str) -> Actor:
    """Make the actor of a program that showed a token of `user`."""
    return Actor(
        kind="token",
        id=user.public_id,
        name=user.username,
        user_id=user.id,
        is_instance_admin=user.is_instance_admin and token.project_id is None,
        scopes=frozenset(token.scopes),
        project_id=token.project_id,
        request_id=request_id,
        address=address,
    )
