"""Deployments, and waiting for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from modelyard.client.errors import DeploymentFailedError, DeploymentTimeoutError
from modelyard.client.resource import Json, Resource, given


class Deployments(Resource):
    """Model versions that answer requests."""

    def list(self, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield deployments."""
        return self._list("deployments", limit=limit, **query)

    def get(self, deployment: str) -> Json:
        """Return one by name."""
        return self._one("GET", "deployments", deployment)

    def create(
        self,
        name: str,
        model: str,
        version: int | str,
        *,
        target: str | None = None,
        replicas: int | None = None,
        environment: Mapping[str, str] | None = None,
        ready_within_seconds: int | None = None,
    ) -> Json:
        """Ask for a deployment; it is `pending` in the answer, see `wait_until_ready`.

        `version` is a number, an alias as it points now, or ``latest``.
        """
        body = {"name": name, "model": model, "version": str(version)}
        body |= given(target=target, replicas=replicas, environment=environment)
        body |= given(ready_within_seconds=ready_within_seconds)
        return self._one("POST", "deployments", json=body)

    def edit(
        self,
        deployment: str,
        *,
        model: str | None = None,
        version: int | str | None = None,
        replicas: int | None = None,
        environment: Mapping[str, str] | None = None,
        ready_within_seconds: int | None = None,
    ) -> Json:
        """Make a new revision of what is given."""
        body = given(model=model, replicas=replicas, environment=environment)
        body |= given(version=None if version is None else str(version), ready_within_seconds=ready_within_seconds)
        return self._one("PATCH", "deployments", deployment, json=body)

    def delete(self, deployment: str) -> None:
        """Stop it and remove it."""
        self._call("DELETE", "deployments", deployment)

    def stop(self, deployment: str) -> Json:
        """Stop its replicas and keep its place."""
        return self._one("POST", "deployments", deployment, "stop")

    def start(self, deployment: str) -> Json:
        """Start a stopped one."""
        return self._one("POST", "deployments", deployment, "start")

    def rollback(self, deployment: str, revision: int | None = None) -> Json:
        """Make a new revision from an old one, by default from the one before the present one."""
        return self._one("POST", "deployments", deployment, "rollback", json=given(revision=revision))

    def revisions(self, deployment: str, *, limit: int | None = None, **query: Any) -> Iterator[Json]:
        """Yield the revisions, newest first."""
        return self._list("deployments", deployment, "revisions", limit=limit, **query)

    def logs(self, deployment: str, *, lines: int | None = None) -> Sequence[Json]:
        """Return the last lines of each replica: `{replica, text}`."""
        logs: Sequence[Json] = self._one("GET", "deployments", deployment, "logs", lines=lines)["items"]
        return logs

    def wait_until_ready(
        self,
        deployment: str,
        *,
        deadline_seconds: float = 300,
        on_change: Callable[[Json], None] = lambda deployment: None,
    ) -> Json:
        """Ask until the deployment is ready and return it; `on_change` is called with every new state.

        Raises `DeploymentFailedError` once it failed, is to be stopped, or has returned to an older revision by itself;
        `DeploymentTimeoutError` at the deadline.
        """
        deadline = time.monotonic() + deadline_seconds
        shown: Any = None
        wanted: Any = None
        pause = 0.25
        while True:
            seen = self.get(deployment)
            state = [seen.get(name) for name in ("status", "ready_replicas", "replicas", "message")]
            if state != shown:
                shown = state
                on_change(seen)
            wanted = wanted or seen.get("revision")
            if seen["status"] == "ready":
                self._refuse_returned(deployment, seen, wanted)
                return seen
            _refuse_hopeless(deployment, seen)
            if time.monotonic() + pause > deadline:
                raise DeploymentTimeoutError(
                    f"The deployment {deployment!r} is still {seen['status']} after {deadline_seconds:g} seconds.",
                    seen,
                    hint=f"Wait longer, or read `modelyard deployments logs {deployment}`.",
                )
            self._client.sleep(pause)
            pause = min(pause * 1.5, 2.0)

    def _refuse_returned(self, deployment: str, seen: Json, wanted: Any) -> None:
        """Raise where what is ready now came in place of the revision that was waited for."""
        if seen.get("revision") == wanted:
            return
        newest = next(iter(self.revisions(deployment, limit=1)), {})
        if str(newest.get("note", "")).startswith("returned"):
            raise DeploymentFailedError(f"The deployment {deployment!r} {newest['note']}", seen)


def _refuse_hopeless(deployment: str, seen: Json) -> None:
    if seen["status"] != "failed" and seen.get("desired_status") != "stopped":
        return
    state = "failed" if seen["status"] == "failed" else "is stopped"
    reason = f": {seen['message']}" if seen.get("message") else "."
    raise DeploymentFailedError(
        f"The deployment {deployment!r} {state}{reason}", seen, hint=f"Read `modelyard deployments logs {deployment}`."
    )
