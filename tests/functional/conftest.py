"""Real servers on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelyard.core.projects.models import Project
from tests.factories import Factories
from tests.functional.running_server import RunningServer


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[RunningServer]:
    """A server that is not started yet."""
    server = RunningServer(environment, tmp_path / "serve.log")
    yield server
    server.kill_all()


@dataclass(frozen=True)
class Tenant:
    """A project and a token of its owner."""

    place: str
    token: str
    project: Project

    @property
    def api(self) -> str:
        """The address of the project."""
        organization, project = self.place.split("/")
        return f"/api/v1/organizations/{organization}/projects/{project}"

    @property
    def mlflow(self) -> str:
        """The path of the project's MLflow server."""
        return f"/mlflow/{self.place}"


@pytest.fixture
def tenant(factories: Factories) -> Tenant:
    """A project whose owner may do everything in it."""
    owner = factories.user("ada")
    project = factories.project("churn", owner=owner, local=True)
    return Tenant(f"{project.organization.slug}/churn", factories.token(owner), project)
