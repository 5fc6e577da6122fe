"""The project that is written to, through its own MLflow wire, and what earlier imports left there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

from modelyard.client.addresses import segments
from modelyard.client.errors import NotFoundError
from modelyard.client.mlflow_import.marks import ID, STATE, tags_of
from modelyard.client.mlflow_import.source import PROXIED, PROXY
from modelyard.client.mlflow_import.wire import Wire
from modelyard.client.project import Project
from modelyard.client.resource import Json
from modelyard.client.transport import Upload

PAGE_SIZE = 200
MOST_EXPERIMENTS = 1000
_MARKED = f"tags.`{ID}` LIKE '%'"


class Known(NamedTuple):
    """A thing that was brought: its id here, its state, and whether it is active or deleted."""

    id: str
    state: str = ""
    stage: str = "active"


class Target(Wire):
    """The project's MLflow server."""

    def __init__(self, project: Project) -> None:
        super().__init__(project.client, "/mlflow" + segments(project.organization, project.name))
        self.name = f"{project.organization}/{project.name}"
        self.runs: dict[str, Known] = {}
        self.models: dict[str, Known] = {}

    def check(self) -> None:
        """Ask whether the project is there and may be written to; raises the `ClientError` that says why not."""
        self.once("POST", "experiments/search", body={"max_results": 1})
        # Permissions come before the run is looked for: only who may log is told that there is none.
        try:
            self.once("POST", "runs/log-batch", body={"run_id": "0" * 32})
        except NotFoundError:
            return

    def read(self) -> None:
        """Learn which runs and logged models are there; some 300 bytes are kept for each."""
        experiments = [experiment["experiment_id"] for experiment in self.experiments()]
        for run in self._marked("runs/search", "runs", experiments, run_view_type="ALL"):
            tags, info = tags_of(run["data"]), run["info"]
            self.runs[tags[ID]] = Known(info["run_id"], tags.get(STATE, ""), info["lifecycle_stage"])
        for model in self._marked("logged-models/search", "models", experiments):
            tags = tags_of(model["info"])
            self.models[tags[ID]] = Known(model["info"]["model_id"], tags.get(STATE, ""))

    def _marked(self, path: str, name: str, experiments: list[str], **more: Any) -> Iterator[Json]:
        for start in range(0, len(experiments), MOST_EXPERIMENTS):
            part = experiments[start : start + MOST_EXPERIMENTS]
            yield from self.pages(
                "POST", path, name, experiment_ids=part, filter=_MARKED, max_results=PAGE_SIZE, **more
            )

    def experiments(self) -> Iterator[Json]:
        """Yield all experiments, also deleted ones."""
        path = "experiments/search"
        return self.pages("POST", path, "experiments", view_type="ALL", max_results=PAGE_SIZE)

    def ours(self, identity: str) -> str | None:
        """Return the id that a run or logged model of the source has here."""
        known = self.models.get(identity) if identity.startswith("m-") else self.runs.get(identity)
        return known and known.id

    def find(self, path: str, name: str, experiment_id: str, identity: str, **more: Any) -> Json | None:
        """Return the run or logged model that was made for one of the source, as the answer to its making reads."""
        condition = f"tags.`{ID}` = '{identity}'"
        page = self.once(
            "POST", path, body={"experiment_ids": [experiment_id], "filter": condition, "max_results": 1, **more}
        )
        found = page.get(name) or [None]
        return None if found[0] is None else {name[:-1]: found[0]}

    def sizes(self, root: str, folder: str) -> dict[str, int]:
        """Return the files in a folder by name, with their sizes."""
        path = f"{root.removeprefix(PROXIED)}/{folder}".rstrip("/")
        answer = self.patiently(lambda: self.send("GET", PROXY.rstrip("/"), params={"path": path}).json())
        return {file["path"]: int(file.get("file_size", 0)) for file in answer["files"] if not file["is_dir"]}

    def put(self, root: str, path: str, body: bytes | Upload) -> None:
        """Store a file; it is there whole or not at all."""
        self.send("PUT", PROXY + quote(f"{root.removeprefix(PROXIED)}/{path}"), data=body)
