"""The contract of deployment targets, kept by `local_process` with a real model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard import ReplicaSpec
from modelyard.core.testing import DeploymentTargetContract
from modelyard.plugins.local_process.target import LocalProcess
from tests.plugins.local_process.conftest import end_all, spec_in


class TestLocalProcess(DeploymentTargetContract):
    @pytest.fixture
    def target(self) -> LocalProcess:
        return LocalProcess({})

    @pytest.fixture
    def spec(self, tmp_path: Path, plain: Path) -> Iterator[ReplicaSpec]:
        spec = spec_in(tmp_path / "replica", plain)
        yield spec
        end_all(spec.directory, self.second(spec).directory)
