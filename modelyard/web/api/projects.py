"""Projects and their members."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields, validate

from modelyard.core.identity.models import User
from modelyard.core.identity.policy import PROJECT_ROLES
from modelyard.core.projects.access import role_in
from modelyard.core.projects.models import Project, ProjectMember
from modelyard.core.projects.quotas import QUOTAS
from modelyard.web.context import actor, open_project, purge_at_ms, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.projects import (
    DELETED_INSTEAD,
    ConfirmationArguments,
    MemberSchema,
    NewProjectSchema,
    ProjectChangesSchema,
    ProjectRoleSchema,
    ProjectSchema,
    RestoreSchema,
    UsageSchema,
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
    filters={"archived": (Project.archived_at_ms.is_null(False), fields.Boolean())},
)
DELETED = replace(PROJECTS, key=Project.id)
WIDER = PROJECTS.arguments.from_dict(
    {"deleted": fields.Boolean(load_default=False, metadata={"description": DELETED_INSTEAD})}, name="ProjectArguments"
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
STORAGE, TRACKER = PLACES = ("storage_connection_id", "tracker_connection_id")
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
        "deleted_at_ms",
    ]
    place = f"{row.organization.slug}/{row.slug}"
    return {
        **{column: getattr(row, column) for column in columns},
        "storage_connection_id": row.storage_connection.public_id if row.storage_connection else None,
        "tracker_connection_id": row.tracker_connection.public_id if row.tracker_connection else None,
        "mlflow_uri": f"{services().settings.public_url}/mlflow/{place}",
        "quotas": quotas_of(row),
        "role": role_in(actor(), row),
        "purge_at_ms": purge_at_ms(row.deleted_at_ms),
    }


def _move(found: Project, places: dict[str, str | None], confirm: str | None, changes: dict[str, Any]) -> Project:
    """Give the project another storage or tracker, once all that is asked for beside has been looked at."""
    services().projects.check_changes(actor(), found, changes)
    if TRACKER in places:
        services().trackers.check(actor(), found, places[TRACKER], confirm=confirm)
    if STORAGE in places:
        found = services().connections.use_storage(actor(), found, places[STORAGE])
    if TRACKER in places:
        found = services().trackers.use(actor(), found, places[TRACKER], confirm=confirm)
    return found


def quotas_of(row: Project) -> dict[str, int | None]:
    """Return the project's quotas."""
    return {name: getattr(row, name) for name in QUOTAS}


@blueprint.route("")
class ProjectsView(MethodView):
    """An organization's projects."""

    @blueprint.arguments(WIDER, location="query")
    @blueprint.response(200, page_schema(ProjectSchema))
    def get(self, arguments: dict[str, Any], organization: str) -> Any:
        """List those projects of the organization that the caller has a role in; its admins also the deleted ones."""
        if arguments["deleted"]:
            return page_of(services().projects.list_deleted(actor(), organization), arguments, DELETED, show=show)
        return page_of(services().projects.list(actor(), organization), arguments, PROJECTS, show=show)

    @blueprint.arguments(NewProjectSchema)
    @blueprint.response(201, ProjectSchema)
    def post(self, wish: dict[str, Any], organization: str) -> dict[str, Any]:
        """Make a project (organization admins)."""
        return show(services().trackers.create_project(actor(), organization, **wish))


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
        places = {key: changes.pop(key) for key in PLACES if key in changes}
        confirm = changes.pop("confirm", None)
        if places:
            found = _move(found, places, confirm, changes)
        return show(services().projects.edit(actor(), found, changes))

    @blueprint.arguments(ConfirmationArguments, location="query")
    @blueprint.response(204)
    def delete(self, arguments: dict[str, Any], organization: str, project: str) -> None:
        """Delete a project (organization admins); it can be restored for `data.deleted_retention_days`."""
        services().projects.delete(actor(), open_project(organization, project), confirm=arguments["confirm"])


@blueprint.route("/<project_id>/restore")
class ProjectRestoreView(MethodView):
    """The way back of a deleted project."""

    @blueprint.arguments(RestoreSchema, required=False)
    @blueprint.response(200, ProjectSchema)
    def post(self, wish: dict[str, Any], organization: str, project_id: str) -> dict[str, Any]:
        """Bring a deleted project back, by its id (organization admins)."""
        return show(services().projects.restore(actor(), organization, project_id, **wish))


@blueprint.route("/<project>/usage")
class ProjectUsageView(MethodView):
    """What it has of what it may have."""

    @blueprint.response(200, UsageSchema)
    def get(self, organization: str, project: str) -> dict[str, Any]:
        """Count what the project's quotas are about."""
        found = open_project(organization, project)
        return {**services().projects.usage(actor(), found), "quotas": quotas_of(found)}


@blueprint.route("/<project>/leave")
class ProjectLeaveView(MethodView):
    """The caller's own role."""

    @blueprint.response(204)
    def post(self, organization: str, project: str) -> None:
        """Give one's own role in the project up."""
        services().projects.leave(actor(), open_project(organization, project))


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
