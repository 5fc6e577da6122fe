"""Projects and their members."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.identity.models import User
from modelyard.core.identity.policy import PROJECT_ROLES
from modelyard.core.projects.access import role_in
from modelyard.core.projects.models import Project, ProjectMember
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.projects import (
    MemberSchema,
    NewProjectSchema,
    ProjectChangesSchema,
    ProjectRoleSchema,
    ProjectSchema,
)

URL_PREFIX = "/api/v1/organizations/<organization>/projects"
PROJECTS = Listing(
    Project.slug,
    sort={
        "slug": Project.slug,
        "name": Project.name,
        "created_at": Project.created_at_ms,
        "archived_at": Project.archived_at_ms,
    },
    search=(Project.slug, Project.name, Project.description),
)
MEMBERS = Listing(
    User.username,
    sort={
        "username": User.username,
        "display_name": User.display_name,
        "role": ProjectMember.role,
        "created_at": ProjectMember.created_at_ms,
    },
    search=(User.username, User.display_name),
    filters={"role": (ProjectMember.role, fields.String(validate=validate.OneOf(PROJECT_ROLES)))},
)
blueprint = Blueprint("projects", __name__, url_prefix=URL_PREFIX, description="Where work lives")


def show(row: Project) -> dict[str, Any]:
    """Add the caller's role and the MLflow address to a project."""
    columns = [
        "public_id",
        "slug",
        "name",
        "description",
        "organization",
        "allow_local_deployments",
        "created_at_ms",
        "archived_at_ms",
    ]
    place = f"{row.organization.slug}/{row.slug}"
    return {
        **{column: getattr(row, column) for column in columns},
        "storage_connection_id": row.storage_connection.public_id if row.storage_connection else None,
        "mlflow_uri": f"{services().settings.public_url}/mlflow/{place}",
        "role": role_in(actor(), row),
    }


@blueprint.route("")
class ProjectsView(MethodView):
    """An organization's projects."""

    @blueprint.arguments(PROJECTS.arguments, location="query")
    @blueprint.response(200, page_schema(ProjectSchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List those projects of the organization that the caller has a role in."""
        return page_of(services().projects.list(actor(), organization), arguments, PROJECTS, show=show)

    @blueprint.arguments(NewProjectSchema)
    @blueprint.response(201, ProjectSchema)
    def post(self, wish: dict[str, Any], organization: str) -> dict[str, Any]:
        """Make a project (organization admins)."""
        return show(services().projects.create(actor(), organization, **wish))


@blueprint.route("/<project>")
class ProjectView(MethodView):
    """One project."""

    @blueprint.response(200, ProjectSchema)
    def get(self, organization: str, project: str) -> dict[str, Any]:
        """Show a project."""
        return show(open_project(organization, project))

    @blueprint.arguments(ProjectChangesSchema)
    @blueprint.response(200, ProjectSchema)
    def patch(self, changes: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Change a project."""
        found = open_project(organization, project)
        if "storage_connection_id" in changes:
            storage = changes.pop("storage_connection_id")
            services().projects.check_changes(actor(), found, changes)
            found = services().connections.use_storage(actor(), found, storage)
        return show(services().projects.edit(actor(), found, changes))


@blueprint.route("/<project>/members")
class ProjectMembersView(MethodView):
    """Its members."""

    @blueprint.arguments(MEMBERS.arguments, location="query")
    @blueprint.response(200, page_schema(MemberSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List those who have a role of their own in the project."""
        members = services().projects.members(actor(), open_project(organization, project))
        return page_of(members, arguments, MEMBERS)


@blueprint.route("/<project>/members/<username>")
class ProjectMemberView(MethodView):
    """One member."""

    @blueprint.arguments(ProjectRoleSchema)
    @blueprint.response(200, MemberSchema)
    def put(self, wish: dict[str, Any], organization: str, project: str, username: str) -> Any:
        """Give a member of the organization a role in the project."""
        found = open_project(organization, project)
        return services().projects.set_member(actor(), found, username, wish["role"])

    @blueprint.response(204)
    def delete(self, organization: str, project: str, username: str) -> None:
        """Take a user's role in the project away."""
        services().projects.remove_member(actor(), open_project(organization, project), username)
