"""Experiments: each is brought into the one of its name, which is made where the project has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from modelyard.client.errors import ClientError, NotFoundError
from modelyard.client.mlflow_import.marks import ID, birth_marks, own_tags, pairs, tags_of, with_ids
from modelyard.client.mlflow_import.report import Report
from modelyard.client.mlflow_import.source import Source
from modelyard.client.mlflow_import.target import Target
from modelyard.client.mlflow_import.wire import concerns_one_thing
from modelyard.client.resource import Json


@dataclass
class Experiment:
    """An experiment of the source, and the one here that it goes into."""

    source: Json
    id: str
    stage: str
    is_ours: bool

    @property
    def source_id(self) -> str:
        """Its id in the source."""
        return str(self.source["experiment_id"])

    @property
    def name(self) -> str:
        """Its name in the source."""
        return str(self.source["name"])

    @property
    def is_deleted(self) -> bool:
        """Whether the source has it among the deleted ones."""
        return bool(self.source.get("lifecycle_stage") == "deleted")


def chosen_experiments(source: Source, names: Sequence[str], *, deleted: bool) -> list[Json]:
    """Return the source's experiments of these names, without names all; `NotFoundError` where one is missing."""
    found = [
        experiment for experiment in source.experiments(deleted=deleted) if not names or experiment["name"] in names
    ]
    known = {experiment["name"] for experiment in found}
    for name in names:
        if name not in known:
            raise NotFoundError(
                f"The MLflow server has no experiment {name!r}.", hint="Deleted ones count with --deleted alone."
            )
    return found


class Experiments:
    """Brings experiments and keeps which goes where."""

    def __init__(self, source: Source, target: Target, report: Report) -> None:
        self._source = source
        self._target = target
        self._report = report
        self.all: list[Experiment] = []

    def bring(self, names: Sequence[str], *, deleted: bool) -> None:
        """Make what is missing and set the tags that are not set."""
        present = list(self._target.experiments())
        by_name = {experiment["name"]: experiment for experiment in present}
        by_id = {tags_of(experiment)[ID]: experiment for experiment in present if ID in tags_of(experiment)}
        for wanted in chosen_experiments(self._source, names, deleted=deleted):
            try:
                known = by_id.get(identity(wanted)) or by_name.get(wanted["name"])
                self._bring(wanted, known)
            except ClientError as error:
                if not concerns_one_thing(error):
                    raise
                self._report.leave_out("experiments", wanted["name"], error)

    def _bring(self, wanted: Json, known: Json | None) -> None:
        if known is None:
            known = self._create(wanted)
            self._report.add("experiments")
        else:
            self._report.found("experiments")
        is_ours = ID in tags_of(known)
        if not is_ours:
            self._report.note(f"The project had an experiment {wanted['name']!r}: what is brought goes into it.")
        experiment = Experiment(wanted, known["experiment_id"], known["lifecycle_stage"], is_ours)
        if experiment.stage == "deleted" and not (experiment.is_deleted and is_ours):
            reason = "the project's experiment of that name is deleted; restore it, and import again"
            self._report.leave_out("experiments", experiment.name, reason)
            return
        self.all.append(experiment)
        if experiment.stage == "active":
            self._tag(experiment, known)

    def _create(self, wanted: Json) -> Json:
        marks = birth_marks(self._source.url, identity(wanted), created_ms=wanted.get("creation_time"))

        def find() -> Json | None:
            try:
                found = self._target.once("GET", "experiments/get-by-name", params={"experiment_name": wanted["name"]})
            except NotFoundError:
                return None
            return {"experiment_id": found["experiment"]["experiment_id"]}

        made = self._target.create("experiments/create", find=find, name=wanted["name"], tags=pairs(marks))
        answer: Json = self._target.get("experiments/get", experiment_id=made["experiment_id"])["experiment"]
        return answer

    def _tag(self, experiment: Experiment, known: Json) -> None:
        """Set tags: all of what we made, only missing ones of what was there before."""
        present = tags_of(known)
        for key, text in own_tags(experiment.source).items():
            value = with_ids(text, self._target.ours)
            if present.get(key) == value or (key in present and not experiment.is_ours):
                continue
            body: Any = {"experiment_id": experiment.id, "key": key, "value": value}
            try:
                self._target.post("experiments/set-experiment-tag", **body)
            except ClientError as error:
                if not concerns_one_thing(error):
                    raise
                self._report.leave_out("tags", f"{experiment.name}/{key}", error)

    def open(self, experiment: Experiment) -> None:
        """Restore one that an earlier import deleted at its end, because there is more to bring into it."""
        if experiment.stage == "deleted":
            self._target.move("POST", "experiments/restore", experiment_id=experiment.id)
            experiment.stage = "active"

    def close(self) -> None:
        """Delete what we made of those that the source has deleted."""
        for experiment in self._to_delete():
            self._target.move("POST", "experiments/delete", experiment_id=experiment.id)
            experiment.stage = "deleted"

    def _to_delete(self) -> Iterator[Experiment]:
        return (each for each in self.all if each.is_deleted and each.is_ours and each.stage == "active")


def identity(experiment: Json) -> str:
    """Return what tells this experiment from every other one of any server."""
    return f"{experiment['experiment_id']}@{experiment.get('creation_time', 0)}"
