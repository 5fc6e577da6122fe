"""What a deployment's status is, from what was seen of its replicas. Pure: no query, no clock of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.core.deployments.models import DeploymentRevision, Replica

HOPELESS_STARTS = 3
SHOWN_FIRST = ("failed", "unhealthy", "starting", "absent", "ready")


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nothing can be started now; one that is `passing` is waited for until the roll-out's time is over."""

    text: str
    passing: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen: the replicas that are wanted, and the older revision whose replicas still serve, if one's do.

    `late` says that the roll-out's time is over, `quiet` that no replica has changed for as long.
    """

    wanted: Sequence[Replica]
    older: int | None
    late: bool
    quiet: bool
    problem: Problem | None = None

    def is_complete(self, revision: DeploymentRevision) -> bool:
        """Say whether every replica of the revision is ready."""
        ready = sum(row.state == "ready" for row in self.wanted)
        return self.problem is None and ready == revision.replicas

    def reason(self) -> str:
        """Return the worst that is known of the replicas, or nothing."""
        if self.problem is not None:
            return self.problem.text
        known = sorted((row for row in self.wanted if row.message), key=lambda row: SHOWN_FIRST.index(row.state))
        return known[0].message if known else ""


def judge(sight: Sight, revision: DeploymentRevision, before: str, told: str) -> tuple[str, str]:
    """Return status and message of a deployment whose status was `before`, with the message `told`.

    `failed` stays until a replica is ready, so that each failure is told once.
    """
    reason = sight.reason()
    if sight.is_complete(revision):
        return "ready", reason
    broken = sight.problem is not None or any(row.state in {"failed", "unhealthy"} for row in sight.wanted)
    if sight.older is not None:
        text = f"Revision {sight.older} serves until revision {revision.number} is ready. {reason}".strip()
        return ("degraded" if broken else "starting"), text
    if any(row.state == "ready" for row in sight.wanted):
        return "degraded", reason
    if before == "failed":
        return "failed", reason if broken else told
    if _is_hopeless(sight, before):
        return "failed", reason or late_text(revision)
    return ("degraded" if before in {"ready", "degraded"} else "starting"), reason


def late_text(revision: DeploymentRevision) -> str:
    """Say that the time of a roll-out is over."""
    return f"Not ready within {revision.ready_within_seconds} s."


def _is_hopeless(sight: Sight, before: str) -> bool:
    if sight.problem is not None and not sight.problem.passing:
        return True
    if sight.wanted and all(row.state == "failed" and row.starts >= HOPELESS_STARTS for row in sight.wanted):
        return True
    return sight.late and (sight.quiet or before in {"pending", "starting"})
