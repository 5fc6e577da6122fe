"""Organizations and their members."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.identity.models import User
from modelyard.core.identity.policy import ORGANIZATION_ROLES
from modelyard.core.projects.access import find_organization
from modelyard.core.projects.models import Organization, OrganizationMember
from modelyard.web.context import actor, purge_at_ms, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.projects import (
    DELETED_INSTEAD,
    ConfirmationArguments,
    MemberSchema,
    NewOrganizationSchema,
    OrganizationChangesSchema,
    OrganizationRoleSchema,
    OrganizationSchema,
    RestoreSchema,
    TransferSchema,
)

ORGANIZATIONS = Listing(
    Organization.slug,
    sort={"slug": Organization.slug, "name": Organization.name, "created_at": Organization.created_at_ms},
    search=(Organization.slug, Organization.name),
    filters={"role": (OrganizationMember.role, fields.String(validate=validate.OneOf(ORGANIZATION_ROLES)))},
)
DELETED = replace(ORGANIZATIONS, key=Organization.id)
ALL = "Not one's own but all of this server (instance administrators)."
WIDER = ORGANIZATIONS.arguments.from_dict(
    {
        "deleted": fields.Boolean(load_default=False, metadata={"description": DELETED_INSTEAD}),
        "all": fields.Boolean(load_default=False, metadata={"description": ALL}),
    },
    name="OrganizationArguments",
)
MEMBERS = Listing(
    User.username,
    sort={
        "username": User.username,
        "display_name": User.display_name,
        "role": OrganizationMember.role,
        "created_at": OrganizationMember.created_at_ms,
    },
    search=(User.username, User.display_name),
    filters={"role": (OrganizationMember.role, fields.String(validate=validate.OneOf(ORGANIZATION_ROLES)))},
)
blueprint = Blueprint("organizations", __name__, url_prefix="/api/v1/organizations", description="Tenants")


def show(organization: Organization, role: str | None, member_count: int | None = None) -> dict[str, Any]:
    """Put the caller's role beside the organization."""
    columns = ("slug", "name", "created_at_ms", "deleted_at_ms")
    return {
        "id": organization.public_id,
        "role": role,
        "member_count": member_count,
        "purge_at_ms": purge_at_ms(organization.deleted_at_ms),
        **{key: getattr(organization, key) for key in columns},
    }


def show_membership(row: OrganizationMember) -> dict[str, Any]:
    """Show the organization of a membership."""
    return show(row.organization, row.role)


def show_counted(row: Any) -> dict[str, Any]:
    """Show an organization to an instance administrator, who may have no role in it."""
    return show(row, row.own_role, row.member_count)


def show_own(organization: Organization) -> dict[str, Any]:
    """Show an organization with the role that the caller has in it now, if any."""
    mine = OrganizationMember.get_or_none(organization=organization, user=actor().user_id)
    return show(organization, mine.role if mine else None)


@blueprint.route("")
class OrganizationsView(MethodView):
    """The caller's organizations."""

    @blueprint.arguments(WIDER, location="query")
    @blueprint.response(200, page_schema(OrganizationSchema))
    def get(self, arguments: dict[str, Any]) -> Any:
        """List the organizations that the caller is a member of, or owned and deleted, or all of this server."""
        found = services().organizations
        if arguments["deleted"]:
            return page_of(found.list_deleted(actor()), arguments, DELETED, show=show_membership)
        if arguments["all"]:
            return page_of(found.list_all(actor()), arguments, ORGANIZATIONS, show=show_counted)
        return page_of(found.list(actor()), arguments, ORGANIZATIONS, show=show_membership)

    @blueprint.arguments(NewOrganizationSchema)
    @blueprint.response(201, OrganizationSchema)
    def post(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Make an organization (instance administrators); one for another owner gives its maker no role."""
        return show_own(services().organizations.create(actor(), **wish))


@blueprint.route("/<organization>")
class OrganizationView(MethodView):
    """One organization."""

    @blueprint.response(200, OrganizationSchema)
    def get(self, organization: str) -> dict[str, Any]:
        """Show an organization."""
        return show(*find_organization(actor(), organization))

    @blueprint.arguments(OrganizationChangesSchema)
    @blueprint.response(200, OrganizationSchema)
    def patch(self, changes: dict[str, Any], organization: str) -> dict[str, Any]:
        """Change an organization (owners)."""
        return show_own(services().organizations.edit(actor(), organization, changes))

    @blueprint.arguments(ConfirmationArguments, location="query")
    @blueprint.response(204)
    def delete(self, arguments: dict[str, Any], organization: str) -> None:
        """Delete an organization with all in it (owners); it can be restored for `data.deleted_retention_days`."""
        services().organizations.delete(actor(), organization, confirm=arguments["confirm"])


@blueprint.route("/<organization_id>/restore")
class OrganizationRestoreView(MethodView):
    """The way back of a deleted organization."""

    @blueprint.arguments(RestoreSchema, required=False)
    @blueprint.response(200, OrganizationSchema)
    def post(self, wish: dict[str, Any], organization_id: str) -> dict[str, Any]:
        """Bring a deleted organization of the caller's back, by its id."""
        return show_own(services().organizations.restore(actor(), organization_id, **wish))


@blueprint.route("/<organization>/leave")
class OrganizationLeaveView(MethodView):
    """The caller's membership."""

    @blueprint.response(204)
    def post(self, organization: str) -> None:
        """Leave the organization and all its projects; its last owner cannot."""
        services().organizations.leave(actor(), organization)


@blueprint.route("/<organization>/transfer")
class OrganizationTransferView(MethodView):
    """Its ownership."""

    @blueprint.arguments(TransferSchema)
    @blueprint.response(200, OrganizationSchema)
    def post(self, wish: dict[str, Any], organization: str) -> dict[str, Any]:
        """Make another member the owner in the caller's place."""
        return show_own(services().organizations.transfer(actor(), organization, **wish))


@blueprint.route("/<organization>/members")
class MembersView(MethodView):
    """Its members."""

    @blueprint.arguments(MEMBERS.arguments, location="query")
    @blueprint.response(200, page_schema(MemberSchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List the members by username."""
        return page_of(services().organizations.members(actor(), organization), arguments, MEMBERS)


@blueprint.route("/<organization>/members/<username>")
class MemberView(MethodView):
    """One member."""

    @blueprint.arguments(OrganizationRoleSchema)
    @blueprint.response(200, MemberSchema)
    def put(self, wish: dict[str, Any], organization: str, username: str) -> Any:
        """Give a user a role in the organization; an instance administrator may take one, which is audited."""
        return services().organizations.set_member(actor(), organization, username, wish["role"])

    @blueprint.response(204)
    def delete(self, organization: str, username: str) -> None:
        """Take a user out of the organization and all its projects."""
        services().organizations.remove_member(actor(), organization, username)
