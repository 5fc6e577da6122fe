"""What a plugin hands over: four small classes to subclass, and the values that pass through them.

Hooks (`modelyard.core.hookspecs`) discover providers; these classes do the work. A provider is built with its
validated settings, once for each connection and process; building it does no I/O. Methods are called from several
threads at once, each under a deadline, never inside a database transaction (but see the capability `transactional`).
A provider raises `PluginUnavailable` when what stands behind it does not answer, `NotFound` where a method says so, and
whatever it likes otherwise: the guard captures it, names the plugin, and strips secrets from the text.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from marshmallow import Schema

from modelyard.core.tracking.entities import (
    LIFECYCLE_STAGES,
    WHOLE_HISTORY,
    Change,
    DatasetInput,
    DatasetSummary,
    Experiment,
    LoggedModel,
    LoggedModelQuery,
    Metric,
    MetricSummary,
    MetricWindow,
    ModelInput,
    ModelOutput,
    NewLoggedModel,
    NewRun,
    Page,
    Query,
    Run,
    RunChange,
    RunInfo,
    Tag,
    summaries_of,
)


@dataclass(frozen=True, slots=True)
class Health:
    """What a provider says of itself."""

    ok: bool
    message: str = ""


class Provider(ABC):
    """What all four interfaces share.

    `name` matches ``[a-z0-9_]+`` and is unique among the providers of one interface; `title` is for people.
    `settings_schema` validates the settings of a connection, becomes JSON Schema for the API and a form on the screen;
    a field with `metadata={"secret": True}` is encrypted at rest and never shown again (first level only). A provider
    with the capability ``local`` never waits for a network: it is called directly, without a thread and a deadline.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    settings_schema: ClassVar[type[Schema]] = Schema
    capabilities: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    @abstractmethod
    def health(self) -> Health:
        """Say within 5 seconds whether the thing behind this provider answers."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file or folder of a storage: `path` is relative to the storage's root, with forward slashes."""

    path: str
    size_bytes: int
    is_directory: bool = False


