"""Where a replica keeps its files, the specification that a target gets for it, and which replicas a revision wants."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.interfaces import ReplicaSpec


def spec_of(deployment: Deployment, replica: Replica, root: Path, *, token: str = "") -> ReplicaSpec:
    """Describe a replica to its target; `root` is the folder of all deployments, `token` what callers must show."""
    revision = DeploymentRevision.get(
        DeploymentRevision.deployment == deployment, DeploymentRevision.number == replica.revision
    )
    version = revision.model_version
    home = root / deployment.public_id
    environment = dict(revision.environment)
    if token:
        environment["MODELYARD_REPLICA_TOKEN"] = token
    return ReplicaSpec(
        deployment_id=deployment.public_id,
        deployment_name=deployment.name,
        revision=replica.revision,
        index=replica.replica_index,
        directory=home / f"revision-{replica.revision}" / f"replica-{replica.replica_index}",
        model_directory=model_folder(home, revision),
        environment=environment,
        model_name=version.model.name,
        model_version=str(version.number),
    )


def model_folder(home: Path, revision: DeploymentRevision) -> Path:
    """Return where the model of a revision lies in the deployment's folder `home`."""
    folder: str = revision.model_version.public_id
    return home / "models" / folder


def alike(revision: DeploymentRevision) -> list[int]:
    """Return the numbers, rising, of all revisions whose replicas run just what those of `revision` run."""
    rows = (
        DeploymentRevision.select(DeploymentRevision.number, DeploymentRevision.environment)
        .where(
            DeploymentRevision.deployment == revision.deployment_id,
            DeploymentRevision.model_version == revision.model_version_id,
        )
        .order_by(DeploymentRevision.number)
    )
    return [row.number for row in rows if row.environment == revision.environment]


def choose(rows: Sequence[Replica], revision: DeploymentRevision, same: Sequence[int]) -> list[Replica]:
    """Return which of `rows` the revision wants, at most as many as it asks for: those that run what it asks for.

    A replica that an alike revision started is as good as a new one, so that scaling and returning restart nothing.
    Those that serve come first.
    """
    candidates = [row for row in rows if row.revision in same]
    candidates.sort(key=lambda row: (row.state != "ready", row.replica_index, row.revision))
    return candidates[: revision.replicas]


def free_indexes(wanted: Sequence[Replica], rows: Sequence[Replica], revision: DeploymentRevision) -> list[int]:
    """Return the indexes of the replicas that the revision wants beside `wanted`; no two of `rows` share a folder."""
    taken = {row.replica_index for row in wanted} | {
        row.replica_index for row in rows if row.revision == revision.number
    }
    missing = revision.replicas - len(wanted)
    return [index for index in range(revision.replicas + len(taken)) if index not in taken][:missing]
