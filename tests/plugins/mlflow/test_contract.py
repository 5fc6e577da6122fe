"""The kit against a real MLflow server: with a prefix, as several projects share one."""

from __future__ import annotations

import socket
from contextlib import closing
from uuid import uuid4

import pytest

from modelyard.core.interfaces import Tracker
from modelyard.core.testing import TrackerContract, TrackerOutageContract
from modelyard.core.testing.tracker_outage import VERBS
from modelyard.plugins.mlflow.tracker import MlflowTracker
from tests.plugins.mlflow.conftest import tracker_of


class TestContract(TrackerContract):
    counts_within_projects = False
    keeps_infinity = False
    keeps_nan_of_models = False

    @pytest.fixture
    def tracker(self, mlflow_url: str) -> MlflowTracker:
        return tracker_of(mlflow_url, f"{uuid4().hex}/")

    @pytest.fixture
    def other_tracker(self, mlflow_url: str) -> MlflowTracker:
        return tracker_of(mlflow_url, f"{uuid4().hex}/")

    @pytest.fixture
    def project_id(self) -> int:
        return 1

    @pytest.fixture
    def other_project_id(self) -> int:
        return 2


@pytest.mark.parametrize("prefix", ["", "team-a/"])
class TestOutage(TrackerOutageContract):
    @pytest.fixture
    def unreachable_tracker(self, prefix: str) -> MlflowTracker:
        with closing(socket.create_server(("127.0.0.1", 0))) as nobody:
            port = nobody.getsockname()[1]
        return tracker_of(f"http://127.0.0.1:{port}", prefix, token="open-sesame")


def test_the_outage_is_tried_on_every_verb() -> None:
    named = {name for verb in VERBS for name in verb.__code__.co_names}
    assert Tracker.__abstractmethods__ - {"health"} <= named
