"""Quotas: what is over them is not made, whoever else makes something at the same time."""

from __future__ import annotations

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.deployments.models import Deployment
from modelyard.core.errors import InvalidInput, PermissionDenied, QuotaExceeded
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import NewRun
from modelyard.core.tracking.models import Run
from tests.core.projects.test_leaving import at_once
from tests.factories import Factories, system_owner


@pytest.fixture
def project(factories: Factories) -> Project:
    return factories.project("churn", local=True)


@pytest.fixture
def owner(factories: Factories, project: Project) -> Actor:
    return factories.actor(system_owner(project))


def limit(project: Project, **quotas: int | None) -> Project:
    Project.update(**quotas).where(Project.id == project.id).execute()
    found: Project = Project.get_by_id(project.id)
    return found


def start_run(services: Services, owner: Actor, project: Project) -> str:
    made = services.runs.create(owner, project, NewRun(experiment_id="0", user_id="", start_time_ms=1))
    return made.info.run_id


def test_runs_end_at_their_quota(services: Services, owner: Actor, project: Project) -> None:
    limited = limit(project, max_runs=2)
    first = start_run(services, owner, limited)
    services.runs.delete(owner, limited, first)
    start_run(services, owner, limited)
    with pytest.raises(QuotaExceeded, match="'churn' has 2 of 2 runs"):
        start_run(services, owner, limited)
    assert services.projects.usage(owner, limited) == {"runs": 2, "deployments": 0, "artifact_bytes": 0}
    start_run(services, owner, limit(project, max_runs=None))
    assert Run.select().count() == 3


def test_of_two_at_once_one_is_within_the_quota(services: Services, owner: Actor, project: Project) -> None:
    limited = limit(project, max_runs=1)
    refusals = at_once(*[lambda: start_run(services, owner, limited)] * 2)
    assert ([type(refused) for refused in refusals], Run.select().count()) == ([QuotaExceeded], 1)


def test_deployments_end_at_their_quota(services: Services, owner: Actor, project: Project) -> None:
    services.models.create(owner, project, name="risk")
    services.model_versions.create(owner, project, "risk", source="mlflow-artifacts:/m")
    limited = limit(project, max_deployments=1)
    wish = {"model": "risk", "version": "1", "target": "local_process"}
    services.deployments.create(owner, limited, name="one", **wish)
    with pytest.raises(QuotaExceeded, match="1 of 1 deployments"):
        services.deployments.create(owner, limited, name="two", **wish)
    services.deployments.delete(owner, limited, "one")
    services.deployments.create(owner, limited, name="two", **wish)
    assert Deployment.select().where(Deployment.desired_status == "running").count() == 1


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_quotas_are_the_instance_administrators_affair(
    services: Services, factories: Factories, owner: Actor, project: Project
) -> None:
    with pytest.raises(PermissionDenied, match="instance administrators"):
        services.projects.edit(owner, project, {"quotas": {"max_runs": 5}})
    root = factories.user(is_instance_admin=True)
    services.organizations.set_member(owner, project.organization.slug, root.username, "admin")
    edited = services.projects.edit(factories.actor(root), project, {"quotas": {"max_runs": 5}})
    assert (edited.max_runs, edited.max_deployments) == (5, None)
    for bad in (-1, 2**60):
        with pytest.raises(InvalidInput) as refused:
            services.projects.edit(factories.actor(root), project, {"quotas": {"max_runs": bad}})
        assert refused.value.details["field"] == "quotas.max_runs"
    edited = services.projects.edit(factories.actor(root), edited, {"quotas": {"max_runs": None}})
    assert edited.max_runs is None
