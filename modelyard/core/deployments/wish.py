"""What may be wished for a deployment, and what its events tell of a wish."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from modelyard.core.deployments.models import DeploymentRevision
from modelyard.core.errors import InvalidInput
from modelyard.core.registry.models import ModelVersion

MAX_REPLICAS = 64
MAX_VARIABLES = 100
READY_WITHIN_SECONDS = 300
LONGEST_ROLL_OUT_SECONDS = 24 * 3600
LONGEST_VALUE = 10_000
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
UNFIT = re.compile("[\0\ud800-\udfff]")


def checked_settings(*, replicas: int, environment: Mapping[str, str], ready_within_seconds: int) -> dict[str, Any]:
    """Return the settings of a revision; `InvalidInput` names the one that cannot be taken."""
    if not 0 <= replicas <= MAX_REPLICAS:
        raise InvalidInput(f"replicas is {replicas}; 0 to {MAX_REPLICAS} are allowed.", field="replicas")
    if not 1 <= ready_within_seconds <= LONGEST_ROLL_OUT_SECONDS:
        raise InvalidInput(
            f"ready_within_seconds is {ready_within_seconds}; 1 to {LONGEST_ROLL_OUT_SECONDS} are allowed.",
            field="ready_within_seconds",
        )
    if len(environment) > MAX_VARIABLES:
        raise InvalidInput(
            f"environment has {len(environment)} variables; {MAX_VARIABLES} are allowed.", field="environment"
        )
    for key, value in environment.items():
        if not _is_variable(key, value):
            raise InvalidInput(
                f"The environment variable {key[:80]!r} cannot be taken.",
                hint="Names are letters, digits and _, and do not start with MODELYARD_; values have at most "
                f"{LONGEST_VALUE} characters.",
                field="environment",
            )
    return {
        "replicas": replicas,
        "environment": dict(environment),
        "ready_within_seconds": ready_within_seconds,
    }


def _is_variable(key: str, value: str) -> bool:
    named = VARIABLE.fullmatch(key) is not None and not key.startswith("MODELYARD_")
    return named and len(value) <= LONGEST_VALUE and UNFIT.search(value) is None


def told(version: ModelVersion, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what events tell of a wish: the names of the variables, never their values, which may be secrets."""
    return {
        "model": version.model.name,
        "version": version.number,
        "replicas": settings["replicas"],
        "ready_within_seconds": settings["ready_within_seconds"],
        "environment": sorted(settings["environment"]),
    }


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what differs; where nothing that may be told does, the values of variables do."""
    changed = [key for key in after if before[key] != after[key]] or ["environment"]
    return {key: before[key] for key in changed}, {key: after[key] for key in changed}


def settings_of(revision: DeploymentRevision) -> dict[str, Any]:
    """Return what a revision says besides its version, as `add_revision` takes it."""
    return {key: getattr(revision, key) for key in ("replicas", "environment", "ready_within_seconds")}
