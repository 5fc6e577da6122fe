"""The verbs of deployments. They change the wish and enqueue a job; `reconcile` moves what runs towards it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peewee import IntegrityError

from modelyard.core.db import atomic, locked, now_ms
from modelyard.core.deployments.jobs import RECONCILE as RECONCILE
from modelyard.core.deployments.jobs import enqueue_reconcile
from modelyard.core.deployments.models import Deployment, DeploymentRevision, Replica
from modelyard.core.deployments.replicas import spec_of
from modelyard.core.deployments.wish import MAX_REPLICAS as MAX_REPLICAS
from modelyard.core.deployments.wish import READY_WITHIN_SECONDS as READY_WITHIN_SECONDS
from modelyard.core.deployments.wish import checked_settings, differences, settings_of, told
from modelyard.core.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidTransition,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from modelyard.core.events import Events
from modelyard.core.identity.actor import Actor
from modelyard.core.identity.credentials import new_secret
from modelyard.core.names import check_slug
from modelyard.core.projects.access import authorize, hold, refuse_archived
from modelyard.core.projects.connections import ConnectionService
from modelyard.core.projects.models import Project
from modelyard.core.projects.quotas import reserve_deployment
from modelyard.core.registry.models import ModelVersion, RegisteredModel
from modelyard.core.registry.versions_service import ModelVersionService
from modelyard.core.secret_box import SecretBox

LONGEST_NOTE = 400
HOST_CAPABILITY = "runs_on_server_host"


class DeploymentService:
    """Deployments of a project."""

    def __init__(
        self,
        *,
        events: Events,
        connections: ConnectionService,
        versions: ModelVersionService,
        secrets: SecretBox,
        data_directory: Path,
    ) -> None:
        self._events = events
        self._connections = connections
        self._versions = versions
        self._secrets = secrets
        self._directory = data_directory / "deployments"
        self._turn = itertools.count()

    def create(
        self,
        actor: Actor,
        project: Project,
        *,
        name: str,
        model: str,
        version: str,
        target: str,
        replicas: int = 1,
        environment: Mapping[str, str] | None = None,
        ready_within_seconds: int = READY_WITHIN_SECONDS,
    ) -> Deployment:
        """Ask for a deployment of a version (its number, or an alias as it points now)."""
        authorize(actor, project, "deployment.write")
        check_slug(name, "name")
        self._check_target(project, target)
        chosen = self._find_version(actor, project, model, version)
        revision = checked_settings(
            replicas=replicas, environment=environment or {}, ready_within_seconds=ready_within_seconds
        )
        try:
            with atomic():
                reserve_deployment(_hold_for_running(project))
                deployment = Deployment.create(
                    project=project,
                    name=name,
                    target=target,
                    encrypted_token=self._secrets.seal({"token": new_secret()}),
                )
                add_revision(deployment, chosen, revision, note="created", created_by=actor.name)
                self._record(actor, deployment, "created", {}, told(chosen, revision))
                return deployment
        except IntegrityError:
            raise _why_not_created(project, name, chosen) from None

    def list(self, actor: Actor, project: Project) -> Any:
        """Return a query of the project's deployments by name."""
        authorize(actor, project, "deployment.read")
        return (
            Deployment.select()
            .where(Deployment.project == project, Deployment.desired_status != "deleted")
            .order_by(Deployment.name)
        )

    def get(self, actor: Actor, project: Project, name: str) -> Deployment:
        """Return one deployment; `NotFound` for one that is being deleted."""
        authorize(actor, project, "deployment.read")
        return _find(project, name)

    def edit(self, actor: Actor, project: Project, name: str, changes: Mapping[str, Any]) -> Deployment:
        """Ask for another version, number of replicas or environment: a new revision, rolled out beside the old one."""
        authorize(actor, project, "deployment.write")
        self._check_target(project, _find(project, name).target)
        with atomic():
            deployment = _find(project, name, lock=True)
            old = current_revision(deployment)
            model = changes.get("model", old.model_version.model.name)
            chosen = old.model_version
            if "model" in changes or "version" in changes:
                chosen = self._find_version(actor, project, model, str(changes.get("version", "latest")))
            revision = checked_settings(
                replicas=changes.get("replicas", old.replicas),
                environment=changes.get("environment", old.environment),
                ready_within_seconds=changes.get("ready_within_seconds", old.ready_within_seconds),
            )
            if (chosen, revision) != (old.model_version, settings_of(old)):
                add_revision(deployment, chosen, revision, note="edited", created_by=actor.name)
                before, after = differences(told(old.model_version, settings_of(old)), told(chosen, revision))
                self._record(actor, deployment, "updated", before, after)
        return _find(project, name)

    def roll_back(self, actor: Actor, project: Project, name: str, number: int | None = None) -> Deployment:
        """Make a new revision like revision `number`, by default like the one before the present one."""
        authorize(actor, project, "deployment.write")
        self._check_target(project, _find(project, name).target)
        with atomic():
            deployment = _find(project, name, lock=True)
            before = deployment.revision
            wanted = before - 1 if number is None else number
            if not 1 <= wanted <= before:
                raise NotFound(f"{name!r} has no revision {wanted}.")
            old = DeploymentRevision.get(deployment=deployment, number=wanted)
            note = f"rolled back to revision {wanted}"
            add_revision(deployment, old.model_version, settings_of(old), note=note, created_by=actor.name)
            after = {"revision": before + 1, "like_revision": wanted}
            self._record(actor, deployment, "updated", {"revision": before}, after)
        return _find(project, name)

    def stop(self, actor: Actor, project: Project, name: str) -> Deployment:
        """Ask for all replicas to end; the wish stays, `start` brings them back."""
        return self._want(actor, project, name, "stopped", "stopping")

    def start(self, actor: Actor, project: Project, name: str) -> Deployment:
        """Ask for a stopped deployment to run again."""
        authorize(actor, project, "deployment.write")
        self._check_target(project, _find(project, name).target)
        return self._want(actor, project, name, "running", "pending")

    def delete(self, actor: Actor, project: Project, name: str) -> None:
        """Ask for the replicas to end and the deployment to be forgotten; its events stay."""
        self._want(actor, project, name, "deleted", "stopping")

    def _want(self, actor: Actor, project: Project, name: str, desired: str, status: str) -> Deployment:
        authorize(actor, project, "deployment.write")
        with atomic():
            if desired == "running":
                _hold_for_running(project)
            deployment = _find(project, name, lock=True)
            if deployment.desired_status == desired:
                raise InvalidTransition(f"{name!r} is {desired} already.")
            Deployment.update(desired_status=desired, status=status, message="", updated_at_ms=now_ms()).where(
                Deployment.id == deployment.id
            ).execute()
            before = {"desired_status": deployment.desired_status}
            deployment.status = status
            self._record(actor, deployment, "updated", before, {"desired_status": desired})
            enqueue_reconcile(deployment)
        found: Deployment = Deployment.get_by_id(deployment.id)
        return found

    def revisions(self, actor: Actor, project: Project, name: str) -> Any:
        """Return a query of the deployment's revisions, newest first."""
        authorize(actor, project, "deployment.read")
        return (
            DeploymentRevision.select(DeploymentRevision, ModelVersion, RegisteredModel)
            .join(ModelVersion)
            .join(RegisteredModel)
            .where(DeploymentRevision.deployment == _find(project, name))
            .order_by(DeploymentRevision.number.desc())
        )

    def logs(self, actor: Actor, project: Project, name: str, *, lines: int) -> Sequence[tuple[Replica, str]]:
        """Return the last lines of each replica, in the order of revision and index."""
        authorize(actor, project, "deployment.read")
        deployment = _find(project, name)
        target = self._connections.target(project, deployment.target)
        found = (
            Replica.select().where(Replica.deployment == deployment).order_by(Replica.revision, Replica.replica_index)
        )
        return [(row, target.logs(spec_of(deployment, row, self._directory), lines=lines)) for row in found]

    def replica_for(self, actor: Actor, project: Project, name: str) -> tuple[Sequence[str], str]:
        """Return the addresses to try for one prediction, in turn, and the token that the replicas ask for.

        Raises `Unavailable` while no replica is ready.
        """
        authorize(actor, project, "deployment.predict")
        deployment = _find(project, name)
        ready = [
            str(row.address)
            for row in Replica.select(Replica.address)
            .where(Replica.deployment == deployment, Replica.state == "ready")
            .order_by(Replica.revision, Replica.replica_index)
        ]
        if not ready:
            raise Unavailable(
                f"No replica of {name!r} is ready (it is {deployment.status}).",
                hint=deployment.message or "Try again in a moment.",
            )
        shift = next(self._turn) % len(ready)
        return ready[shift:] + ready[:shift], self._secrets.open(deployment.encrypted_token)["token"]

    def _check_target(self, project: Project, target: str) -> None:
        bound = self._connections.target(project, target)
        if HOST_CAPABILITY in bound.entry.capabilities and not project.allow_local_deployments:
            raise PermissionDenied(
                f"The project {project.slug!r} may not run models on the server's own host.",
                hint="An instance administrator can allow it: `modelyard projects edit --allow-local-deployments`.",
            )

    def _find_version(self, actor: Actor, project: Project, model: str, version: str) -> ModelVersion:
        if version.isdecimal():
            found = self._versions.get(actor, project, model, version)
        else:
            found = self._versions.get_by_alias(actor, project, model, version.removeprefix("@"))
        if not found.artifact_path:
            raise InvalidInput(f"{model!r} is a prompt: it has no files to deploy.", field="model")
        return found

    def _record(self, actor: Actor, deployment: Deployment, verb: str, before: Any, after: Any) -> None:
        self._events.record(
            f"deployment.{verb}",
            actor=actor,
            object_id=deployment.public_id,
            object_name=deployment.name,
            project=deployment.project,
            before=before,
            after={**after, "status": deployment.status},
        )


