"""Trackers of a real MLflow server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from modelyard.core import outgoing
from modelyard.core.provider_settings import validate_settings
from modelyard.plugins.mlflow.tracker import MlflowTracker
from tests.mlflow_server import MlflowServer


def tracker_of(url: str, prefix: str = "", **more: Any) -> MlflowTracker:
    """Return a tracker with these settings."""
    given = {"tracking_uri": url, "experiment_prefix": prefix, **more}
    return MlflowTracker(validate_settings(MlflowTracker.settings_schema, given))


@pytest.fixture(autouse=True)
def loopback_allowed() -> Iterator[None]:
    """Let the tests reach servers of their own."""
    before = outgoing.current_policy()
    outgoing.set_policy(outgoing.OutgoingPolicy.of("127.0.0.0/8"))
    yield
    outgoing.set_policy(before)


@pytest.fixture(scope="session")
def mlflow_url(mlflow_server: MlflowServer) -> str:
    """The address of the session's server."""
    return mlflow_server.url
