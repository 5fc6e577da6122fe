"""The verbs of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from modelyard.core.db import now_ms
from modelyard.core.errors import InvalidInput
from modelyard.core.identity.actor import Actor
from modelyard.core.projects.models import Project
from modelyard.core.projects.quotas import reserve_run
from modelyard.core.tracking.entities import (
    ENDED_STATUSES,
    RUN_NAME_TAG,
    RUN_STATUSES,
    WHOLE_HISTORY,
    Change,
    DatasetInput,
    DatasetSummary,
    Metric,
    MetricSummary,
    MetricWindow,
    ModelInput,
    ModelOutput,
    NewRun,
    Page,
    Param,
    Query,
    Run,
    RunInfo,
    Tag,
)
from modelyard.core.tracking.limits import (
    MAX_DATASET_SUMMARIES,
    MAX_EXPERIMENTS_SUMMARIZED,
    MAX_ID_LENGTH,
    MAX_TAG_VALUE_LENGTH,
    check_batch,
    check_dataset_inputs,
    check_few_runs,
    check_length,
    check_max_results,
    check_metrics,
    check_params,
    check_sample,
    check_tags,
)
from modelyard.core.tracking.many_runs import ManyRuns
from modelyard.core.tracking.models import ACTIVE, DELETED
from modelyard.core.tracking.run_metrics import RunMetrics
from modelyard.core.tracking.service import TRANSACTIONAL

MODEL_HISTORY_TAG = "mlflow.log-model.history"


class RunService(ManyRuns, RunMetrics):
    """Runs of projects. What is logged to a run writes no event; what is done to it does."""

    def create(self, actor: Actor, project: Project, run: NewRun) -> Run:
        """Make a running run; without a user it is the actor's, without a name it gets one.

        `QuotaExceeded` where the project may have no more; what an outside tracker keeps is not counted.
        """
        tags = check_tags(run.tags)
        tagged_name = tags.get(RUN_NAME_TAG)
        if run.name and tagged_name and run.name != tagged_name:
            raise InvalidInput(
                f"Both run_name={run.name!r} and the tag {RUN_NAME_TAG}={tagged_name!r} are given, and they differ."
            )
        wanted = msgspec.structs.replace(
            run,
            user_id=check_length("user_id", run.user_id, MAX_ID_LENGTH) or actor.name,
            name=run.name and run.name[:MAX_TAG_VALUE_LENGTH],
            tags=[Tag(key, value) for key, value in tags.items()],
        )
        with self._changing(actor, project) as tracker:
            if TRANSACTIONAL in tracker.capabilities:
                reserve_run(project)
            made = tracker.create_run(project.id, wanted)
            self._tell("run.created", actor, project, Change(made.info, made.info), ())
        return made

    def get(self, actor: Actor, project: Project, run_id: str) -> Run:
        """Return the run with all that it logged, also a deleted one."""
        return self._reading(actor, project).get_run(project.id, run_id)

    def search(self, actor: Actor, project: Project, query: Query) -> Page[Run]:
        """Return a page of runs."""
        check_max_results(query.max_results)
        return self._reading(actor, project).search_runs(project.id, query)

    def count(self, actor: Actor, project: Project, query: Query) -> int:
        """Return how many runs the search finds in all."""
        return self._reading(actor, project).count_runs(project.id, query)

    def update(
        self,
        actor: Actor,
        project: Project,
        run_id: str,
        *,
        status: str | None = None,
        end_time_ms: int | None = None,
        name: str | None = None,
    ) -> RunInfo:
        """Change what is given; a run that comes to its end is told as ``run.finished``."""
        _check_status(status)
        name = name and name[:MAX_TAG_VALUE_LENGTH]
        with self._changing(actor, project) as tracker:
            change = tracker.update_run(project.id, run_id, status=status, end_time_ms=end_time_ms, name=name)
            self._tell_update(actor, project, change)
        return change.after

    def edit(
        self,
        actor: Actor,
        project: Project,
        run_id: str,
        *,
        status: str | None = None,
        end_time_ms: int | None = None,
        name: str | None = None,
        tags: Mapping[str, str | None] | None = None,
    ) -> Run:
        """Do what `update` does and set tags, of which one whose value is None goes; all of it, or nothing.

        A run that comes to its end without a time for it has ended now. Returns the run as it then is.
        """
        _check_status(status)
        wanted = dict(tags or {})
        name = name or wanted.pop(RUN_NAME_TAG, None)
        kept = check_tags([Tag(key, value) for key, value in wanted.items() if value is not None])
        with self._changing(actor, project) as tracker:
            before = tracker.get_run(project.id, run_id)
            if status in ENDED_STATUSES and end_time_ms is None and before.info.end_time_ms is None:
                end_time_ms = now_ms()
            if kept:
                tracker.log_batch(project.id, run_id, tags=kept)
            for tag in before.data.tags:
                if wanted.get(tag.key, "") is None:
                    tracker.delete_run_tag(project.id, run_id, tag.key)
            change = tracker.update_run(
                project.id, run_id, status=status, end_time_ms=end_time_ms, name=name and name[:MAX_TAG_VALUE_LENGTH]
            )
            after = tracker.get_run(project.id, run_id)
            self._tell_update(actor, project, change)  # last: an outside tracker is never called in a transaction
        return after

    def delete(self, actor: Actor, project: Project, run_id: str) -> None:
        """Delete a run; `restore` brings it back."""
        self._move(actor, project, run_id, DELETED, "run.deleted")

    def restore(self, actor: Actor, project: Project, run_id: str) -> RunInfo:
        """Bring a deleted run back."""
        return self._move(actor, project, run_id, ACTIVE, "run.restored")

    def log_batch(
        self,
        actor: Actor,
        project: Project,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[Tag] = (),
    ) -> None:
        """Write all of it to an active run, or nothing."""
        check_batch(metrics, params, tags)
        check_metrics(metrics)
        tracker = self._writing(actor, project)
        tracker.log_batch(project.id, run_id, metrics=metrics, params=check_params(params), tags=check_tags(tags))

    def log_metric(self, actor: Actor, project: Project, run_id: str, metric: Metric) -> None:
        """Write one value of one metric."""
        check_metrics([metric])
        self._writing(actor, project).log_batch(project.id, run_id, metrics=[metric])

    def log_param(self, actor: Actor, project: Project, run_id: str, param: Param) -> None:
        """Write one param."""
        self._writing(actor, project).log_batch(project.id, run_id, params=check_params([param]))

    def set_tag(self, actor: Actor, project: Project, run_id: str, tag: Tag) -> None:
        """Set one tag; the tag of the name renames the run."""
        tags = check_tags([tag])
        if tag.key == RUN_NAME_TAG and tag.value:
            self.update(actor, project, run_id, name=tags[tag.key])
        else:
            self._writing(actor, project).log_batch(project.id, run_id, tags=tags)

    def delete_tag(self, actor: Actor, project: Project, run_id: str, key: str) -> None:
        """Remove one tag."""
        self._writing(actor, project).delete_run_tag(project.id, run_id, key)

    def log_inputs(
        self,
        actor: Actor,
        project: Project,
        run_id: str,
        *,
        datasets: Sequence[DatasetInput] = (),
        models: Sequence[ModelInput] = (),
    ) -> None:
        """Note the datasets and logged models that a run used."""
        check_dataset_inputs(datasets)
        self._writing(actor, project).log_inputs(project.id, run_id, datasets=datasets, models=models)

    def dataset_summaries(self, actor: Actor, project: Project, experiment_ids: Sequence[str]) -> list[DatasetSummary]:
        """Return at most 1000 of the datasets that runs of these experiments used, each once with each context."""
        if not 1 <= len(experiment_ids) <= MAX_EXPERIMENTS_SUMMARIZED:
            raise InvalidInput(
                f"1 to {MAX_EXPERIMENTS_SUMMARIZED} experiments can be asked for at once. Got {len(experiment_ids)}."
            )
        return self._reading(actor, project).dataset_summaries(
            project.id, experiment_ids, max_results=MAX_DATASET_SUMMARIES
        )

    def log_outputs(self, actor: Actor, project: Project, run_id: str, models: Sequence[ModelOutput]) -> None:
        """Note the logged models that a run made."""
        self._writing(actor, project).log_outputs(project.id, run_id, models)

    def log_model(self, actor: Actor, project: Project, run_id: str, description: str) -> None:
        """Add a model's description (its MLmodel as JSON) to the run's tag of models: how clients before 3 log one."""
        with self._changing(actor, project) as tracker:
            tags = {tag.key: tag.value for tag in tracker.get_run(project.id, run_id).data.tags}
            try:
                model = msgspec.json.decode(description, type=dict[str, object])
                history = msgspec.json.decode(tags.get(MODEL_HISTORY_TAG, "[]"), type=list[object])
            except msgspec.MsgspecError:
                raise InvalidInput(f"model_json is not a JSON object: {description[:100]!r}.") from None
            known = {key: model[key] for key in _MODEL_KEYS if key in model}
            value = msgspec.json.encode([*history, known]).decode()
            if len(value) > MAX_TAG_VALUE_LENGTH:
                raise InvalidInput(f"The tag {MODEL_HISTORY_TAG} would exceed {MAX_TAG_VALUE_LENGTH} characters.")
            tracker.log_batch(project.id, run_id, tags={MODEL_HISTORY_TAG: value})

    def metric_history(
        self,
        actor: Actor,
        project: Project,
        run_id: str,
        *,
        key: str,
        window: MetricWindow = WHOLE_HISTORY,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> Page[Metric]:
        """Return the points of one metric in the order of step, timestamp and value."""
        if max_results is not None:
            check_max_results(max_results)
        return self._reading(actor, project).metric_history(
            project.id, run_id, key, window=window, max_results=max_results, page_token=page_token
        )

    def sample_metric(
        self,
        actor: Actor,
        project: Project,
        run_ids: Sequence[str],
        *,
        key: str,
        max_points: int,
        window: MetricWindow = WHOLE_HISTORY,
    ) -> dict[str, list[Metric]]:
        """Return at most `max_points` points of one metric of each run, in order, with first, last and spikes."""
        check_sample(run_ids, max_points)
        return self._reading(actor, project).sample_metric(
            project.id, run_ids, key, max_points=max_points, window=window
        )

    def metric_summaries(
        self, actor: Actor, project: Project, run_ids: Sequence[str]
    ) -> dict[str, list[MetricSummary]]:
        """Return last, least and greatest value and the count of every metric of each run."""
        check_few_runs(run_ids)
        return self._reading(actor, project).metric_summaries(project.id, run_ids)

    def _move(self, actor: Actor, project: Project, run_id: str, stage: str, action: str) -> RunInfo:
        with self._changing(actor, project) as tracker:
            change = tracker.set_run_lifecycle(project.id, run_id, stage)
            if change.before.lifecycle_stage != stage:
                self._tell(action, actor, project, change, ("lifecycle_stage",))
        return change.after

    def _tell_update(self, actor: Actor, project: Project, change: Change[RunInfo]) -> None:
        if change.before.run_name != change.after.run_name:
            self._tell("run.renamed", actor, project, change, ("run_name",))
        if change.before.status != change.after.status and change.after.status in ENDED_STATUSES:
            self._tell("run.finished", actor, project, change, ("status",))

    def _tell(
        self, action: str, actor: Actor, project: Project, change: Change[RunInfo], changed: Sequence[str]
    ) -> None:
        self._record(
            action,
            actor=actor,
            project=project,
            object_id=change.after.run_id,
            object_name=change.after.run_name,
            before={name: getattr(change.before, name) for name in changed},
            after={name: getattr(change.after, name) for name in changed}
            or {"run_name": change.after.run_name, "experiment_id": change.after.experiment_id},
        )


_MODEL_KEYS = ("run_id", "artifact_path", "utc_time_created", "model_uuid", "flavors")


def _check_status(status: str | None) -> None:
    if status is not None and status not in RUN_STATUSES:
        raise InvalidInput(f"Invalid status {status!r}.", hint=f"It is one of {', '.join(RUN_STATUSES)}.")
