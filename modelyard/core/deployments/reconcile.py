"""Moves what runs towards what is wanted, one step a call; killed at any point, the next call goes on from there.

The wish is `deployment` and its revision, what was seen are the `replica` rows. Every write confirms the job's lease in
its own transaction; every call of the target stands outside of one and is idempotent. Whoever changes a deployment's
row locks it before the job's row, as the verbs of the service do.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelyard.core.db import atomic, locked, now_ms
from modelyard.core.deployments.judgement import Problem, Sight, judge, late_text
from modelyard.core.deployments.model_files import fetch_model, forget_models
from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.deployments.replicas import alike, choose, free_indexes, model_folder, spec_of
from modelyard.core.deployments.service import HOST_CAPABILITY, add_revision, current_revision
from modelyard.core.deployments.wish import settings_of
from modelyard.core.errors import LeaseLost, ModelyardError, NotFound
from modelyard.core.events import Events
from modelyard.core.identity.actor import system_actor
from modelyard.core.interfaces import ReplicaStatus
from modelyard.core.jobs import Again, Lease
from modelyard.core.projects.connections import ConnectionService
from modelyard.core.projects.models import Project
from modelyard.core.secret_box import SecretBox

WATCH_SECONDS = 2.0
HURRY_SECONDS = 0.3
LONGEST_PAUSE_SECONDS = 60
STEADY_MS = 60_000
KEPT_MODELS = 3
RETURNED = "returned from revision"
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
        if deployment.desired_status != "running" or deployment.project.is_deleted:
            return self._end(lease, deployment)
        return self._keep(lease, deployment, current_revision(deployment))

    def _keep(self, lease: Lease, deployment: Deployment, revision: DeploymentRevision) -> Again:
        """Start what is missing, look at all, and end what is no longer wanted once its successors are ready."""
        same = alike(revision)
        problem = self._forbidden(deployment) or self._fetch(deployment, revision)
        rows, wanted = self._plan(lease, deployment, revision, same, add=problem is None)
        unwanted = [row for row in rows if row not in wanted]
        seen = [self._look(lease, deployment, row, start=problem is None) for row in wanted]
        for row in unwanted:
            if row.state != "absent":
                self._look(lease, deployment, row, start=False)
        sight = self._sight(
            deployment, revision, wanted, [row for row in unwanted if row.revision not in same], problem
        )
        if self._return(lease, deployment, revision, sight):
            return Again(0)
        over = all(seen) and sight.is_complete(revision)
        ended = [
            self._remove(lease, deployment, row)
            for row in unwanted
            if over or row.state in {"absent", "starting", "failed"}
        ]
        if over and ended and not any(ended):
            self._forget(deployment, revision)
        status = self._conclude(lease, deployment, revision, sight)
        busy = unwanted or status in {"", "pending", "starting"} or any(row.state == "starting" for row in wanted)
        return Again(HURRY_SECONDS if busy else WATCH_SECONDS)

    def _forbidden(self, deployment: Deployment) -> Problem | None:
        """Say whether the project may no longer run models where this one runs; what runs already goes on."""
        project: Project = Project.get_by_id(deployment.project.id)
        try:
            target = self._connections.target(project, deployment.target)
        except ModelyardError as error:
            return Problem(str(error), passing=True)
        if HOST_CAPABILITY not in target.entry.capabilities or project.allow_local_deployments:
            return None
        return Problem("The project may no longer run models on the server's own host.", passing=False)

    def _fetch(self, deployment: Deployment, revision: DeploymentRevision) -> Problem | None:
        """Bring the model's files here; says what prevents it."""
        folder = model_folder(self._root / deployment.public_id, revision)
        if folder.exists():
            return None
        source = f"{deployment.project.public_id}/{revision.model_version.artifact_path}"
        try:
            fetch_model(self._connections.artifacts_of(deployment.project), source=source, destination=folder)
        except NotFound as error:
            return Problem(f"The model's files cannot be read: {error}", passing=False)
        except ModelyardError as error:
            return Problem(f"The model's files cannot be read: {error}", passing=True)
        except OSError as error:
            return Problem(f"The model's files cannot be kept: {error.strerror or error}.", passing=True)
        return None

    def _plan(
        self,
        lease: Lease,
        deployment: Deployment,
        revision: DeploymentRevision,
        same: Sequence[int],
        *,
        add: bool,
    ) -> tuple[list[Replica], list[Replica]]:
        """Return all rows and those that are wanted, once there is one for each replica that the revision asks for."""
        rows = self._rows(deployment)
        wanted = choose(rows, revision, same)
        indexes = free_indexes(wanted, rows, revision)
        if not indexes or not add:
            return rows, wanted
        with self._effect(lease, deployment):
            for index in indexes:
                Replica.create(deployment=deployment, revision=revision.number, replica_index=index)
        rows = self._rows(deployment)
        return rows, choose(rows, revision, same)

    def _rows(self, deployment: Deployment) -> list[Replica]:
        of_deployment = Replica.select().where(Replica.deployment == deployment)
        return list(of_deployment.order_by(Replica.revision, Replica.replica_index))

    def _look(self, lease: Lease, deployment: Deployment, row: Replica, *, start: bool) -> bool:
        """Write down how the replica is, after starting it where it should run; says whether it could be seen.

        What cannot be seen is as it was: a ready replica goes on serving while its target does not answer.
        """
        try:
            status = self._observe(lease, deployment, row, start=start)
        except LeaseLost:
            raise
        except ModelyardError as error:
            state = row.state if row.state in {"ready", "unhealthy"} else "failed"
            self._write(lease, row, ReplicaStatus(state, row.address, str(error), row.identity))
            return False
        self._write(lease, row, status)
        return True

    def _observe(self, lease: Lease, deployment: Deployment, row: Replica, *, start: bool) -> ReplicaStatus:
        target = self._connections.target(deployment.project, deployment.target)
        spec = spec_of(deployment, row, self._root, token=self._secrets.open(deployment.encrypted_token)["token"])
        status = target.observe(spec)
        if not start or status.state not in {"absent", "failed"} or row.next_start_at_ms > now_ms():
            return status
        failure = status.message or (row.message if row.state == "failed" else "")
        self._count_start(lease, row)
        started = target.start(spec)
        if failure and not started.message:
            return replace(started, message=f"Last time: {failure}")
        return started

    def _count_start(self, lease: Lease, row: Replica) -> None:
        """Write down, before it happens, that a start is tried: a replica that kills its worker is not hurried."""
        pause_ms = 1000 * min(LONGEST_PAUSE_SECONDS, 2 ** min(row.starts, 10))
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
        if status.state == row.state == "ready" and row.seen_at_ms < now_ms() - STEADY_MS:
            seen |= {"starts": 0, "next_start_at_ms": 0}
        if all(getattr(row, key) == value for key, value in seen.items()):
            return
        seen["seen_at_ms"] = now_ms()
        for key, value in seen.items():
            setattr(row, key, value)
        with atomic():
            lease.confirm()
            Replica.update(**seen).where(Replica.id == row.id).execute()

    def _sight(
        self,
        deployment: Deployment,
        revision: DeploymentRevision,
        wanted: Sequence[Replica],
        older: Sequence[Replica],
        problem: Problem | None,
    ) -> Sight:
        past = now_ms() - 1000 * revision.ready_within_seconds
        return Sight(
            wanted=wanted,
            older=max((row.revision for row in older if row.state == "ready"), default=None),
            late=deployment.updated_at_ms < past,
            quiet=all(row.seen_at_ms < past for row in wanted),
            problem=problem,
        )

    def _return(self, lease: Lease, deployment: Deployment, revision: DeploymentRevision, sight: Sight) -> bool:
        """Wish again for what still serves once the roll-out's time is over: a new revision like the old one."""
        if sight.older is None or not sight.late or sight.is_complete(revision) or revision.note.startswith(RETURNED):
            return False
        serving = DeploymentRevision.get(deployment=deployment, number=sight.older)
        number = max(other for other in alike(serving) if other < revision.number)
        old = DeploymentRevision.get(deployment=deployment, number=number)
        reason = f"{late_text(revision)} {sight.reason()}".strip()
        with self._effect(lease, deployment) as now:
            if not _is_wanted(now, revision):
                return True
            before, after = {"status": now.status}, {"status": "failed", "revision": revision.number}
            self._record(now, "failed", before, {**after, "message": reason, "returned_to": number})
            note = f"{RETURNED} {revision.number}: {reason}"
            add_revision(now, old.model_version, settings_of(old), note=note, created_by=ACTOR.name)
        return True

    def _remove(self, lease: Lease, deployment: Deployment, row: Replica) -> str:
        """End a replica, then forget it: no traffic is sent to it from the first moment on. Says what prevents it."""
        if row.state != "absent":
            self._write(lease, row, ReplicaStatus("absent", None, "It is being ended.", row.identity))
        lease.confirm()
        try:
            spec = spec_of(deployment, row, self._root)
            self._connections.target(deployment.project, deployment.target).stop(spec)
        except ModelyardError as error:
            reason = f"It cannot be ended: {error}"
            self._write(lease, row, ReplicaStatus("absent", None, reason, row.identity))
            return reason
        lease.confirm()
        shutil.rmtree(spec.directory, ignore_errors=True)
        with atomic():
            lease.confirm()
            Replica.delete().where(Replica.id == row.id).execute()
        return ""

    def _forget(self, deployment: Deployment, revision: DeploymentRevision) -> None:
        """Remove what only old revisions needed; the models of the newest few are kept, for going back."""
        home = self._root / deployment.public_id
        newest = DeploymentRevision.select().where(
            DeploymentRevision.deployment == deployment, DeploymentRevision.number > revision.number - KEPT_MODELS
        )
        forget_models(home / "models", keep={model_folder(home, row).name for row in newest})
        for folder in home.glob("revision-*"):
            if not any(folder.iterdir()):
                shutil.rmtree(folder, ignore_errors=True)

    def _conclude(self, lease: Lease, deployment: Deployment, revision: DeploymentRevision, sight: Sight) -> str:
        """Write and return the deployment's status from its replicas'; nothing once another wish was made."""
        with self._effect(lease, deployment) as now:
            if not _is_wanted(now, revision):
                return ""
            status, message = judge(sight, revision, now.status, now.message)
            if (now.status, now.message) != (status, message):
                Deployment.update(status=status, message=message).where(Deployment.id == now.id).execute()
            if now.status != status and status in {"ready", "failed"}:
                verb = "became_ready" if status == "ready" else "failed"
                after = {"status": status, "revision": revision.number}
                self._record(now, verb, {"status": now.status}, {**after, "message": message} if message else after)
            return status

    def _end(self, lease: Lease, deployment: Deployment) -> Again | None:
        """End all replicas of a deployment that shall stop or go."""
        left = [reason for row in self._rows(deployment) if (reason := self._remove(lease, deployment, row))]
        if not left and deployment.desired_status == "deleted":
            lease.confirm()
            shutil.rmtree(self._root / deployment.public_id, ignore_errors=True)
        with self._effect(lease, deployment) as now:
            if now.desired_status != deployment.desired_status or self._is_to_run(now):
                return Again(0)
            if left:
                if now.message != left[0]:
                    Deployment.update(message=left[0]).where(Deployment.id == now.id).execute()
                return Again(WATCH_SECONDS)
            if now.desired_status == "deleted":
                self._record(now, "deleted", {"status": now.status}, {"status": "deleted"})
                now.delete_instance()
            elif now.status != "stopped":
                Deployment.update(status="stopped", message="").where(Deployment.id == now.id).execute()
                self._record(now, "stopped", {"status": now.status}, {"status": "stopped"})
        return None

    def _is_to_run(self, deployment: Deployment) -> bool:
        """Say whether it is wanted after all: its project was restored while its replicas were being ended."""
        return deployment.desired_status == "running" and not deployment.project.is_deleted

    @contextmanager
    def _effect(self, lease: Lease, deployment: Deployment) -> Iterator[Deployment]:
        """Open a transaction that holds the deployment's row, as it is now, and the lease."""
        with atomic():
            now: Deployment = locked(Deployment.select().where(Deployment.id == deployment.id)).get()
            lease.confirm()
            yield now

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


def _is_wanted(now: Deployment, revision: DeploymentRevision) -> bool:
    return now.revision == revision.number and now.desired_status == "running"
