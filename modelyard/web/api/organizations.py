"""Organizations and their members."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.identity.models import User
from modelyard.core.identity.policy import ORGANIZATION_ROLES
from modelyard.core.projects.access import find_organization
from modelyard.core.projects.models import Organization, OrganizationMember
from modelyard.web.context import actor, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.projects import (
    MemberSchema,
    NewOrganizationSchema,
    OrganizationRoleSchema,
    OrganizationSchema,
)

ORGANIZATIONS = Listing(
    Organization.slug,
    sort={"slug": Organization.slug, "name": Organization.name, "created_at": Organization.created_at_ms},
    search=(Organization.slug, Organization.name),
    filters={"role": (OrganizationMember.role, fields.String(validate=validate.OneOf(ORGANIZATION_ROLES)))},
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


def show(organization: Organization, role: str | None) -> dict[str, Any]:
    """Put the caller's role beside the organization."""
    columns = ("slug", "name", "created_at_ms")
    return {"id": organization.public_id, "role": role, **{key: getattr(organization, key) for key in columns}}


@blueprint.route("")
class OrganizationsView(MethodView):
    """The caller's organizations."""

    @blueprint.arguments(ORGANIZATIONS.arguments, location="query")
    @blueprint.response(200, page_schema(OrganizationSchema))
    def get(self, arguments: dict[str, Any]) -> Any:
        """List the organizations that the caller is a member of."""
        mine = services().organizations.list(actor())
        return page_of(mine, arguments, ORGANIZATIONS, show=lambda row: show(row.organization, row.role))

    @blueprint.arguments(NewOrganizationSchema)
    @blueprint.response(201, OrganizationSchema)
    def post(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Make an organization (instance administrators); one for another owner gives its maker no role."""
        made = services().organizations.create(actor(), **wish)
        mine = OrganizationMember.get_or_none(organization=made, user=actor().user_id)
        return show(made, mine.role if mine else None)


@blueprint.route("/<organization>")
class OrganizationView(MethodView):
    """One organization."""

    @blueprint.response(200, OrganizationSchema)
    def get(self, organization: str) -> dict[str, Any]:
        """Show an organization."""
        return show(*find_organization(actor(), organization))


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
        """Give a user a role in the organization."""
        return services().organizations.set_member(actor(), organization, username, wish["role"])

    @blueprint.response(204)
    def delete(self, organization: str, username: str) -> None:
        """Take a user out of the organization and all its projects."""
        services().organizations.remove_member(actor(), organization, username)