def add_revision(
    deployment: Deployment, version: ModelVersion, settings: Mapping[str, Any], *, note: str, created_by: str
) -> None:
    """Make the next revision the wanted one, inside the caller's transaction, which has locked the deployment."""
    number = deployment.revision + 1
    DeploymentRevision.create(
        deployment=deployment,
        number=number,
        model_version=version,
        note=note[:LONGEST_NOTE],
        created_by=created_by,
        **settings,
    )
    changes: dict[str, Any] = {"revision": number, "updated_at_ms": now_ms(), "message": ""}
    if deployment.desired_status == "running":
        changes["status"] = deployment.status = "pending"
    Deployment.update(**changes).where(Deployment.id == deployment.id).execute()
    deployment.revision = number
    enqueue_reconcile(deployment)


def current_revision(deployment: Deployment) -> DeploymentRevision:
    """Return the revision that is wanted now."""
    found: DeploymentRevision = DeploymentRevision.get(
        DeploymentRevision.deployment == deployment, DeploymentRevision.number == deployment.revision
    )
    return found


def _find(project: Project, name: str, *, lock: bool = False) -> Deployment:
    named = Deployment.select().where(
        Deployment.project == project, Deployment.name == name, Deployment.desired_status != "deleted"
    )
    deployment = (locked(named) if lock else named).first()
    if deployment is None:
        raise NotFound(f"The project has no deployment {name!r}.")
    found: Deployment = deployment
    found.project = project
    return found


def _hold_for_running(project: Project) -> Project:
    """Hold the project's row so that nobody archives it while something is about to run in it."""
    now = hold(project)
    refuse_archived(now)
    return now


def _why_not_created(project: Project, name: str, version: ModelVersion) -> Exception:
    taken = Deployment.get_or_none(project=project, name=name)
    if taken is None:
        return NotFound(f"Version {version.number} was deleted meanwhile.")
    if taken.desired_status == "deleted":
        hint = "Try again in a moment."
        return AlreadyExists(f"The deployment {name!r} is still being deleted.", hint=hint, field="name")
    return AlreadyExists(f"The project has a deployment {name!r} already.", field="name")
