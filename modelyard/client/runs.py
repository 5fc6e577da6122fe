"""Runs, their metrics, and the download of their artifacts."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from modelyard.client.addresses import segments
from modelyard.client.errors import InvalidInputError, ServerUnreachableError
from modelyard.client.resource import Json, Resource
from modelyard.client.transport import Response

HISTORY_PAGE_SIZE = 5000


class Runs(Resource):
    """Runs, their metrics and their artifacts."""

    def list(
        self,
        *,
        experiment: str | None = None,
        status: str | None = None,
        filter: str | None = None,  # noqa: A002 - the API's word
        order_by: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Json]:
        """Yield runs; `filter` is in MLflow's language, `order_by` such as ``metrics.auc DESC``.

        `status` is one more condition of the filter.
        """
        if status is not None:
            condition = f"attributes.status = '{_word(status)}'"
            filter = f"{filter} and {condition}" if filter else condition  # noqa: A001
        return self._list("runs", limit=limit, experiment=experiment, filter=filter, order_by=order_by)

    def get(self, run_id: str) -> Json:
        """Return one."""
        return self._one("GET", "runs", run_id)

    def delete(self, run_id: str) -> None:
        """Move one to the deleted; `restore` brings it back."""
        self._call("DELETE", "runs", run_id)

    def restore(self, run_id: str) -> Json:
        """Bring a deleted one back."""
        return self._one("POST", "runs", run_id, "restore")

    def purge(self, run_id: str) -> None:
        """Have a deleted one removed for good, with its artifacts; soon after it is gone."""
        self._call("POST", "runs", run_id, "purge")

    def metric_history(self, run_id: str, key: str, *, limit: int | None = None) -> Iterator[Json]:
        """Yield the points of one metric in the order of steps; not-numbers are texts such as ``"NaN"``."""
        return self._list("runs", run_id, "metrics", key, limit=limit, page_size=HISTORY_PAGE_SIZE)

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
