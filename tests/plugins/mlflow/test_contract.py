"""The kit against a real MLflow server: with a prefix, as several projects share one."""

from __future__ import annotations

from uuid import uuid4

import pytest

from modelyard.core.testing.tracker import TrackerContract
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
