"""The verbs of organizations: made, found, renamed, deleted with a way back."""

from __future__ import annotations

from typing import Any

from peewee import JOIN, IntegrityError, fn

from modelyard.core.db import atomic, held, now_ms
from modelyard.core.deployments.jobs import watch_projects
from modelyard.core.errors import AlreadyExists, NotFound
from modelyard.core.identity import policy
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.identity.service_accounts import check_may_join
from modelyard.core.names import check_slug, check_text
from modelyard.core.projects.access import find_organization
from modelyard.core.projects.deletion import check_confirmation
from modelyard.core.projects.members import OrganizationMembers, find_user
from modelyard.core.projects.models import Organization, OrganizationFormerSlug, OrganizationMember, Project


class OrganizationService(OrganizationMembers):
    """Organizations and who belongs to them."""

    def create(self, actor: Actor, *, slug: str, name: str, owner: str | None = None) -> Organization:
        """Make an organization; `owner` is a username, by default the actor."""
        policy.require_instance_admin(actor, "organization.create")
        check_slug(slug, "slug")
        check_text(name, "name", longest=200, shortest=1)
        user = User.get_by_id(actor.user_id) if owner is None else find_user(owner, field="owner")
        check_may_join(user, None, "owner")
        try:
            with atomic():
                organization = Organization.create(slug=slug, name=name)
                _take_slug(slug)
                OrganizationMember.create(organization=organization, user=user, role="owner")
                after = {"slug": slug, "name": name, "owner": user.username}
                self._record(actor, organization, "created", {}, after)
                return organization
        except IntegrityError:
            raise _taken(slug) from None

    def list(self, actor: Actor) -> Any:
        """Return a query of the actor's memberships, each with its organization, by slug."""
        policy.require_sign_in(actor)
        policy.require_scope(actor, "read", "organization.read")
        mine = (
            OrganizationMember.select(OrganizationMember, Organization)
            .join(Organization)
            .where(OrganizationMember.user == actor.user_id, actor.project_id is None, _is_living())
        )
        return mine.order_by(Organization.slug)

    def list_all(self, actor: Actor) -> Any:
        """Return a query of all organizations by slug, for instance administrators.

        Each has the number of its members (`member_count`) and the actor's own role or None (`own_role`), no more.
        """
        policy.require_instance_admin(actor, "organization.list")
        each = OrganizationMember.alias()
        counted = each.select(fn.COUNT(each.id)).where(each.organization == Organization.id)
        mine = (OrganizationMember.organization == Organization.id) & (OrganizationMember.user == actor.user_id)
        return (
            Organization.select(Organization, counted.alias("member_count"), OrganizationMember.role.alias("own_role"))
            .join(OrganizationMember, JOIN.LEFT_OUTER, on=mine)
            .where(_is_living())
            .order_by(Organization.slug)
            .objects()
        )

    def list_deleted(self, actor: Actor) -> Any:
        """Return a query of the deleted organizations that the actor owns and may still restore, oldest first."""
        policy.require_sign_in(actor)
        policy.require_scope(actor, "read", "organization.read")
        found = (
            OrganizationMember.select(OrganizationMember, Organization)
            .join(Organization)
            .where(_is_owned_and_restorable(actor))
        )
        return found.order_by(Organization.id)

    def edit(self, actor: Actor, slug: str, changes: dict[str, Any]) -> Organization:
        """Change name or slug; the slug that it had leads to it until another organization takes it."""
        organization, _ = find_organization(actor, slug, "organization.edit")
        if "slug" in changes:
            check_slug(changes["slug"], "slug")
        if "name" in changes:
            check_text(changes["name"], "name", longest=200, shortest=1)
        try:
            with atomic():
                now = held(Organization.select().where(Organization.id == organization.id)).get()
                before = {key: getattr(now, key) for key in changes if getattr(now, key) != changes[key]}
                if not before:
                    return organization
                Organization.update(**{key: changes[key] for key in before}).where(Organization.id == now.id).execute()
                if "slug" in before:
                    _take_slug(changes["slug"])
                    OrganizationFormerSlug.create(organization=now, slug=before["slug"])
                found: Organization = Organization.get_by_id(now.id)
                self._record(actor, found, "updated", before, {key: changes[key] for key in before})
                return found
        except IntegrityError:
            raise _taken(changes["slug"]) from None

    def delete(self, actor: Actor, slug: str, *, confirm: str | None) -> None:
        """Delete an organization with all its projects; `confirm` is its slug. See `restore`."""
        organization, _ = find_organization(actor, slug, "organization.delete")
        check_confirmation(confirm, organization.slug)
        with atomic():
            now = held(Organization.select().where(Organization.id == organization.id)).get()
            if now.deleted_at_ms is not None:
                raise NotFound(f"There is no organization {slug!r}.")
            self._record(actor, now, "deleted", {"slug": now.slug, "name": now.name}, {})
            Organization.update(deleted_at_ms=now_ms()).where(Organization.id == now.id).execute()
            watch_projects(_project_ids(now))

    def restore(self, actor: Actor, organization_id: str, *, slug: str | None = None) -> Organization:
        """Bring a deleted organization of the actor's back, by its id, until its purge begins.

        `AlreadyExists` where another one took its slug meanwhile; with `slug` it gets that one.
        """
        policy.require_sign_in(actor)
        policy.require_scope(actor, policy.ORGANIZATION_POLICY["organization.delete"][1], "organization.delete")
        if slug is not None:
            check_slug(slug, "slug")
        wanted = slug
        try:
            with atomic():
                now = self._held_deleted(actor, organization_id)
                wanted = slug or now.slug
                Organization.update(deleted_at_ms=None, slug=wanted).where(Organization.id == now.id).execute()
                _take_slug(wanted)
                watch_projects(_project_ids(now), restarted=True)
                found: Organization = Organization.get_by_id(now.id)
                self._record(actor, found, "restored", {}, {"slug": wanted})
                return found
        except IntegrityError:
            raise _taken(str(wanted)) from None

    def _held_deleted(self, actor: Actor, organization_id: str) -> Organization:
        mine = (
            OrganizationMember.select(OrganizationMember, Organization)
            .join(Organization)
            .where(Organization.public_id == organization_id, _is_owned_and_restorable(actor))
        )
        member = mine.first()
        if member is not None:
            held(Organization.select(Organization.id).where(Organization.id == member.organization.id)).first()
            member = mine.first()
        if member is None:
            raise NotFound(f"You own no deleted organization {organization_id!r}.")
        found: Organization = member.organization
        return found

    def _record(self, actor: Actor, organization: Organization, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"organization.{verb}",
            actor=actor,
            object_id=organization.public_id,
            object_name=organization.slug,
            organization=organization,
            before=before,
            after=after,
        )


def _is_living() -> Any:
    return Organization.deleted_at_ms.is_null()


def _is_owned_and_restorable(actor: Actor) -> Any:
    mine = (OrganizationMember.user == actor.user_id) & (OrganizationMember.role == "owner")
    restorable = Organization.deleted_at_ms.is_null(False) & Organization.purge_started_at_ms.is_null()
    return mine & restorable & (actor.project_id is None)


def _project_ids(organization: Organization) -> list[int]:
    return [row.id for row in Project.select(Project.id).where(Project.organization == organization)]


def _take_slug(slug: str) -> None:
    """Let a slug that is in use from now on lead to nobody who had it before."""
    OrganizationFormerSlug.delete().where(OrganizationFormerSlug.slug == slug).execute()


def _taken(slug: str) -> AlreadyExists:
    return AlreadyExists(f"The slug {slug!r} is taken.", hint="Choose another one.", field="slug")
