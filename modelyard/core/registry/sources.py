"""Where the files of a model version are: turns what clients send as `source` into a path within the project."""

from __future__ import annotations

import re

from modelyard.core.artifacts.service import check_artifact_path
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.core.projects.models import Project
from modelyard.core.tracking.models import ACTIVE, Experiment, LoggedModel, Run

ARTIFACTS_SCHEME = "mlflow-artifacts:"
RUN_SOURCE = re.compile(r"runs:/(?P<run>[0-9a-f]{32})/(?P<path>.+)")
LOGGED_MODEL_SOURCE = re.compile(r"models:/(?P<model>m-[0-9a-f]{32})")


def resolve_source(project: Project, source: str) -> str:
    """Return the artifact path, relative to the project, that `source` names.

    `InvalidInput` for any address outside the project's own artifacts, `NotFound` for a run or logged model that the
    project does not have.
    """
    if found := RUN_SOURCE.fullmatch(source):
        run = Run.select().join(Experiment).where(Experiment.project == project, Run.public_id == found["run"]).first()
        if run is None:
            raise NotFound(f"There is no run {found['run']!r}.")
        return check_artifact_path(_path_in_run(project, run, found["path"], source))
    if found := LOGGED_MODEL_SOURCE.fullmatch(source):
        model = (
            LoggedModel.select()
            .join(Experiment)
            .where(
                Experiment.project == project,
                LoggedModel.public_id == found["model"],
                LoggedModel.lifecycle_stage == ACTIVE,
            )
            .first()
        )
        if model is None:
            raise NotFound(f"There is no logged model {found['model']!r}.")
        return check_artifact_path(_path_of(model.artifact_uri, source))
    return check_artifact_path(_path_of(source, source))


def _path_in_run(project: Project, run: Run, path: str, source: str) -> str:
    """Return where a run's path is: in the newest model that it logged by that name, else among its own artifacts.

    Clients from MLflow 3 on log a model beside the run and name it as before.
    """
    name, slash, rest = path.partition("/")
    model = (
        LoggedModel.select()
        .join(Experiment)
        .where(
            Experiment.project == project,
            LoggedModel.source_run_id == run.public_id,
            LoggedModel.name == name,
            LoggedModel.lifecycle_stage == ACTIVE,
        )
        .order_by(LoggedModel.created_at_ms.desc(), LoggedModel.id.desc())
        .first()
    )
    if model is None:
        return f"{_path_of(run.artifact_uri, source)}/{path}"
    return f"{_path_of(model.artifact_uri, source)}{slash}{rest}"


def _path_of(uri: str, source: str) -> str:
    """Return the path of an ``mlflow-artifacts:`` address; the client also writes it with the server's host in it."""
    if not uri.startswith(ARTIFACTS_SCHEME):
        raise InvalidInput(
            f"The source {source[:200]!r} is not in this project.",
            hint="Give mlflow-artifacts:/PATH, runs:/RUN/PATH, models:/m-ID or models:/MODEL/NUMBER of this project.",
            field="source",
        )
    path = uri.removeprefix(ARTIFACTS_SCHEME)
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    return path.strip("/")
