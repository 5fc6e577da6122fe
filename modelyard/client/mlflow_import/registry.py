"""Registered models and their versions, under the numbers that they have in the source; aliases and stages last."""

from __future__ import annotations

import re

from modelyard.client.errors import ClientError, NotFoundError
from modelyard.client.mlflow_import.marks import (
    ID,
    NUMBER,
    STATE,
    birth_marks,
    digest,
    own_tags,
    pairs,
    tags_of,
    with_ids,
    without,
)
from modelyard.client.mlflow_import.progress import Progress
from modelyard.client.mlflow_import.report import Report
from modelyard.client.mlflow_import.source import PROMPTS, Source
from modelyard.client.mlflow_import.target import Target
from modelyard.client.mlflow_import.version_sources import Unresolved, VersionSources
from modelyard.client.mlflow_import.wire import concerns_one_thing
from modelyard.client.resource import Json

LARGEST_GAP = 1000
"""How many numbers of deleted versions are passed over to keep the numbers of those behind them."""

NO_STAGE = "None"
_QUOTE = re.compile("'")


class Registry:
    """Brings the model registry; `whole` says that models are brought even if none of their versions can be."""

    def __init__(self, source: Source, target: Target, report: Report, progress: Progress, *, whole: bool) -> None:
        self._source = source
        self._target = target
        self._report = report
        self._progress = progress
        self._whole = whole
        self._sources = VersionSources(source, target)

    def bring(self) -> None:
        """Bring every registered model."""
        self._progress.begin("registered models", None)
        for model in self._source.registered_models():
            name = model["name"]
            try:
                self._bring(name, model)
            except ClientError as error:
                if not concerns_one_thing(error):
                    raise
                self._report.leave_out("registered_models", name, error)
            self._progress.advance()
        self._count_prompts()

    def _count_prompts(self) -> None:
        try:
            for prompt in self._source.registered_models(PROMPTS):
                self._report.leave_out("prompts", prompt["name"], "prompts are not brought: their texts have no files")
        except ClientError as error:
            if not concerns_one_thing(error):
                raise

    def _bring(self, name: str, model: Json) -> None:
        versions, unresolved = self._resolved(self._source.versions(name))
        if not versions and not self._whole:
            return
        for version, reason in unresolved:
            self._report.leave_out("model_versions", f"{name}/{version}", reason)
        ours = self._model(name, model)
        numbers = {version["version"]: self._bring_version(name, version, source) for version, source in versions}
        state = digest(without(model, ["last_updated_timestamp", "latest_versions"]), sorted(numbers))
        if tags_of(ours).get(STATE) != state:
            self._finish(name, model, ours, numbers, state)

    def _resolved(self, versions: list[Json]) -> tuple[list[tuple[Json, str]], list[tuple[str, str]]]:
        """Return the versions whose files have a place here, and the numbers of the others with the reason."""
        resolved, unresolved = [], []
        for version in versions:
            try:
                resolved.append((version, self._sources.ours(version)))
            except Unresolved as error:
                unresolved.append((str(version["version"]), str(error)))
        return resolved, unresolved

    def _model(self, name: str, model: Json) -> Json:
        """Return our model of that name, made now if need be."""
        found = self._find_model(name)
        if found is not None:
            self._report.found("registered_models")
            return found
        marks = birth_marks(
            self._source.url,
            f"{name}@{model.get('creation_timestamp', 0)}",
            created_ms=model.get("creation_timestamp"),
        )
        answer = self._target.create(
            "registered-models/create",
            find=lambda: (found := self._find_model(name)) and {"registered_model": found},
            name=name,
            description=model.get("description"),
            tags=pairs(own_tags(model) | marks),
        )
        self._report.add("registered_models")
        made: Json = answer["registered_model"]
        return made

    def _find_model(self, name: str) -> Json | None:
        try:
            found: Json = self._target.get("registered-models/get", name=name)["registered_model"]
        except NotFoundError:
            return None
        return found

    def _bring_version(self, name: str, version: Json, source: str) -> str:
        """Bring one version and return the number that it has here."""
        wanted, state = int(version["version"]), digest(without(version, ["last_updated_timestamp"]))
        found = self._find_version(name, version)
        if found is not None and tags_of(found).get(STATE) == state:
            self._report.found("model_versions")
            return str(found["version"])
        if found is not None and STATE not in tags_of(found) and self._fills_gap(int(found["version"]), wanted):
            self._delete_version(name, found)
            found = None
        while found is None:
            made = self._create_version(name, version, source)
            if self._fills_gap(int(made["version"]), wanted):
                self._delete_version(name, made)
            else:
                found = made
        self._finish_version(name, version, found, state)
        self._report.add("model_versions")
        return str(found["version"])

    def _fills_gap(self, number: int, wanted: int) -> bool:
        """Say whether a version is there only so that its number is used up, as it is in the source."""
        return wanted - LARGEST_GAP <= number < wanted

    def _find_version(self, name: str, version: Json) -> Json | None:
        condition = f"name='{_QUOTE.sub(chr(39) * 2, name)}' and tags.`{ID}` = '{_identity(version)}'"
        found = self._target.get("model-versions/search", filter=condition, max_results=1).get("model_versions")
        return found[0] if found else None

    def _create_version(self, name: str, version: Json, source: str) -> Json:
        marks = birth_marks(
            self._source.url,
            _identity(version),
            created_ms=version.get("creation_timestamp"),
            user=version.get("user_id", ""),
        )
        answer = self._target.create(
            "model-versions/create",
            find=lambda: (found := self._find_version(name, version)) and {"model_version": found},
            name=name,
            source=source,
            run_id=self._target.ours(version.get("run_id", "")),
            run_link=version.get("run_link"),
            model_id=self._target.ours(version.get("model_id", "")),
            description=version.get("description"),
            tags=pairs(self._tags(version) | marks),
        )
        made: Json = answer["model_version"]
        return made

    def _tags(self, version: Json) -> dict[str, str]:
        return {
            key: with_ids(text, self._target.ours) if key.startswith("mlflow.") else text
            for key, text in own_tags(version).items()
        }

    def _delete_version(self, name: str, version: Json) -> None:
        self._target.move("DELETE", "model-versions/delete", name=name, version=version["version"])

    def _finish_version(self, name: str, version: Json, ours: Json, state: str) -> None:
        """Bring tags and description up to date, then the stage, then say that all is there."""
        number, present = ours["version"], tags_of(ours)
        tags = self._tags(version)
        if str(number) != str(version["version"]):
            tags[NUMBER] = str(version["version"])
            moved = "the project had versions of that model already, or too many were deleted: it has another number"
            self._report.leave_out("version_numbers", f"{name}/{version['version']}", moved)
        for key, value in tags.items():
            if present.get(key) != value:
                self._set_version_tag(name, number, key, value)
        if version.get("description", "") != ours.get("description", ""):
            self._target.patch(
                "model-versions/update", name=name, version=number, description=version.get("description", "")
            )
        self._set_stage(name, number, version.get("current_stage") or NO_STAGE, ours.get("current_stage") or NO_STAGE)
        self._set_version_tag(name, number, STATE, state)

    def _set_version_tag(self, name: str, number: str, key: str, value: str) -> None:
        self._target.post("model-versions/set-tag", name=name, version=number, key=key, value=value)

    def _set_stage(self, name: str, number: str, stage: str, present: str) -> None:
        if stage == present:
            return
        try:
            self._target.post(
                "model-versions/transition-stage",
                name=name,
                version=number,
                stage=stage,
                archive_existing_versions=False,
            )
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            self._report.leave_out("stages", f"{name}/{number} to {stage}", error)
        else:
            self._report.add("stages")

    def _finish(self, name: str, model: Json, ours: Json, numbers: dict[str, str], state: str) -> None:
        """Bring aliases, and on a model that we made tags and description, up to date."""
        if ID in tags_of(ours):
            for key, value in own_tags(model).items():
                if tags_of(ours).get(key) != value:
                    self._target.post("registered-models/set-tag", name=name, key=key, value=value)
            if model.get("description", "") != ours.get("description", ""):
                description = model.get("description", "")
                self._target.patch("registered-models/update", name=name, description=description)
        else:
            self._report.note(f"The project had a model {name!r}: its tags and description stay as they were.")
        for alias in model.get("aliases", ()):
            self._set_alias(name, alias["alias"], numbers.get(str(alias["version"])))
        self._target.post("registered-models/set-tag", name=name, key=STATE, value=state)

    def _set_alias(self, name: str, alias: str, number: str | None) -> None:
        if number is None:
            self._report.leave_out("aliases", f"{name}@{alias}", "the version that it points to was not brought")
            return
        try:
            self._target.post("registered-models/alias", name=name, alias=alias, version=number)
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            self._report.leave_out("aliases", f"{name}@{alias}", error)
        else:
            self._report.add("aliases")


def _identity(version: Json) -> str:
    return f"{version['name']}/{version['version']}@{version.get('creation_timestamp', 0)}".replace("'", "_")
