"""Service accounts: users of an organization that are programs. They have tokens and roles, and no password."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, count
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, held, now_ms
from modelyard.core.errors import AlreadyExists, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import ApiToken, User
from modelyard.core.identity.tokens import TokenService
from modelyard.core.names import MAX_SLUG, SLUG, check_text
from modelyard.core.projects.access import find_organization
from modelyard.core.projects.models import Organization, OrganizationMember, Project

LONGEST_NAME = 40


class ServiceAccountService:
    """Service accounts of an organization; its admins make them and their tokens."""

    def __init__(self, events: Events, tokens: TokenService) -> None:
        self._events = events
        self._tokens = tokens

    def create(self, actor: Actor, slug: str, *, name: str, display_name: str = "") -> User:
        """Make one, a member of the organization without a role in any project; its username is ``name@slug``."""
        organization, _ = find_organization(actor, slug, "service_account.write")
        if len(name) > LONGEST_NAME or not SLUG.fullmatch(name):
            raise InvalidInput(
                f"name {name[:80]!r} cannot be taken.",
                hint=f"Use a-z, 0-9 and single hyphens between them, at most {LONGEST_NAME} characters.",
                field="name",
            )
        check_text(display_name, "display_name", longest=200)
        try:
            with atomic():
                held(Organization.select(Organization.id).where(Organization.id == organization.id)).first()
                if _accounts_of(organization).where(_is_named(name)).exists():
                    raise _taken(name)
                user = User.create(
                    username=_free_username(name, organization),
                    display_name=display_name,
                    password_hash="",
                    kind="service",
                    organization=organization,
                )
                OrganizationMember.create(organization=organization, user=user, role="member")
                self._record(actor, organization, user, "created", {}, {"display_name": display_name})
                return user
        except IntegrityError:
            raise _taken(name) from None

    def list(self, actor: Actor, slug: str) -> Any:
        """Return a query of the organization's service accounts by name."""
        organization, _ = find_organization(actor, slug, "service_account.read")
        return _accounts_of(organization).order_by(User.username)

    def get(self, actor: Actor, slug: str, name: str) -> User:
        """Return one; `NotFound` where there is none."""
        organization, _ = find_organization(actor, slug, "service_account.read")
        return _find(organization, name)

    def edit(self, actor: Actor, slug: str, name: str, changes: Mapping[str, Any]) -> User:
        """Change `display_name` and `disabled`; a disabled one's tokens are refused at once."""
        organization, _ = find_organization(actor, slug, "service_account.write")
        if "display_name" in changes:
            check_text(changes["display_name"], "display_name", longest=200)
        with atomic():
            user = _find(organization, name)
            before = {"display_name": user.display_name, "disabled": user.disabled}
            changed = {key: value for key, value in changes.items() if before[key] != value}
            if changed:
                user.display_name = changed.get("display_name", user.display_name)
                if "disabled" in changed:
                    user.disabled_at_ms = now_ms() if changed["disabled"] else None
                user.save(only=["disabled_at_ms" if key == "disabled" else key for key in changed])
                self._record(actor, organization, user, "updated", {key: before[key] for key in changed}, changed)
        return user

    def delete(self, actor: Actor, slug: str, name: str) -> None:
        """Delete one with its roles and tokens."""
        organization, _ = find_organization(actor, slug, "service_account.write")
        with atomic():
            user = _find(organization, name)
            user.delete_instance()
            self._record(actor, organization, user, "deleted", {"display_name": user.display_name}, {})

    def tokens(self, actor: Actor, slug: str, name: str) -> Any:
        """Return a query of its tokens that are not revoked, newest first."""
        organization, _ = find_organization(actor, slug, "service_account.tokens")
        mine = ApiToken.select().where(_tokens_of(_find(organization, name)))
        return mine.order_by(ApiToken.id.desc())

    def create_token(
        self,
        actor: Actor,
        slug: str,
        account: str,
        *,
        name: str,
        scopes: Sequence[str],
        project: Project | None,
        expires_in_days: int | None,
    ) -> tuple[ApiToken, str]:
        """Make a token for it; returns the row and the whole token, which is never to be had again."""
        organization, _ = find_organization(actor, slug, "service_account.tokens")
        user = _find(organization, account)
        return self._tokens.issue(
            actor, user, name=name, scopes=scopes, project=project, expires_in_days=expires_in_days
        )

    def revoke_token(self, actor: Actor, slug: str, name: str, token_id: str) -> None:
        """End one of its tokens at once."""
        organization, _ = find_organization(actor, slug, "service_account.tokens")
        mine = _tokens_of(_find(organization, name)) & (ApiToken.public_id == token_id)
        self._tokens.end(actor, mine, token_id, organization=organization)

    def _record(self, actor: Actor, organization: Organization, user: User, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"service_account.{verb}",
            actor=actor,
            object_id=user.public_id,
            object_name=user.username,
            organization=organization,
            before=before,
            after=after,
        )


def _free_username(name: str, organization: Organization) -> str:
    """Return ``name@slug``, with a number behind it where another tenant, who had the slug before, took that."""
    whole = f"{name}@{organization.slug}"[:MAX_SLUG].rstrip("-")
    taken = {user.username for user in User.select(User.username).where(User.username.startswith(f"{name}@"))}
    numbered = (f"{whole[: MAX_SLUG - 1 - len(str(number))]}-{number}" for number in count(2))
    return next(username for username in chain([whole], numbered) if username not in taken)


def check_may_join(user: User, organization: Organization | None, role: str) -> None:
    """Raise `InvalidInput` where a service account would join another organization than its own, or own one."""
    if user.kind != "service":
        return
    if organization is None or user.organization_id != organization.id:
        raise InvalidInput(f"There is no user {user.username!r}.", field="username")
    if role == "owner":
        raise InvalidInput(f"{user.username!r} is a service account and can own nothing.", field="role")


def _accounts_of(organization: Organization) -> Any:
    return User.select().where(User.organization == organization, User.kind == "service")


def _find(organization: Organization, name: str) -> User:
    """Return the account by its name or its username; the organization's slug in the latter may be an older one."""
    user = _accounts_of(organization).where(_is_named(name)).first()
    if user is None:
        raise NotFound(f"There is no service account {name[:80]!r}.")
    found: User = user
    return found


def _is_named(name: str) -> Any:
    return (User.username == name) | User.username.startswith(f"{name}@")


def _taken(name: str) -> AlreadyExists:
    return AlreadyExists(f"There is a service account {name!r} already.", hint="Choose another name.", field="name")


def _tokens_of(user: User) -> Any:
    return (ApiToken.user == user) & ApiToken.revoked_at_ms.is_null()
