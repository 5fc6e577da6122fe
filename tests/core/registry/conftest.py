"""A project with a model, and who works in it."""

from __future__ import annotations

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import RegisteredModel
from tests.factories import Factories


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project()


@pytest.fixture
def editor(factories: Factories, project: Project) -> Actor:
    return factories.actor(factories.member(project, "editor"))


@pytest.fixture
def risk(services: Services, editor: Actor, project: Project) -> RegisteredModel:
    return services.models.create(editor, project, name="risk")
