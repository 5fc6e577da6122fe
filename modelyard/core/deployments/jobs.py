"""The job that looks after a deployment, and whose deployments it is rung for, in the transaction of a change."""

from __future__ import annotations

from collections.abc import Sequence

from modelyard.core.db import now_ms
from modelyard.core.deployments.models import Deployment
from modelyard.core.jobs import enqueue
from modelyard.core.projects.models import Project

RECONCILE = "deployment.reconcile"


def enqueue_reconcile(deployment: Deployment) -> None:
    """Have the deployment looked at now."""
    enqueue(RECONCILE, {"deployment": deployment.public_id}, dedupe_key=f"{RECONCILE}:{deployment.public_id}")


def watch_projects(project_ids: Sequence[int], *, restarted: bool = False) -> None:
    """Have the deployments of projects that were deleted or restored looked at.

    `restarted` begins their roll-outs anew: they were ended with the project.
    """
    kept = Deployment.select().where(Deployment.project.in_(project_ids), Deployment.desired_status != "deleted")
    for deployment in kept.order_by(Deployment.id):
        if restarted and deployment.desired_status == "running":
            Deployment.update(status="pending", message="", updated_at_ms=now_ms()).where(
                Deployment.id == deployment.id
            ).execute()
        enqueue_reconcile(deployment)


def delete_all(project: Project) -> None:
    """Ask for the end of all deployments of a project that is being purged."""
    kept = Deployment.select().where(Deployment.project == project, Deployment.desired_status != "deleted")
    for deployment in kept.order_by(Deployment.id):
        Deployment.update(desired_status="deleted", status="stopping", updated_at_ms=now_ms()).where(
            Deployment.id == deployment.id
        ).execute()
        enqueue_reconcile(deployment)
