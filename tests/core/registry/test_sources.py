"""Where a version's files may come from: this project's own artifacts, by any of the addresses that clients write."""

from __future__ import annotations

import pytest

from modelyard.core.bootstrap import Services
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.registry.models import ModelVersion
from modelyard.core.registry.sources import resolve_source
from modelyard.core.tracking.entities import LoggedModel, NewLoggedModel, NewRun
from modelyard.core.tracking.models import LoggedModel as LoggedModelRow
from tests.factories import Factories

on_sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
RUN = NewRun(experiment_id="0", user_id="", start_time_ms=1)


@pytest.fixture
def run_id(services: Services, editor: Actor, project: Project) -> str:
    return services.runs.create(editor, project, RUN).info.run_id


def log_model(services: Services, editor: Actor, project: Project, run_id: str, name: str) -> LoggedModel:
    wish = NewLoggedModel(experiment_id="0", name=name, source_run_id=run_id)
    return services.logged_models.create(editor, project, wish)


def resolve(services: Services, project: Project, source: str) -> str:
    return resolve_source(services.connections.tracker_of(project), project, source)


def path_of(uri: str) -> str:
    return uri.removeprefix("mlflow-artifacts:/")


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("mlflow-artifacts:/0/abc/artifacts/model", "0/abc/artifacts/model"),
        ("mlflow-artifacts:/a/", "a"),
        ("mlflow-artifacts://somewhere:5000/a/b", "a/b"),
        ("mlflow-artifacts:/ünï cödé/50%", "ünï cödé/50%"),
    ],
)
@on_sqlite
def test_addresses_within_the_project(services: Services, project: Project, source: str, path: str) -> None:
    assert resolve(services, project, source) == path


@pytest.mark.parametrize(
    "source",
    [
        "", "a", "/etc/passwd", "file:///etc/passwd", "s3://bucket/a", "http://host/a", "../a", "dbfs:/a",
        "mlflow-artifacts:", "mlflow-artifacts:/", "mlflow-artifacts://", "mlflow-artifacts://host",
        "mlflow-artifacts:/a/../../b", "mlflow-artifacts:/..", "mlflow-artifacts:/%2e%2e/a",
        "mlflow-artifacts:/a%2f..%2fb", "mlflow-artifacts:/a//b",
        "mlflow-artifacts:/a\\..\\b", "mlflow-artifacts:/a\0b", "mlflow-artifacts:/a\nb",
        "mlflow-artifacts:/\ud800", "mlflow-artifacts://host/..", "mlflow-artifacts:/" + "a" * 5000,
        "runs:/", "runs:/abc/model", f"runs:/{'0' * 32}", f"runs:/{'0' * 32}/", f"runs:/{'G' * 32}/model",
        "models:/risk@champion", "models:/risk/latest", "models:/risk/-1", "models:/../risk/1",
        "models:/m-123", f"models:/m-{'0' * 32}/x",
    ],
)  # fmt: skip
@on_sqlite
def test_all_others_are_refused_and_register_nothing(
    services: Services, editor: Actor, project: Project, risk: object, source: str
) -> None:
    with pytest.raises(InvalidInput):
        services.model_versions.create(editor, project, "risk", source=source)
    assert ModelVersion.select().count() == 0


def test_a_run_of_the_project(services: Services, project: Project, run_id: str) -> None:
    assert resolve(services, project, f"runs:/{run_id}/model") == f"0/{run_id}/artifacts/model"
    assert resolve(services, project, f"runs:/{run_id}/deep/er") == f"0/{run_id}/artifacts/deep/er"
    for trick in ("..", "../../x", "a/../../b", "%2e%2e/a", "/etc", "a//b"):
        with pytest.raises(InvalidInput):
            resolve(services, project, f"runs:/{run_id}/{trick}")


