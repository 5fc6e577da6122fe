"""Where the files of a model version are: turns what clients send as `source` into a path within the project."""

from __future__ import annotations

import re

from modelyard.core.artifacts.service import check_artifact_path
from modelyard.core.errors import InvalidInput
from modelyard.core.interfaces import Tracker
from modelyard.core.projects.models import Project
from modelyard.core.tracking.entities import LoggedModelQuery, MetricOrder, RunInfo

ARTIFACTS_SCHEME = "mlflow-artifacts:"
QUOTES = frozenset("'\"")
"""What no name of a logged model has."""

RUN_SOURCE = re.compile(r"runs:/(?P<run>[0-9a-f]{32})/(?P<path>.+)")
LOGGED_MODEL_SOURCE = re.compile(r"models:/(?P<model>m-[0-9a-f]{32})")


def resolve_source(tracker: Tracker, project: Project, source: str) -> str:
    """Return the artifact path, relative to the project, that `source` names; `tracker` is the project's.

    `InvalidInput` for any address outside the project's own artifacts, `NotFound` for a run or logged model that the
    project does not have.
    """
    if found := RUN_SOURCE.fullmatch(source):
        run = tracker.get_run(project.id, found["run"])
        return check_artifact_path(_path_in_run(tracker, project, run.info, found["path"], source))
    if found := LOGGED_MODEL_SOURCE.fullmatch(source):
        model = tracker.get_logged_model(project.id, found["model"])
        return check_artifact_path(_path_of(model.info.artifact_uri, source))
    return check_artifact_path(_path_of(source, source))


def _path_in_run(tracker: Tracker, project: Project, run: RunInfo, path: str, source: str) -> str:
    """Return where a run's path is: in the newest model that it logged by that name, else among its own artifacts.

    Clients from MLflow 3 on log a model beside the run and name it as before.
    """
    name, slash, rest = path.partition("/")
    query = LoggedModelQuery(
        experiment_ids=[run.experiment_id],
        filter=f"source_run_id = '{run.run_id}' AND name = '{name}'",
        order_by=[MetricOrder(field_name=key, ascending=False) for key in ("creation_timestamp", "model_id")],
        max_results=1,
    )
    models = [] if QUOTES & set(name) else tracker.search_logged_models(project.id, query).items
    if not models:
        return f"{_path_of(run.artifact_uri, source)}/{path}"
    return f"{_path_of(models[0].info.artifact_uri, source)}{slash}{rest}"


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
