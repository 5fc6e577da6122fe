"""Quotas of projects: how much of a thing a project may have, and how much it has.

What is over a quota already stays; nothing more of it is made. Runs and deployments count until they are really gone:
a deleted run, which can be restored, is one.
"""

from __future__ import annotations

from typing import NoReturn

from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import NotFound, QuotaExceeded
from modelyard.core.projects.access import hold
from modelyard.core.projects.models import Project
from modelyard.core.tracking.models import Experiment, Run

QUOTAS = ("max_runs", "max_deployments", "max_artifact_bytes")


def count_runs(project: Project) -> int:
    """Return how many runs the project has in our own database."""
    return int(Run.select().join(Experiment).where(Experiment.project == project).count())


def count_deployments(project: Project) -> int:
    """Return how many deployments the project has."""
    return int(Deployment.select().where(Deployment.project == project, Deployment.desired_status != "deleted").count())


def reserve_run(project: Project) -> None:
    """Raise `QuotaExceeded` where the project may have no further run.

    Call it in the transaction that makes one: where there is a quota, others wait for its end.
    """
    if project.max_runs is None:
        return
    now = hold(project)
    if now.max_runs is not None:
        _refuse_more(now, "runs", count_runs(now), int(now.max_runs))


def reserve_deployment(project: Project) -> None:
    """Raise `QuotaExceeded` where the project, whose row the caller holds, may have no further deployment."""
    if project.max_deployments is not None:
        _refuse_more(project, "deployments", count_deployments(project), int(project.max_deployments))


def artifact_room(project: Project) -> int | None:
    """Return how many bytes of artifacts the project may have more, by its row as it is now; None without a quota."""
    if project.max_artifact_bytes is None:
        return None
    now = Project.get_or_none(Project.id == project.id)
    if now is None or now.max_artifact_bytes is None:
        return None
    return int(now.max_artifact_bytes - now.artifact_bytes)


def refuse_artifact(project: Project, path: str, added: int) -> NoReturn:
    """Raise `QuotaExceeded` for a file that would add so many bytes."""
    now = Project.get_or_none(Project.id == project.id)
    if now is None:
        raise NotFound(f"There is no project {project.slug!r}.")
    raise QuotaExceeded(
        f"The project {now.slug!r} has {now.artifact_bytes} of {now.max_artifact_bytes} bytes of artifacts, and"
        f" {path[:200]!r} would add at least {added}.",
        hint="Delete some for good, or ask an instance administrator for a larger quota (max_artifact_bytes).",
    )


def _refuse_more(project: Project, what: str, used: int, limit: int) -> None:
    if used >= limit:
        raise QuotaExceeded(
            f"The project {project.slug!r} has {used} of {limit} {what}.",
            hint=f"Delete some for good, or ask an instance administrator for a larger quota (max_{what}).",
        )
