"""Invitations by link: whoever has the link joins, once, with an account that is there or is made with it.

An invitation is worth no more than the right of who made it: it is dead while its maker could not let the same people
in by name. So nobody who is taken out of an organization comes back by a link that was put aside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import JOIN, IntegrityError

from modelyard.core.db import atomic, held, now_ms
from modelyard.core.errors import AlreadyExists, InvalidInput, NotFound
from modelyard.core.events import Events
from modelyard.core.identity import credentials, policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.identity.service_accounts import check_may_join
from modelyard.core.names import check_text, check_username
from modelyard.core.projects.access import find_organization, find_project, refuse_archived
from modelyard.core.projects.members import check_role, put_member, role_of
from modelyard.core.projects.models import Invitation, Organization, OrganizationMember, Project, ProjectMember

DAY_MS = 24 * 3600 * 1000
LONGEST_DAYS = 30
LONGEST_EMAIL = 320


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What somebody without an account says of themselves."""

    username: str
    password: str
    display_name: str = ""


class InvitationService:
    """Invitations of organizations."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def list(self, actor: Actor, organization_slug: str) -> Any:
        """Return a query of the organization's invitations, newest first; `state_of` says what became of each."""
        organization, _ = find_organization(actor, organization_slug, "organization.members")
        return _invitations().where(Invitation.organization == organization).order_by(Invitation.id.desc())

    def create(
        self,
        actor: Actor,
        organization_slug: str,
        *,
        role: str,
        project: str | None = None,
        project_role: str | None = None,
        email: str = "",
        expires_in_days: int = 7,
    ) -> tuple[Invitation, str]:
        """Make an invitation; returns it and the link's secret, which is never to be had again. `email` is a note."""
        organization, own_role = find_organization(actor, organization_slug, "organization.members")
        check_role(role, policy.ORGANIZATION_ROLES)
        if role == "owner":
            policy.require_role(own_role, "owner", policy.ORGANIZATION_ROLES, "organization.members")
        if not 1 <= expires_in_days <= LONGEST_DAYS:
            raise InvalidInput(
                f"expires_in_days is {expires_in_days}; 1 to {LONGEST_DAYS} are allowed.", field="expires_in_days"
            )
        check_text(email, "email", longest=LONGEST_EMAIL)
        secret = credentials.new_secret()
        with atomic():
            invitation = Invitation.create(
                organization=organization,
                role=role,
                project=_find_wanted(actor, organization, project, project_role),
                project_role=project_role,
                email=email,
                secret_hash=credentials.hash_secret(secret),
                invited_by=actor.user_id,
                expires_at_ms=now_ms() + expires_in_days * DAY_MS,
            )
            after = {"role": role, "project": project, "project_role": project_role, "email": email}
            self._record(actor, invitation, "created", {}, after)
            found: Invitation = _invitations().where(Invitation.id == invitation.id).get()
            return found, secret

    def revoke(self, actor: Actor, organization_slug: str, invitation_id: str) -> None:
        """End an invitation that is open; `NotFound` for one that nobody could accept any more."""
        organization, _ = find_organization(actor, organization_slug, "organization.members")
        named = (Invitation.public_id == invitation_id) & (Invitation.organization == organization)
        with atomic():
            invitation = _invitations().where(named, _is_open()).first()
            if invitation is None or not _use_up(invitation, revoked_at_ms=now_ms()):
                raise NotFound(f"There is no open invitation {invitation_id!r}.")
            self._record(actor, invitation, "revoked", {"role": invitation.role, "email": invitation.email}, {})

    def find(self, token: str) -> Invitation:
        """Return the invitation that the link's secret opens; `NotFound` alike for what is unknown, used or over."""
        found: Invitation | None = _invitations().where(Invitation.secret_hash == _hashed(token), _is_open()).first()
        if found is None or state_of(found) != "open" or _leads_nowhere(found):
            raise NotFound("There is no such invitation, or it is used or over.", hint="Ask for a new one.")
        return found

    def accept(self, actor: Actor, token: str, account: NewAccount | None = None) -> tuple[Invitation, User]:
        """Let the actor in, or somebody new with an account that is made for them; a larger role is never lowered.

        `NotFound` as in `find`, also for the second of two who come at once.
        """
        invitation = self.find(token)
        made: dict[str, Any] = {}
        if actor.is_signed_in:
            policy.require_scope(actor, "admin", "invitation.accept")
            if actor.project_id is not None or actor.user_id is None:
                raise InvalidInput("A token of one project cannot accept an invitation.", hint="Sign in to accept it.")
        else:
            made = _checked_account(account)
        try:
            with atomic():
                held(Organization.select(Organization.id).where(Organization.id == invitation.organization_id)).first()
                invitation = self.find(token)
                user = User.create(**made) if made else User.get_by_id(actor.user_id)
                check_may_join(user, invitation.organization, invitation.role)
                if not _use_up(invitation, accepted_at_ms=now_ms(), accepted_by=user):
                    raise NotFound("There is no such invitation, or it is used or over.", hint="Ask for a new one.")
                self._join(actor if actor.is_signed_in else _as_user(user, actor), invitation, user, is_new=bool(made))
                return invitation, user
        except IntegrityError:
            raise AlreadyExists(
                f"There is a user {made.get('username')!r} already.", hint="Sign in to accept it.", field="username"
            ) from None

    def _join(self, actor: Actor, invitation: Invitation, user: User, *, is_new: bool) -> None:
        if is_new:
            after = {"username": user.username, "is_instance_admin": False}
            self._events.record(
                "user.created", actor=actor, object_id=user.public_id, object_name=user.username, after=after
            )
        organization = invitation.organization
        before = role_of(organization, user)
        role = _larger(before, invitation.role, policy.ORGANIZATION_ROLES)
        put_member(OrganizationMember, {"organization": organization, "user": user}, role)
        after = {"role": role}
        if invitation.project is not None:
            after |= _join_project(invitation.project, str(invitation.project_role), user)
        self._record(actor, invitation, "accepted", {"role": before}, after)

    def _record(self, actor: Actor, invitation: Invitation, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"invitation.{verb}",
            actor=actor,
            object_id=invitation.public_id,
            object_name=invitation.email or invitation.role,
            organization=invitation.organization,
            before=before,
            after=after,
        )


