"""Moves what runs towards what is wanted, one step a call; killed at any point, the next call goes on from there.

The wish is `deployment` and its revision, what was seen are the `replica` rows. Every write confirms the job's lease
in its own transaction; every call of the target stands outside of one and is idempotent.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from modelyard.core.db import atomic, now_ms
from modelyard.core.deployments.model_files import fetch_model
from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.deployments.replicas import spec_of
from modelyard.core.deployments.service import current_revision
from modelyard.core.errors import ModelyardError, NotFound, PluginError
from modelyard.core.events import Events
from modelyard.core.identity.actor import system_actor
from modelyard.core.interfaces import ReplicaStatus
from modelyard.core.jobs import Again, Lease
from modelyard.core.projects.connections import ConnectionService
from modelyard.core.secret_box import SecretBox

WATCH_SECONDS = 2.0
HURRY_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 60
ACTOR = system_actor("reconciler")


class Reconciler:
    """Does the job `deployment.reconcile`."""

    def __init__(
        self, *, events: Events, connections: ConnectionService, secrets: SecretBox, data_directory: Path
    ) -> None:
        self._events = events
        self._connections = connections
        self._secrets = secrets
        self._root = data_directory / "deployments"

    def step(self, lease: Lease, deployment_id: str) -> Again | None:
        """Look, act once, write down what was seen; None when nothing is left to do until the wish changes."""
        deployment = Deployment.get_or_none(public_id=deployment_id)
        if deployment is None:
            return None
        if deployment.desired_status != "running":
            return self._end(lease, deployment)
        revision = current_revision(deployment)
        try:
            fetch_model(
                self._connections.storage_of(deployment.project),
                source=f"{deployment.project.public_id}/{revision.model_version.artifact_path}",
                destination=self._root / deployment.public_id / "models" / revision.model_version.public_id,
            )
        except (NotFound, PluginError) as error:
            self._conclude(lease, deployment, revision, f"The model's files cannot be read: {error}")
            return Again(WATCH_SECONDS)
        return self._keep(lease, deployment, revision)

    def _keep(self, lease: Lease, deployment: Deployment, revision: DeploymentRevision) -> Again:
        """Start what is missing, look at all, and end what is no longer wanted once its successors are ready."""
        self._plan(lease, deployment, revision)
        rows = list(
            Replica.select().where(Replica.deployment == deployment).order_by(Replica.revision, Replica.replica_index)
        )
        wanted = [row for row in rows if row.revision == revision.number and row.replica_index < revision.replicas]
        for row in rows:
            self._look(lease, deployment, row, start=row in wanted)
        if all(row.state == "ready" for row in wanted):
            for row in rows:
                if row not in wanted:
                    self._remove(lease, deployment, row)
        settled = self._conclude(lease, deployment, revision)
        return Again(WATCH_SECONDS if settled else HURRY_SECONDS)

    def _plan(self, lease: Lease, deployment: Deployment, revision: DeploymentRevision) -> None:
        """Write a row for each replica that the revision wants and that has none."""
        known = {
            row.replica_index
            for row in Replica.select().where(Replica.deployment == deployment, Replica.revision == revision.number)
        }
        missing = [index for index in range(revision.replicas) if index not in known]
        if missing:
            with atomic():
                lease.confirm()
                for index in missing:
                    Replica.create(deployment=deployment, revision=revision.number, replica_index=index)

    def _look(self, lease: Lease, deployment: Deployment, row: Replica, *, start: bool) -> None:
        target = self._connections.target(deployment.project, deployment.target)
        spec = spec_of(deployment, row, self._root, token=self._secrets.open(deployment.encrypted_token)["token"])
        try:
            status = target.observe(spec)
            if start and status.state in {"absent", "failed"} and row.next_start_at_ms <= now_ms():
                self._count_start(lease, row)
                failure = status.message
                status = target.start(spec)
                if failure and not status.message:
                    status = ReplicaStatus(status.state, status.address, f"Last time: {failure}", status.identity)
        except ModelyardError as error:
            status = ReplicaStatus("unhealthy" if row.state == "ready" else "failed", row.address, str(error))
        self._write(lease, row, status)

    def _count_start(self, lease: Lease, row: Replica) -> None:
        """Write down beforehand that a start is tried, so that a replica that kills its worker is not hurried."""
        pause_ms = 1000 * min(LONGEST_PAUSE_SECONDS, 2**row.starts)
        row.starts += 1
        row.next_start_at_ms = now_ms() + pause_ms
        with atomic():
            lease.confirm()
            Replica.update(starts=row.starts, next_start_at_ms=row.next_start_at_ms).where(
                Replica.id == row.id
            ).execute()

    def _write(self, lease: Lease, row: Replica, status: ReplicaStatus) -> None:
        seen: dict[str, Any] = {
            "state": status.state,
            "address": status.address,
            "message": status.message[:2000],
            "identity": dict(status.identity),
        }
        if status.state == "ready":
            seen |= {"starts": 0, "next_start_at_ms": 0}
        if all(getattr(row, key) == value for key, value in seen.items()):
            return
        for key, value in seen.items():
            setattr(row, key, value)
        with atomic():
            lease.confirm()
            Replica.update(seen_at_ms=now_ms(), **seen).where(Replica.id == row.id).execute()

    def _remove(self, lease: Lease, deployment: Deployment, row: Replica) -> None:
        """End a replica, then forget it: no traffic is sent to it from the first moment on."""
        self._write(lease, row, ReplicaStatus("absent", None, "ending", row.identity))
        spec = spec_of(deployment, row, self._root)
        self._connections.target(deployment.project, deployment.target).stop(spec)
        with atomic():
            lease.confirm()
            Replica.delete().where(Replica.id == row.id).execute()
        shutil.rmtree(spec.directory, ignore_errors=True)

    def _conclude(self, lease: Lease, deployment: Deployment, revision: DeploymentRevision, problem: str = "") -> bool:
        """Write the deployment's status from its replicas'; says whether nothing is under way."""
        with atomic():
            lease.confirm()
            now: Deployment = Deployment.get_by_id(deployment.id)
            if now.revision != revision.number or now.desired_status != "running":
                return False
            rows = list(Replica.select().where(Replica.deployment == deployment))
            status, message = _judge(rows, revision, problem)
            if (now.status, now.message) != (status, message):
                Deployment.update(status=status, message=message, updated_at_ms=now_ms()).where(
                    Deployment.id == deployment.id
                ).execute()
            if now.status != status and status in {"ready", "failed"}:
                verb = "became_ready" if status == "ready" else "failed"
                after = {"status": status, "revision": revision.number}
                self._record(now, verb, {"status": now.status}, {**after, "message": message} if message else after)
            return status in {"ready", "failed"} and not any(row.state == "starting" for row in rows)

    def _end(self, lease: Lease, deployment: Deployment) -> Again | None:
        """End all replicas of a deployment that shall stop or go."""
        for row in list(Replica.select().where(Replica.deployment == deployment)):
            self._remove(lease, deployment, row)
        if deployment.desired_status == "deleted":
            shutil.rmtree(self._root / deployment.public_id, ignore_errors=True)
        with atomic():
            lease.confirm()
            now: Deployment = Deployment.get_by_id(deployment.id)
            if now.desired_status != deployment.desired_status:
                return Again(0)
            if now.desired_status == "deleted":
                self._record(now, "deleted", {"status": now.status}, {"status": "deleted"})
                now.delete_instance()
            elif now.status != "stopped":
                Deployment.update(status="stopped", message="", updated_at_ms=now_ms()).where(
                    Deployment.id == now.id
                ).execute()
                self._record(now, "stopped", {"status": now.status}, {"status": "stopped"})
        return None

    def _record(self, deployment: Deployment, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"deployment.{verb}",
            actor=ACTOR,
            object_id=deployment.public_id,
            object_name=deployment.name,
            project=deployment.project,
            before=before,
            after=after,
        )


def _judge(rows: list[Replica], revision: DeploymentRevision, problem: str) -> tuple[str, str]:
    """Return status and message of a deployment whose replicas are `rows`."""
    new = [row for row in rows if row.revision == revision.number and row.replica_index < revision.replicas]
    ready = [row for row in new if row.state == "ready"]
    old_ready = sorted({row.revision for row in rows if row.state == "ready" and row not in new})
    if not problem and len(ready) == revision.replicas:
        return "ready", ""
    reasons = [row.message for row in new if row.state in {"failed", "unhealthy"} and row.message]
    message = problem or (reasons[0] if reasons else "")
    if old_ready:
        message = f"Revision {old_ready[-1]} serves until revision {revision.number} is ready. {message}".strip()
    late = now_ms() > revision.created_at_ms + revision.ready_within_seconds * 1000
    if late and not ready:
        return "failed", message or f"Not ready within {revision.ready_within_seconds} s."
    if ready or (old_ready and (late or reasons or problem)):
        return "degraded", message
    if problem or (new and all(row.state == "failed" and row.starts >= 3 for row in new)):
        return "failed", message
    return "starting", message
