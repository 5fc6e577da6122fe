"""Artifacts: streamed from one server to the other, several at a time, each whole or not at all."""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, TypeVar

from modelyard.client.errors import ClientError, ServerUnreachableError, UnavailableError
from modelyard.client.mlflow_import.report import Report
from modelyard.client.mlflow_import.source import PROXIED, Owner, Source
from modelyard.client.mlflow_import.target import Target
from modelyard.client.mlflow_import.wire import concerns_one_thing
from modelyard.client.resource import Json
from modelyard.client.transport import Response, Upload

T = TypeVar("T")


def in_parallel(pool: Executor, work: Callable[[T], Any], things: Iterable[T], *, ahead: int) -> None:
    """Do the work for each thing, at most `ahead` of them begun; the first error ends it."""
    open_work: set[Future[Any]] = set()
    try:
        for thing in things:
            if len(open_work) >= ahead:
                finished, open_work = wait(open_work, return_when=FIRST_COMPLETED)
                for future in finished:
                    future.result()
            open_work.add(pool.submit(work, thing))
        for future in open_work:
            future.result()
    except BaseException:
        for future in open_work:
            future.cancel()
        raise


class Artifacts:
    """Copies what a run or logged model has."""

    def __init__(self, source: Source, target: Target, report: Report, pool: Executor, *, ahead: int) -> None:
        self._source = source
        self._target = target
        self._report = report
        self._pool = pool
        self._ahead = ahead

    def bring(self, owner: Owner, root: str) -> bool:
        """Copy all files to below `root`, but for those that are there in the same size; say whether all are there."""
        if not root.startswith(PROXIED):
            reason = "the project keeps this experiment's artifacts elsewhere, not on its server"
            self._report.leave_out("artifacts", owner.identity, reason)
            return False
        missing: list[str] = []

        def copy(file: Json) -> None:
            if not self._copy(owner, file, root):
                missing.append(file["path"])

        try:
            in_parallel(self._pool, copy, self._absent(owner, root), ahead=self._ahead)
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            self._report.leave_out("artifacts", owner.identity, f"at {_place(owner.root)}: {error.detail}")
            return False
        return not missing

    def _absent(self, owner: Owner, root: str) -> Iterator[Json]:
        folders: dict[str, dict[str, int]] = {}
        for file in self._source.files(owner):
            folder, name = posixpath.split(file["path"])
            if folder not in folders:
                folders[folder] = self._sizes(root, folder)
            if folders[folder].get(name) == int(file.get("file_size", 0)):
                self._report.found("artifacts")
            else:
                yield file

    def _sizes(self, root: str, folder: str) -> dict[str, int]:
        """Return what is there; a folder whose name is refused has nothing, and its files say so one by one."""
        try:
            return self._target.sizes(root, folder)
        except ClientError as error:
            if not concerns_one_thing(error):
                raise
            return {}

    def _copy(self, owner: Owner, file: Json, root: str) -> bool:
        path = file["path"]
        try:
            size = self._target.patiently(lambda: self._transfer(owner, file, root))
        except ClientError as error:
            if not concerns_one_thing(error) and not (isinstance(error, UnavailableError) and self._both_answer()):
                raise
            self._report.leave_out("artifacts", f"{owner.identity}/{path}", f"at {_place(owner.root)}: {error.detail}")
            return False
        self._report.add("artifacts")
        self._report.add("artifact_bytes", size)
        return True

    def _transfer(self, owner: Owner, file: Json, root: str) -> int:
        with contextlib.closing(self._source.open(owner, file["path"])) as response:
            promised = response.headers.get("content-length", "")
            size = int(promised) if promised.isdigit() else int(file.get("file_size", 0))
            body = Upload(self._received(response), size) if size else b""
            self._target.put(root, file["path"], body)
        return size

    def _received(self, response: Response) -> Iterator[bytes]:
        """Yield the chunks; a source that breaks off is not taken for a project's server that does."""
        try:
            for chunk in response.chunks:
                self._source.go_on()
                yield chunk
        except OSError as error:
            raise ServerUnreachableError(f"The download from {self._source.url} broke off.") from error

    def _both_answer(self) -> bool:
        """Say whether both servers are there: then it is this file alone that cannot be brought."""
        try:
            self._source.once("POST", "experiments/search", body={"max_results": 1})
            self._target.once("POST", "experiments/search", body={"max_results": 1})
        except ClientError:
            return False
        return True


def _place(root: str) -> str:
    """Return where artifacts are kept, without what might be a login or a signature in the address."""
    scheme, mark, rest = root.partition("://")
    if not mark:
        return root.partition(":")[0] + ":" if ":" in root else "a folder of the server"
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"
