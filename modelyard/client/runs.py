"""Runs and the download of their artifacts."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from modelyard.client.addresses import segments
from modelyard.client.errors import InvalidInputError, ServerUnreachableError
from modelyard.client.metrics import Metrics
from modelyard.client.resource import Json, given
from modelyard.client.transport import Response


class Runs(Metrics):
    """Runs, their metrics and their artifacts."""

    def list(
        self,
        *,
        experiment: str | None = None,
        status: str | None = None,
        filter: str | None = None,  # noqa: A002 - the API's word
        order_by: str | None = None,
        lifecycle: str | None = None,
        parent: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Yield runs; `filter` is in MLflow's language, `order_by` such as ``metrics.auc DESC``.

        `experiment` is one id or several with commas, `lifecycle` active, deleted or all, `parent` the run that they
        are nested in; `status` is one more condition of the filter.
        """
        if status is not None:
            condition = f"attributes.status = '{_word(status)}'"
            filter = f"{filter} and {condition}" if filter else condition  # noqa: A001
        query: dict[str, Any] = {"experiment": experiment, "filter": filter, "order_by": order_by}
        return self._list("runs", limit=limit, lifecycle=lifecycle, parent=parent, **query)

    def count(self, **search: Any) -> int:
        """Return how many runs a search finds in all; it takes `experiment`, `filter`, `lifecycle` and `parent`."""
        return int(self._one("GET", "runs", count="true", limit=1, **search)["total_count"])

    def get(self, run_id: str, *, children: bool = False) -> Json:
        """Return one, also a deleted one; with `children` the runs that are nested in it as well."""
        return self._one("GET", "runs", run_id, children="true" if children else None)

    def create(
        self,
        *,
        experiment_id: str | None = None,
        name: str | None = None,
        parent_run_id: str | None = None,
        started_at: str | None = None,
        note: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Json:
        """Make a running one, by default in the experiment "Default"."""
        body = given(experiment_id=experiment_id, name=name, parent_run_id=parent_run_id, started_at=started_at)
        return self._one("POST", "runs", json={**body, **given(note=note, tags=tags)})

    def edit(self, run_id: str, **changes: Any) -> Json:
        """Change what is given: `name`, `status`, `ended_at`, `note`, `tags` (of which one that is None goes)."""
        return self._one("PATCH", "runs", run_id, json=changes)

    def log(
        self,
        run_id: str,
        *,
        metrics: Sequence[Json] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log to an active one, all or nothing; a metric is ``{"key": "loss", "value": 0.3, "step": 5}``."""
        body = {"metrics": list(metrics), **given(params=params, tags=tags)}
        self._call("POST", "runs", run_id, "log", json=body)

    def delete(self, run_id: str) -> None:
        """Move one to the deleted; `restore` brings it back."""
        self._call("DELETE", "runs", run_id)

    def restore(self, run_id: str) -> Json:
        """Bring a deleted one back."""
        return self._one("POST", "runs", run_id, "restore")

    def purge(self, run_id: str) -> None:
        """Have a deleted one removed for good, with its artifacts; soon after it is gone."""
        self._call("POST", "runs", run_id, "purge")

    def delete_many(self, run_ids: Sequence[str]) -> int:
        """Delete up to 1000, all or none, and return how many were not deleted already."""
        return int(self._one("POST", "runs", "delete", json={"run_ids": list(run_ids)})["changed_count"])

    def restore_many(self, run_ids: Sequence[str]) -> int:
        """Bring up to 1000 deleted ones back, all or none, and return how many were deleted."""
        return int(self._one("POST", "runs", "restore", json={"run_ids": list(run_ids)})["changed_count"])

    def tag_many(self, run_ids: Sequence[str], tags: Mapping[str, str | None]) -> int:
        """Set tags of up to 1000 active ones, of which one that is None goes; all or none."""
        body = {"run_ids": list(run_ids), "tags": dict(tags)}
        return int(self._one("POST", "runs", "tags", json=body)["changed_count"])

    def artifacts(self, run_id: str, path: str = "") -> Iterator[Json]:
        """Yield what lies directly in a folder: `{path, is_directory, size_bytes}`."""
        return self._list("runs", run_id, "artifacts", path=path or None)

    def files(self, run_id: str, path: str = "") -> Iterator[Json]:
        """Yield all files of a folder and the folders in it."""
        for artifact in self.artifacts(run_id, path):
            if artifact["is_directory"]:
                yield from self.files(run_id, artifact["path"])
            else:
                yield artifact

    def download(
        self, run_id: str, path: str, to: Path, *, on_bytes: Callable[[int], None] = lambda count: None
    ) -> Path:
        """Download one file to `to`, which is complete or not there; `on_bytes` is told the size of every chunk.

        A `to` that is a folder takes the file under its own name.
        """
        target = to / PurePosixPath(path).name if to.is_dir() else to
        address = self._path + segments("runs", run_id, "artifacts", "content")
        response = self._client.send("GET", address, params={"path": path}, stream=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{uuid.uuid4().hex}.part")
        with contextlib.closing(response):
            try:
                self._save(response, partial, on_bytes)
                partial.replace(target)
            finally:
                partial.unlink(missing_ok=True)
        return target

    def _save(self, response: Response, partial: Path, on_bytes: Callable[[int], None]) -> None:
        size = 0
        with partial.open("wb") as file:
            for chunk in self._received(response):
                file.write(chunk)
                size += len(chunk)
                on_bytes(len(chunk))
        promised = response.headers.get("content-length", "")
        if promised.isdigit() and "content-encoding" not in response.headers and int(promised) != size:
            raise ServerUnreachableError(f"The download broke off after {size} of {promised} bytes.", hint="Try again.")

    def _received(self, response: Response) -> Iterator[bytes]:
        """Yield the chunks; apart from writing them, so that a full disk is not taken for a broken connection."""
        chunks = iter(response.chunks)
        while True:
            try:
                chunk = next(chunks, None)
            except OSError as error:
                raise ServerUnreachableError("The download broke off.", hint="Try again.") from error
            if chunk is None:
                return
            yield chunk


def _word(text: str) -> str:
    """Return what may stand between the quotes of a filter."""
    if not text.replace("_", "").isalnum():
        raise InvalidInputError(f"{text!r} is no status.", code="invalid_input")
    return text.upper()