class Storage(Provider):
    """Files by path. Paths are relative, with forward slashes, already checked: no `..`, no empty part, no NUL."""

    @abstractmethod
    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        """Store the chunks as one file, replacing what was there.

        Atomic: a reader sees the old file or the whole new one; when `chunks` raises, nothing has changed.
        """

    @abstractmethod
    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the file's bytes from `offset`, at most `length` of them, in chunks of at most 1 MiB.

        Raises `NotFound` before the first chunk where no such file is.
        """

    @abstractmethod
    def stat(self, path: str) -> StoredFile:
        """Describe one file or folder; `NotFound` where neither is."""

    @abstractmethod
    def list(self, path: str) -> Iterable[StoredFile]:
        """List the direct children of a folder by name; nothing for a folder that is not there. The root is ``""``."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Remove the file, or the folder with all in it; silent where neither is."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to people or machines. `id` stays the same over all attempts, so that receivers can drop doubles."""

    id: str
    action: str
    title: str
    text: str
    occurred_at_ms: int
    link: str | None = None
    event: Mapping[str, Any] = field(default_factory=dict)


class Notifier(Provider):
    """Takes a message somewhere."""

    @abstractmethod
    def send(self, notification: Notification) -> None:
        """Deliver it, or raise. It may come twice (delivery is at least once) and is tried again when this raises."""


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    """One copy of a model to keep running.

    `directory` is this replica's own, kept between calls; `model_directory` holds the model, read-only by convention.
    """

    deployment_id: str
    deployment_name: str
    revision: int
    index: int
    directory: Path
    model_directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    model_name: str = "model"
    model_version: str = "1"


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """What a target sees of one replica: `state` is absent, starting, ready, unhealthy or failed."""

    state: str
    address: str | None = None
    message: str = ""
    identity: Mapping[str, Any] = field(default_factory=dict)


REPLICA_STATES = frozenset({"absent", "starting", "ready", "unhealthy", "failed"})


class DeploymentTarget(Provider):
    """Keeps replicas of a model running. Every method is idempotent: the caller may be killed and call again."""

    @abstractmethod
    def start(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Make the replica run if it does not, and return without waiting for its health."""

    @abstractmethod
    def observe(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Look at the replica as it is now. A process that only looks like it (a reused pid) is `absent`."""

    @abstractmethod
    def stop(self, spec: ReplicaSpec) -> None:
        """End the replica, gracefully and then by force; silent where it does not run."""

    @abstractmethod
    def logs(self, spec: ReplicaSpec, *, lines: int = 200) -> str:
        """Return the last lines that the replica wrote."""


class Tracker(Provider):
    """Where a project's experiments and runs live.

    The first parameter of every verb is the project, whose names and ids are its own: nothing of another project is
    ever found or changed. Ids and filters are MLflow's. Values come checked (`modelyard.core.tracking.limits`), and
    permissions are no affair of a tracker. One with the capability ``transactional`` writes to Modelyard's own
    database: it is called inside the transaction that also records the event, and directly, without a thread of its
    own.

    Every verb that names a thing raises `NotFound` where the project has none of that id.
    """

    @property
    def artifacts(self) -> Storage:
        """Return the storage of artifacts, of a tracker with the capability ``artifacts``; others leave it alone.

        Its paths begin with a folder of the project's own, and go on with what stands behind ``mlflow-artifacts:/``.
        """
        raise NotImplementedError(f"The tracker {self.name!r} keeps no artifacts.")

    @abstractmethod
    def create_experiment(
        self, project_id: int, *, name: str, artifact_location: str | None = None, tags: Mapping[str, str] | None = None
    ) -> Experiment:
        """Make an experiment; ids are never used again.

        `AlreadyExists` where the name is taken, be it by a deleted one.
        """

    @abstractmethod
    def get_experiment(self, project_id: int, experiment_id: str) -> Experiment:
        """Return the experiment, also a deleted one."""

    @abstractmethod
    def get_experiment_by_name(self, project_id: int, name: str) -> Experiment:
        """Return the experiment of exactly that name, also a deleted one."""

    @abstractmethod
    def search_experiments(self, project_id: int, query: Query) -> Page[Experiment]:
        """Return a page of experiments; `InvalidInput` says what in the query cannot be understood."""

    @abstractmethod
    def rename_experiment(self, project_id: int, experiment_id: str, name: str) -> Change[Experiment]:
        """Give an active experiment another name; `InvalidTransition` for a deleted one, `AlreadyExists` as above."""

    @abstractmethod
    def set_experiment_lifecycle(self, project_id: int, experiment_id: str, stage: str) -> Change[Experiment]:
        """Delete an experiment or bring it back, with all its runs; `NotFound` where it is in that stage already."""

    @abstractmethod
    def set_experiment_tag(self, project_id: int, experiment_id: str, tag: Tag) -> None:
        """Set a tag of an active experiment; `Conflict` for a deleted one."""

    @abstractmethod
    def delete_experiment_tag(self, project_id: int, experiment_id: str, key: str) -> None:
        """Remove a tag of an active experiment; `NotFound` where there is none of that key."""

    @abstractmethod
    def create_run(self, project_id: int, run: NewRun) -> Run:
        """Make a running run; `Conflict` in a deleted experiment."""

    @abstractmethod
    def get_run(self, project_id: int, run_id: str) -> Run:
        """Return the run with all that it logged, also a deleted one."""

    @abstractmethod
    def search_runs(self, project_id: int, query: Query) -> Page[Run]:
        """Return a page of runs; errors as in `search_experiments`."""

    @abstractmethod
    def count_runs(self, project_id: int, query: Query) -> int:
        """Return how many runs the search finds in all; order and page of the query do not matter."""

    def changed_runs(self, project_id: int, since_ms: int, *, limit: int) -> list[RunChange] | None:
        """Return the runs that something was logged or done to since a time, at most `limit`, the newest first.

        None where that cannot be told without a look at all runs; who shows them then asks for them again.
        """
        return None

    @abstractmethod
    def update_run(
        self,
        project_id: int,
        run_id: str,
        *,
        status: str | None = None,
        end_time_ms: int | None = None,
        name: str | None = None,
    ) -> Change[RunInfo]:
        """Change what is given of an active run; `Conflict` for a deleted one.

        The name is also the run's tag ``mlflow.runName``.
        """

    @abstractmethod
    def set_run_lifecycle(self, project_id: int, run_id: str, stage: str) -> Change[RunInfo]:
        """Delete a run or bring it back; a stage that it is in already is no error."""

    @abstractmethod
    def log_batch(
        self,
        project_id: int,
        run_id: str,
        *,
        metrics: Sequence[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write all of it to an active run, or nothing.

        `Conflict` for a deleted run, and for a param that has another value already; the same value, or the same metric
        point, again changes nothing. A metric that names a logged model is kept for that too.
        """

    @abstractmethod
    def delete_run_tag(self, project_id: int, run_id: str, key: str) -> None:
        """Remove a tag of an active run; `NotFound` where there is none of that key."""

    @abstractmethod
    def log_inputs(
        self, project_id: int, run_id: str, *, datasets: Sequence[DatasetInput] = (), models: Sequence[ModelInput] = ()
    ) -> None:
        """Note what an active run used; what it is known to use already stays as it is."""

    def dataset_summaries(
        self, project_id: int, experiment_ids: Sequence[str], *, max_results: int
    ) -> list[DatasetSummary]:
        """Return the datasets that runs of these experiments used, each once with each context, by name and digest.

        This looks at all those runs; a tracker that can ask for less does.
        """
        query = Query(filter="datasets.name LIKE '%'", experiment_ids=experiment_ids, lifecycle_stages=LIFECYCLE_STAGES)
        found: set[DatasetSummary] = set()
        while True:
            page = self.search_runs(project_id, query)
            for run in page.items:
                found.update(summaries_of(run))
            if page.next_page_token is None:
                return sorted(found, key=lambda one: (one.name, one.digest, one.context or ""))[:max_results]
            query = msgspec.structs.replace(query, page_token=page.next_page_token)

    @abstractmethod
    def log_outputs(self, project_id: int, run_id: str, models: Sequence[ModelOutput]) -> None:
        """Note which logged models an active run made."""

    @abstractmethod
    def metric_history(
        self,
        project_id: int,
        run_id: str,
        key: str,
        *,
        window: MetricWindow = WHOLE_HISTORY,
        max_results: int | None = None,
        page_token: str | None = None,
    ) -> Page[Metric]:
        """Return the points of the window in the order of step, timestamp and value; all without `max_results`.

        A metric that was never logged has none.
        """

    @abstractmethod
    def sample_metric(
        self,
        project_id: int,
        run_ids: Sequence[str],
        key: str,
        *,
        max_points: int,
        window: MetricWindow = WHOLE_HISTORY,
    ) -> dict[str, list[Metric]]:
        """Return points of one metric for drawing it: for each run, in order, at most `max_points`, which is 4 or more.

        What has no more points in the window comes whole. Of others come the window's first and last point, and of
        stretches in between the least and the greatest, so that spikes stay. A run without the metric has none.
        """

    @abstractmethod
    def metric_summaries(self, project_id: int, run_ids: Sequence[str]) -> dict[str, list[MetricSummary]]:
        """Return what is known of each metric of each run, by key."""

    @abstractmethod
    def create_logged_model(self, project_id: int, model: NewLoggedModel) -> LoggedModel:
        """Make a pending logged model; `Conflict` in a deleted experiment."""

    @abstractmethod
    def get_logged_model(self, project_id: int, model_id: str) -> LoggedModel:
        """Return the logged model; a deleted one is not found, here and in all that follows."""

    @abstractmethod
    def search_logged_models(self, project_id: int, query: LoggedModelQuery) -> Page[LoggedModel]:
        """Return a page of logged models; errors as in `search_experiments`."""

    @abstractmethod
    def finalize_logged_model(self, project_id: int, model_id: str, status: str) -> Change[LoggedModel]:
        """Say how the model's upload ended."""

    @abstractmethod
    def delete_logged_model(self, project_id: int, model_id: str) -> LoggedModel:
        """Delete the logged model and return it as it was."""

    @abstractmethod
    def log_model_params(self, project_id: int, model_id: str, params: Mapping[str, str]) -> None:
        """Add params; `Conflict` where one has another value already."""

    @abstractmethod
    def set_model_tags(self, project_id: int, model_id: str, tags: Mapping[str, str]) -> LoggedModel:
        """Set tags and return the logged model with them."""

    @abstractmethod
    def delete_model_tag(self, project_id: int, model_id: str, key: str) -> None:
        """Remove a tag; `NotFound` where there is none of that key."""
