"""A project, its owner's headers, and its address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from modelyard.core.identity.actor import Actor
from modelyard.core.identity.models import User
from modelyard.core.projects.models import Project
from tests.factories import Factories, system_owner


@dataclass(frozen=True)
class Place:
    """Requests to one project, as one of its users."""

    client: FlaskClient
    project: Project
    user: User
    actor: Actor
    headers: dict[str, str]

    @property
    def address(self) -> str:
        return f"/api/v1/organizations/{self.project.organization.slug}/projects/{self.project.slug}"

    def call(self, method: str, path: str = "", body: Any = None, /, **more: Any) -> TestResponse:
        """Send a request to a path below the project, or to one from the root where it begins with /api."""
        address = path if path.startswith("/api/") else self.address + path
        if body is not None:
            more["json"] = body
        headers = {**self.headers, **more.pop("headers", {})}
        return self.client.open(address, method=method, headers=headers, **more)


@pytest.fixture
def place(factories: Factories, client: FlaskClient) -> Place:
    """A fresh project and its owner."""
    project = factories.project("churn")
    owner = system_owner(project)
    return Place(client, project, owner, factories.actor(owner), factories.headers(owner))