def test_a_model_that_a_run_logged_is_found_by_its_name(
    services: Services, editor: Actor, project: Project, run_id: str
) -> None:
    first = log_model(services, editor, project, run_id, "line")
    log_model(services, editor, project, run_id, "other")
    assert resolve(services, project, f"runs:/{run_id}/line") == path_of(first.info.artifact_uri)
    assert f"models/{first.info.model_id}/artifacts" in path_of(first.info.artifact_uri)
    assert resolve(services, project, f"runs:/{run_id}/line/data") == f"{path_of(first.info.artifact_uri)}/data"
    second = log_model(services, editor, project, run_id, "line")
    LoggedModelRow.update(created_at_ms=LoggedModelRow.created_at_ms + 1).where(
        LoggedModelRow.public_id == second.info.model_id
    ).execute()
    assert resolve(services, project, f"runs:/{run_id}/line") == path_of(second.info.artifact_uri)
    services.logged_models.delete(editor, project, second.info.model_id)
    assert resolve(services, project, f"runs:/{run_id}/line") == path_of(first.info.artifact_uri)
    services.logged_models.delete(editor, project, first.info.model_id)
    assert resolve(services, project, f"runs:/{run_id}/line") == f"0/{run_id}/artifacts/line"
    with pytest.raises(InvalidInput):
        resolve(services, project, f"runs:/{run_id}/line/../x")


def test_a_logged_model_by_its_id(services: Services, editor: Actor, project: Project, run_id: str) -> None:
    model = log_model(services, editor, project, run_id, "line")
    source = f"models:/{model.info.model_id}"
    assert resolve(services, project, source) == path_of(model.info.artifact_uri)
    services.logged_models.delete(editor, project, model.info.model_id)
    with pytest.raises(NotFound, match="not found"):
        resolve(services, project, source)


def test_another_projects_runs_and_models_are_not_there(
    services: Services, factories: Factories, editor: Actor, project: Project, run_id: str
) -> None:
    model = log_model(services, editor, project, run_id, "line")
    other = factories.project()
    owner = factories.actor(other.organization.members[0].user)
    foreign = services.runs.create(owner, other, RUN).info.run_id
    log_model(services, owner, other, run_id, "smuggled")  # names a run that is not this project's
    for project_, source in [
        (other, f"runs:/{run_id}/line"), (other, f"models:/{model.info.model_id}"), (project, f"runs:/{foreign}/line"),
        (other, f"runs:/{'0' * 32}/line"), (other, f"models:/m-{'0' * 32}"),
    ]:  # fmt: skip
        with pytest.raises(NotFound, match="not found"):
            resolve(services, project_, source)
    assert resolve(services, project, f"runs:/{run_id}/smuggled") == f"0/{run_id}/artifacts/smuggled"


def test_another_version_of_the_project(
    services: Services, editor: Actor, project: Project, risk: object, run_id: str
) -> None:
    first = services.model_versions.create(
        editor, project, "risk", source="mlflow-artifacts:/a", run_id=run_id, logged_model_id="m-1"
    )
    services.models.create(editor, project, name="copy")
    made = services.model_versions.create(editor, project, "copy", source="models:/risk/1")
    assert (made.artifact_path, made.run_id, made.logged_model_id) == ("a", first.run_id, "m-1")
    other = services.model_versions.create(editor, project, "copy", source="models:/copy/1", run_id="b" * 32)
    assert (other.number, other.artifact_path, other.run_id) == (2, "a", "b" * 32)
    for missing in ("models:/risk/2", "models:/none/1"):
        with pytest.raises(NotFound):
            services.model_versions.create(editor, project, "copy", source=missing)


@on_sqlite
def test_another_projects_version_is_not_found(
    services: Services, editor: Actor, project: Project, risk: object, factories: Factories
) -> None:
    owner = factories.user()
    elsewhere = factories.project(owner=owner)
    actor = factories.actor(owner)
    services.models.create(actor, elsewhere, name="theirs")
    services.model_versions.create(actor, elsewhere, "theirs", source="mlflow-artifacts:/a")
    with pytest.raises(NotFound):
        services.model_versions.create(editor, project, "risk", source="models:/theirs/1")


@on_sqlite
def test_a_prompt_has_no_files(services: Services, editor: Actor, project: Project, risk: object) -> None:
    services.models.create(editor, project, name="greet", tags={"mlflow.prompt.is_prompt": "true"})
    made = services.model_versions.create(editor, project, "greet", source="prompt-template")
    assert (made.source, made.artifact_path) == ("prompt-template", "")
    with pytest.raises(InvalidInput, match="no files"):
        services.model_versions.create(editor, project, "risk", source="models:/greet/1")
    Project.update(allow_local_deployments=True).execute()
    local = Project.get_by_id(project.id)
    with pytest.raises(InvalidInput, match="no files"):
        services.deployments.create(editor, local, name="live", model="greet", version="1", target="local_process")
