"""Deployments."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import fields

from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.deployments.service import current_revision
from modelyard.web.context import actor, open_project, services
from modelyard.web.pagination import Listing, page_of, page_schema
from modelyard.web.schemas.deployments import (
    DeploymentChangesSchema,
    DeploymentSchema,
    LogArguments,
    LogsSchema,
    NewDeploymentSchema,
    RevisionSchema,
    RollbackSchema,
)

URL_PREFIX = "/api/v1/organizations/<organization>/projects/<project>/deployments"
DEPLOYMENTS = Listing(
    Deployment.name,
    sort={
        "name": Deployment.name,
        "status": Deployment.status,
        "target": Deployment.target,
        "created_at": Deployment.created_at_ms,
        "updated_at": Deployment.updated_at_ms,
    },
    search=(Deployment.name, Deployment.message),
    filters={
        "status": (Deployment.status, fields.String()),
        "desired_status": (Deployment.desired_status, fields.String()),
        "target": (Deployment.target, fields.String()),
    },
)
REVISIONS = Listing(
    DeploymentRevision.number,
    descending=True,
    sort={"revision": DeploymentRevision.number},
    search=(DeploymentRevision.note,),
    filters={"created_by": (DeploymentRevision.created_by, fields.String())},
)
blueprint = Blueprint("deployments", __name__, url_prefix=URL_PREFIX, description="Models that answer")


def show(row: Deployment) -> dict[str, Any]:
    """Put the wanted version, the replicas and the stable address beside a deployment."""
    revision = current_revision(row)
    replicas = list(Replica.select().where(Replica.deployment == row).order_by(Replica.revision, Replica.replica_index))
    place = f"{row.project.organization.slug}/{row.project.slug}/{row.name}"
    columns = ["name", "target", "desired_status", "status", "message", "revision", "created_at_ms", "updated_at_ms"]
    return {
        "id": row.public_id,
        "model": revision.model_version.model.name,
        "version": revision.model_version.number,
        "replicas": revision.replicas,
        "ready_replicas": sum(replica.state == "ready" for replica in replicas),
        "replica_states": replicas,
        "address": f"{services().settings.public_url}/serve/{place}",
        **{key: getattr(row, key) for key in columns},
    }


@blueprint.route("")
class DeploymentsView(MethodView):
    """A project's deployments."""

    @blueprint.arguments(DEPLOYMENTS.arguments, location="query")
    @blueprint.response(200, page_schema(DeploymentSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str) -> Any:
        """List the deployments by name."""
        found = services().deployments.list(actor(), open_project(organization, project))
        return page_of(found, arguments, DEPLOYMENTS, show=show)

    @blueprint.arguments(NewDeploymentSchema)
    @blueprint.response(201, DeploymentSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str) -> dict[str, Any]:
        """Ask for a deployment; the answer does not wait for it to be ready."""
        return show(services().deployments.create(actor(), open_project(organization, project), **wish))


@blueprint.route("/<deployment>")
class DeploymentView(MethodView):
    """One deployment."""

    @blueprint.response(200, DeploymentSchema)
    def get(self, organization: str, project: str, deployment: str) -> dict[str, Any]:
        """Show a deployment."""
        return show(services().deployments.get(actor(), open_project(organization, project), deployment))

    @blueprint.arguments(DeploymentChangesSchema)
    @blueprint.response(200, DeploymentSchema)
    def patch(self, changes: dict[str, Any], organization: str, project: str, deployment: str) -> dict[str, Any]:
        """Ask for another version, number of replicas or environment."""
        found = open_project(organization, project)
        return show(services().deployments.edit(actor(), found, deployment, changes))

    @blueprint.response(202)
    def delete(self, organization: str, project: str, deployment: str) -> None:
        """Ask for the deployment to end and be forgotten."""
        services().deployments.delete(actor(), open_project(organization, project), deployment)


@blueprint.route("/<deployment>/stop")
class StopView(MethodView):
    """Stopping."""

    @blueprint.response(202, DeploymentSchema)
    def post(self, organization: str, project: str, deployment: str) -> dict[str, Any]:
        """Ask for all replicas to end."""
        return show(services().deployments.stop(actor(), open_project(organization, project), deployment))


@blueprint.route("/<deployment>/start")
class StartView(MethodView):
    """Starting."""

    @blueprint.response(202, DeploymentSchema)
    def post(self, organization: str, project: str, deployment: str) -> dict[str, Any]:
        """Ask for a stopped deployment to run again."""
        return show(services().deployments.start(actor(), open_project(organization, project), deployment))


@blueprint.route("/<deployment>/rollback")
class RollbackView(MethodView):
    """Rolling back."""

    @blueprint.arguments(RollbackSchema)
    @blueprint.response(200, DeploymentSchema)
    def post(self, wish: dict[str, Any], organization: str, project: str, deployment: str) -> dict[str, Any]:
        """Make a new revision like an old one."""
        found = open_project(organization, project)
        return show(services().deployments.roll_back(actor(), found, deployment, wish["revision"]))


@blueprint.route("/<deployment>/revisions")
class RevisionsView(MethodView):
    """The history of the wish."""

    @blueprint.arguments(REVISIONS.arguments, location="query")
    @blueprint.response(200, page_schema(RevisionSchema))
    def get(self, arguments: dict[str, Any], organization: str, project: str, deployment: str) -> Any:
        """List the revisions, newest first."""
        found = services().deployments.revisions(actor(), open_project(organization, project), deployment)
        return page_of(found, arguments, REVISIONS)


@blueprint.route("/<deployment>/logs")
class LogsView(MethodView):
    """What the replicas wrote."""

    @blueprint.arguments(LogArguments, location="query")
    @blueprint.response(200, LogsSchema)
    def get(self, arguments: dict[str, Any], organization: str, project: str, deployment: str) -> dict[str, Any]:
        """Show the last lines of each replica."""
        found = open_project(organization, project)
        logs = services().deployments.logs(actor(), found, deployment, lines=arguments["lines"])
        return {
            "items": [
                {"replica": f"revision {row.revision}, replica {row.replica_index}", "text": text} for row, text in logs
            ]
        }
