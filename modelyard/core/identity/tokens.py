"""API tokens: users' passwords for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from peewee import JOIN

from modelyard.core.db import atomic, now_ms
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import credentials, policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.identity.users import find_user
from modelyard.core.names import check_text
from modelyard.core.projects.models import Organization, Project

TOUCH_EVERY_MS = 60_000
LONGEST_TOKEN_DAYS = 3650
DAY_MS = 24 * 3600 * 1000


class TokenService:
    """API tokens: a user's passwords for programs."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def create(
        self, actor: Actor, *, name: str, scopes: Sequence[str], project: Project | None, expires_in_days: int | None
    ) -> tuple[ApiToken, str]:
        """Make a token for the actor; returns the row and the whole token, which is never to be had again.

        A token that makes a token cannot give it scopes, projects or time beyond its own.
        """
        policy.require_account(actor, "token.create")
        user = User.get_by_id(actor.user_id)
        return self.issue(actor, user, name=name, scopes=scopes, project=project, expires_in_days=expires_in_days)

    def issue(
        self,
        actor: Actor,
        user: User,
        *,
        name: str,
        scopes: Sequence[str],
        project: Project | None,
        expires_in_days: int | None,
    ) -> tuple[ApiToken, str]:
        """Make a token of `user`, whom the caller has found for the actor; see `create`."""
        unknown = sorted(set(scopes) - set(policy.SCOPES))
        if unknown or not scopes:
            raise InvalidInput(f"scopes {list(scopes)!r}: choose among {', '.join(policy.SCOPES)}.", field="scopes")
        if actor.scopes is not None and not set(scopes) <= actor.scopes:
            raise InvalidInput("A token cannot make a token with more scopes than its own.", field="scopes")
        if actor.project_id is not None and (project is None or project.id != actor.project_id):
            raise InvalidInput("A token of one project can make tokens for that project only.", field="project")
        expires_at_ms = _end_of(actor, expires_in_days)
        check_text(name, "name", longest=200, shortest=1)
        secret = credentials.new_secret()
        with atomic():
            token = ApiToken.create(
                user=user,
                project=project,
                name=name,
                secret_hash=credentials.hash_secret(secret),
                scopes=sorted(set(scopes)),
                expires_at_ms=expires_at_ms,
            )
            self._events.record(
                "token.created",
                actor=actor,
                object_id=token.public_id,
                object_name=name,
                project=project,
                organization=user.organization,
                after={"scopes": token.scopes, "user": user.username},
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
            .join(Organization, JOIN.LEFT_OUTER)
            .where(
                ApiToken.public_id == parts[0],
                ApiToken.revoked_at_ms.is_null(),
                User.disabled_at_ms.is_null(),
                Organization.deleted_at_ms.is_null(),
            )
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
        policy.require_account(actor, "token.read")
        found: Iterable[ApiToken] = ApiToken.select().where(_tokens_of(actor)).order_by(ApiToken.id.desc())
        return found

    def revoke(self, actor: Actor, token_id: str) -> None:
        """End one of the actor's own tokens; `NotFound` for any other."""
        policy.require_account(actor, "token.revoke")
        self.end(actor, _tokens_of(actor) & (ApiToken.public_id == token_id), token_id)

    def list_of(self, actor: Actor, username: str) -> Any:
        """Return a query of a user's tokens that are not revoked, newest first, for an instance administrator."""
        policy.require_instance_admin(actor, "user.read")
        return ApiToken.select().where(_live_tokens(find_user(username))).order_by(ApiToken.id.desc())

    def revoke_of(self, actor: Actor, username: str, token_id: str) -> None:
        """End one of a user's tokens, as an instance administrator."""
        policy.require_instance_admin(actor, "user.edit")
        self.end(actor, _live_tokens(find_user(username)) & (ApiToken.public_id == token_id), token_id)

    def end(self, actor: Actor, which: Any, token_id: str, organization: Organization | None = None) -> None:
        """End the token that the condition `which` names among those that the caller has found for the actor."""
        with atomic():
            token = ApiToken.get_or_none(which)
            if token is None:
                raise NotFound(f"There is no token {token_id[:80]!r}.")
            ApiToken.update(revoked_at_ms=now_ms()).where(ApiToken.id == token.id).execute()
            self._events.record(
                "token.revoked",
                actor=actor,
                object_id=token.public_id,
                object_name=token.name,
                organization=organization,
            )


def _end_of(actor: Actor, expires_in_days: int | None) -> int | None:
    """Return when a new token ends: as wished, and no later than the token that makes it."""
    if expires_in_days is None:
        return actor.expires_at_ms
    if not 1 <= expires_in_days <= LONGEST_TOKEN_DAYS:
        raise InvalidInput(
            f"expires_in_days is {expires_in_days}; 1 to {LONGEST_TOKEN_DAYS} are allowed.", field="expires_in_days"
        )
    ends_at_ms = now_ms() + expires_in_days * DAY_MS
    if actor.expires_at_ms is not None and ends_at_ms > actor.expires_at_ms:
        raise InvalidInput(
            "A token cannot make a token that outlives it.",
            hint="Leave expires_in_days out to let both end together.",
            field="expires_in_days",
        )
    return ends_at_ms


def _tokens_of(actor: Actor) -> Any:
    """Make the condition for the live tokens that the actor may see and end."""
    mine = (ApiToken.user == actor.user_id) & ApiToken.revoked_at_ms.is_null()
    return mine if actor.project_id is None else mine & (ApiToken.project_id == actor.project_id)


def _live_tokens(user: User) -> Any:
    return (ApiToken.user == user) & ApiToken.revoked_at_ms.is_null()


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
        expires_at_ms=token.expires_at_ms,
        request_id=request_id,
        address=address,
    )
