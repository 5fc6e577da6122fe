"""People who sign in with an OpenID Connect provider: their accounts here, and the roles that their groups give.

The protocol itself, HTTP and tokens, is `modelyard.web.oidc_provider`'s.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from urllib.parse import urlsplit

from peewee import IntegrityError

from modelyard.config.settings import Settings
from modelyard.core.db import atomic, held
from modelyard.core.errors import ConfigurationError, Conflict, InvalidInput, PermissionDenied
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor, system_actor
from modelyard.core.identity.models import IdentityLink, User
from modelyard.core.identity.role_mappings import RoleMapping, read_mapping
from modelyard.core.identity.sessions import SessionService
from modelyard.core.names import MAX_SLUG
from modelyard.core.projects.mapped_roles import MappedRoles

LONGEST_SUBJECT = 255
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class ProvedIdentity:
    """Who somebody is, as the provider has proved; `username` and `display_name` are only its suggestions."""

    issuer: str
    subject: str
    username: str
    display_name: str
    groups: frozenset[str]


class OidcService:
    """Sign-in of those whom the provider knows."""

    def __init__(self, *, events: Events, sessions: SessionService, roles: MappedRoles, allow_sign_up: bool) -> None:
        self._events = events
        self._sessions = sessions
        self._roles = roles
        self._allow_sign_up = allow_sign_up

    def sign_in(self, identity: ProvedIdentity, *, address: str, user_agent: str, request_id: str) -> tuple[User, str]:
        """Open a session for the identity's user, who is made at the first time; returns the user and the secret.

        Never takes over an account that was there before, whatever its name. Account, roles and session are one
        transaction. Raises `PermissionDenied` for a disabled user, and for a new one where nobody may sign up.
        """
        if not 1 <= len(identity.subject) <= LONGEST_SUBJECT:
            raise InvalidInput(f"The provider's subject has {len(identity.subject)} characters; 1 to 255 are allowed.")
        actor = dataclasses.replace(system_actor("oidc"), request_id=request_id, address=address)
        for _ in range(2):  # the same person in two tabs: the one who comes second finds the first one's account
            try:
                with atomic():
                    user = self._find_user(identity) or self._make_user(actor, identity)
                    self._roles.apply(actor, user, identity.groups)
                    return user, self._sessions.open(
                        user, address=address, user_agent=user_agent, request_id=request_id
                    )
            except IntegrityError:
                continue
            except PermissionDenied:
                self._sessions.refusals.note(_linked_user(identity), address=address, request_id=request_id)
                raise
        raise Conflict("The account is being made in another window.", hint="Try again in a moment.")

    def _find_user(self, identity: ProvedIdentity) -> User | None:
        """Return the user, whose row is held until the transaction ends."""
        linked = _linked_user(identity)
        if linked is None:
            return None
        user: User = held(User.select().where(User.id == linked.id)).get()
        if user.disabled_at_ms is not None:
            raise PermissionDenied(f"The account {user.username!r} is disabled.", hint="Ask an administrator.")
        return user

    def _make_user(self, actor: Actor, identity: ProvedIdentity) -> User:
        if not self._allow_sign_up:
            raise PermissionDenied(
                "You have no account here, and new ones are not made at sign-in.", hint="Ask an administrator."
            )
        user = _create_under_free_name(identity)
        IdentityLink.create(user=user, issuer=identity.issuer, subject=identity.subject)
        self._events.record(
            "user.created",
            actor=actor,
            object_id=user.public_id,
            object_name=user.username,
            after={"username": user.username, "issuer": identity.issuer, "subject": identity.subject},
        )
        return user


def _linked_user(identity: ProvedIdentity) -> User | None:
    """Return whom the provider's subject is known as here."""
    link = IdentityLink.get_or_none(issuer=identity.issuer, subject=identity.subject)
    return link.user if link else None


def _create_under_free_name(identity: ProvedIdentity) -> User:
    """Make the user as `ada`, else as `ada-2`, `ada-3`; without a password, so that no password signs in."""
    wanted = username_from(identity.username)
    display_name = "".join(letter for letter in identity.display_name if letter.isprintable())[:200]
    for number in count(1):
        ending = "" if number == 1 else f"-{number}"
        name = wanted[: MAX_SLUG - len(ending)].rstrip("._-") + ending
        if not User.select().where(User.username == name).exists():
            user: User = User.create(username=name, display_name=display_name, password_hash="")
            return user
    raise AssertionError("Numbers do not end.")


def username_from(text: str) -> str:
    """Make a username of what the provider calls somebody; of an e-mail address the part before the @."""
    plain = unicodedata.normalize("NFKD", text.partition("@")[0]).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9._]+", "-", plain)
    return re.sub(r"[._-]{2,}", "-", words).strip("._-")[:MAX_SLUG].rstrip("._-") or "user"


def check_settings(settings: Settings) -> tuple[RoleMapping, ...]:
    """Return the role mappings; raises `ConfigurationError`, with the mend, for whatever of `oidc` cannot work."""
    oidc, origins = settings.oidc, settings.origins
    try:
        mappings = tuple(read_mapping(text) for text in oidc.role_mappings)
    except ValueError as error:
        raise ConfigurationError(
            f"oidc.role_mappings (from {origins.get('oidc.role_mappings', 'default')}): {error}."
        ) from None
    if not oidc.issuer:
        return mappings
    parts = urlsplit(oidc.issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ConfigurationError(
            f"oidc.issuer {oidc.issuer!r} (from {origins.get('oidc.issuer', 'default')}) is no https address.",
            hint="Write it as the provider's discovery document does: https://id.example.com/realms/team.",
        )
    if not oidc.client_id:
        raise ConfigurationError("oidc.issuer is set, but oidc.client_id is not.", hint="The provider gives it.")
    if "openid" not in oidc.scopes.split():
        raise ConfigurationError(f"oidc.scopes {oidc.scopes!r} lacks openid.", hint="Write openid first.")
    if find_spec("authlib") is None:
        raise ConfigurationError(
            "oidc.issuer is set, but Authlib is not installed.", hint="pip install 'modelyard[oidc]'"
        )
    return mappings
