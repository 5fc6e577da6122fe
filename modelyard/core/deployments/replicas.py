"""Where a replica keeps its files, and the specification that a target gets for it."""

from __future__ import annotations

from pathlib import Path

from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.interfaces import ReplicaSpec


def spec_of(deployment: Deployment, replica: Replica, root: Path, *, token: str = "") -> ReplicaSpec:
    """Describe a replica to its target; `root` is the folder of all deployments, `token` what it shall ask for."""
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
        model_directory=home / "models" / version.public_id,
        environment=environment,
        model_name=version.model.name,
        model_version=str(version.number),
    )