def state_of(invitation: Invitation) -> str:
    """Return ``open``, ``accepted``, ``revoked`` or ``expired``, for a row of `InvitationService.list`."""
    if invitation.accepted_at_ms is not None:
        return "accepted"
    if invitation.revoked_at_ms is not None or not _may_invite(invitation):
        return "revoked"
    return "expired" if invitation.expires_at_ms <= now_ms() else "open"


def _may_invite(invitation: Invitation) -> bool:
    """Say whether whoever made it could still let the same people in by name."""
    needed = "owner" if invitation.role == "owner" else "admin"
    offices = policy.ORGANIZATION_ROLES
    maker_role: str | None = invitation.maker_role
    if maker_role is None or invitation.invited_by.disabled_at_ms is not None:
        return False
    return offices.index(maker_role) >= offices.index(needed)


def _invitations() -> Any:
    """Return a query of invitations with their organizations, projects, makers, guests, and the makers' roles now."""
    maker, guest = User.alias(), User.alias()
    maker_role = OrganizationMember.select(OrganizationMember.role).where(
        OrganizationMember.organization == Invitation.organization, OrganizationMember.user == Invitation.invited_by
    )
    return (
        Invitation.select(Invitation, Organization, Project, maker, guest, maker_role.alias("maker_role"))
        .join(Organization)
        .switch(Invitation)
        .join(Project, JOIN.LEFT_OUTER)
        .switch(Invitation)
        .join(maker, on=(Invitation.invited_by == maker.id), attr="invited_by")
        .switch(Invitation)
        .join(guest, JOIN.LEFT_OUTER, on=(Invitation.accepted_by == guest.id), attr="accepted_by")
    )


def _is_open() -> Any:
    unused = Invitation.accepted_at_ms.is_null() & Invitation.revoked_at_ms.is_null()
    return unused & (Invitation.expires_at_ms > now_ms()) & Organization.deleted_at_ms.is_null()


def _leads_nowhere(invitation: Invitation) -> bool:
    return invitation.project is not None and invitation.project.deleted_at_ms is not None


def _use_up(invitation: Invitation, **changes: Any) -> bool:
    """Write the end of an invitation unless it has one; says whether this was it."""
    unused = Invitation.accepted_at_ms.is_null() & Invitation.revoked_at_ms.is_null()
    return bool(Invitation.update(**changes).where(Invitation.id == invitation.id, unused).execute())


def _hashed(token: str) -> str:
    return credentials.hash_secret(token.encode("utf-8", "replace").decode())


def _find_wanted(
    actor: Actor, organization: Organization, project: str | None, project_role: str | None
) -> Project | None:
    if (project is None) != (project_role is None):
        missing = "project" if project is None else "project_role"
        raise InvalidInput(f"{missing} is missing: a role is given in a project.", field=missing)
    if project is None or project_role is None:
        return None
    check_role(project_role, policy.PROJECT_ROLES, "project_role")
    return find_project(actor, organization.slug, project, "project.members")


def _checked_account(account: NewAccount | None) -> dict[str, Any]:
    """Return the columns of a new user; the password is hashed here, before any transaction."""
    if account is None:
        raise InvalidInput(
            "Nobody is signed in.",
            hint="Sign in, or send username, display_name and password for a new account.",
            field="username",
        )
    username = check_username(account.username)
    check_text(account.display_name, "display_name", longest=200)
    if User.get_or_none(User.username == username) is not None:
        raise AlreadyExists(f"There is a user {username!r} already.", hint="Sign in to accept it.", field="username")
    hashed = credentials.hash_password(account.password)
    return {"username": username, "display_name": account.display_name, "password_hash": hashed}


def _as_user(user: User, anonymous: Actor) -> Actor:
    return Actor(
        kind="user",
        id=user.public_id,
        name=user.username,
        user_id=user.id,
        request_id=anonymous.request_id,
        address=anonymous.address,
    )


def _join_project(project: Project, offered: str, user: User) -> dict[str, Any]:
    """Give the user the role in the project; returns what the event tells of it."""
    refuse_archived(project)
    member = ProjectMember.get_or_none(project=project, user=user)
    role = _larger(member.role if member else None, offered, policy.PROJECT_ROLES)
    put_member(ProjectMember, {"project": project, "user": user}, role)
    return {"project": project.slug, "project_role": role}


def _larger(present: str | None, offered: str, order: tuple[str, ...]) -> str:
    return offered if present is None else max(present, offered, key=order.index)
