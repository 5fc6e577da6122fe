"""Bringing what an MLflow server has into a project: experiments, runs, logged models, artifacts and the registry.

    from modelyard.client import Client
    from modelyard.client.mlflow_import import Options, import_mlflow

    report = import_mlflow(Client().project("acme", "churn"), "http://mlflow.example.com:5000", Options())

It may be ended at any point and made again: all that it knows is in the project, as tags of what it brought (see
`marks`), and each thing counts as brought only when its last tag says so. Ids of runs and logged models in MLflow's own
tags become those that they have here. Nothing is held in memory but a line for each run and logged model.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from modelyard.client.errors import ClientError, UnavailableError
from modelyard.client.mlflow_import.artifacts import Artifacts
from modelyard.client.mlflow_import.experiments import Experiments
from modelyard.client.mlflow_import.logged_models import LoggedModels
from modelyard.client.mlflow_import.progress import Progress, Silence
from modelyard.client.mlflow_import.registry import Registry
from modelyard.client.mlflow_import.report import NotBrought, Report
from modelyard.client.mlflow_import.runs import Runs
from modelyard.client.mlflow_import.source import Source, split_credentials
from modelyard.client.mlflow_import.survey import Survey
from modelyard.client.mlflow_import.target import Target
from modelyard.client.mlflow_import.wire import concerns_one_thing
from modelyard.client.project import Project

__all__ = ["NotBrought", "Options", "Progress", "Report", "Source", "import_mlflow", "split_credentials"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What is brought: by default everything that is not deleted, with `jobs` transfers at a time."""

    experiments: tuple[str, ...] = ()
    models: bool = True
    artifacts: bool = True
    deleted: bool = False
    dry_run: bool = False
    jobs: int = 4


def import_mlflow(
    project: Project,
    source: str | Source,
    options: Options | None = None,
    *,
    progress: Progress | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Report:
    """Bring what the MLflow server at `source` has into the project, and return what was brought and what was not.

    Credentials are those of MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, in
    `environment`. Raises a `ClientError` where one of the servers cannot be used or stays away: what was brought by
    then stays, and another call goes on there. A repeated call brings what is new or changed in the source, and
    removes nothing. A `Source` serves one import.
    """
    chosen = options or Options()
    server = Source(source, environment) if isinstance(source, str) else source
    target = Target(project)
    report = Report(server.url, target.name, dry_run=chosen.dry_run)
    shown = progress or Silence()
    shown.report = report
    try:
        server.check()
        target.check()
        target.read()
        if chosen.dry_run:
            survey = Survey(server, target, report, shown, artifacts=chosen.artifacts)
            survey.take(chosen.experiments, deleted=chosen.deleted, models=chosen.models)
        else:
            _bring(server, target, report, shown, chosen)
    finally:
        server.client.close()
    return report


def _bring(source: Source, target: Target, report: Report, progress: Progress, options: Options) -> None:
    ahead = 2 * options.jobs
    things, files = ThreadPoolExecutor(options.jobs), ThreadPoolExecutor(options.jobs)
    try:
        artifacts = Artifacts(source, target, report, files, ahead=ahead) if options.artifacts else None
        experiments = Experiments(source, target, report)
        runs = Runs(source, target, report, progress, artifacts)
        logged_models = LoggedModels(source, target, report, progress, artifacts)
        experiments.bring(options.experiments, deleted=options.deleted)
        runs.create(experiments, things, deleted=options.deleted, ahead=ahead)
        logged_models.create(experiments)
        runs.fill(things, ahead=ahead)
        logged_models.fill(things, ahead=ahead)
        if options.models:
            Registry(source, target, report, progress, whole=not options.experiments).bring()
        runs.close()
        experiments.close()
        _note_traces(source, experiments, report)
    except UnavailableError as error:
        error.hint = "What was brought stays. Import again, and it goes on there."
        raise
    finally:
        source.end()
        target.end()
        things.shutdown(cancel_futures=True)
        files.shutdown(cancel_futures=True)


def _note_traces(source: Source, experiments: Experiments, report: Report) -> None:
    for experiment in experiments.all:
        try:
            if source.has_traces(experiment.source_id):
                report.leave_out("traces", experiment.name, "traces and their assessments are not brought")
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
