"""The artifacts of an MLflow server that keeps them itself (`mlflow-artifacts:/...`), as a storage.

Bytes pass through in both directions; nothing is held as a whole. As in every storage, a path begins with a folder of
the project's own, which stands for the root of the server's artifacts. With a prefix, only what lies below the
connection's own experiments is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from modelyard.core.errors import NotFound
from modelyard.core.interfaces import Health, Storage, StoredFile
from modelyard.plugins.mlflow.scope import Scope
from modelyard.plugins.mlflow.server import MlflowServer

SCHEME = "mlflow-artifacts:/"


class MlflowArtifacts(Storage):
    """Files behind the server's own artifact endpoints."""

    name = "mlflow_artifacts"
    title = "Artifacts of an MLflow server"

    def __init__(self, settings: Mapping[str, Any], server: MlflowServer, scope: Scope) -> None:
        super().__init__(settings)
        self._server = server
        self._scope = scope

    def health(self) -> Health:
        """List the root."""
        self._server.artifacts("")
        return Health(True)

    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        """Send the chunks as they come; the server drops an upload that breaks off."""
        sent = 0

        def counted() -> Iterator[bytes]:
            nonlocal sent
            for chunk in chunks:
                sent += len(chunk)
                yield chunk

        with self._server.transfer("PUT", self._own(path), counted()):
            return StoredFile(path, sent)

    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Fetch the range; a server that knows no ranges sends all, and what comes before is dropped here."""
        own = self._own(path)
        if length == 0:
            self.stat(path)
            return
        last = "" if length is None else offset + length - 1
        span = f"bytes={offset}-{last}" if offset or length is not None else None
        with self._server.transfer("GET", own, span=span) as answer:
            skip = 0 if answer.status == 206 else offset
            left = length
            for chunk in answer.chunks:
                kept = chunk[skip:][:left]
                skip = max(0, skip - len(chunk))
                left = None if left is None else left - len(kept)
                yield kept
                if left == 0:
                    return

    def stat(self, path: str) -> StoredFile:
        """Look for it in its folder."""
        folder, _, name = path.rpartition("/")
        if not folder:
            return StoredFile(path, 0, is_directory=True)
        found = next((file for file in self.list(folder) if file.path == f"{folder}/{name}"), None)
        if found is None:
            raise NotFound(f"There is no artifact {path!r}.")
        return found

    def list(self, path: str) -> Iterable[StoredFile]:
        """Ask for the folder."""
        folder = _inside(path)
        below = f"{folder}/" if folder else ""
        for file in self._server.artifacts(folder):
            name = str(file["path"]).rpartition("/")[2]
            if self._is_seen(f"{below}{name}"):
                is_directory = bool(file.get("is_dir"))
                yield StoredFile(f"{path}/{name}", 0 if is_directory else int(file.get("file_size", 0)), is_directory)

    def delete(self, path: str) -> None:
        """Remove it; the server's root never."""
        own = self._own(path)
        try:
            self._server.delete_artifact(own)
        except NotFound:
            return

    def _own(self, path: str) -> str:
        """Return the server's path for one below an experiment of the connection's; `NotFound` for any other."""
        own = _inside(path)
        if not own or (self._scope.prefix and not any(_is_below(own, root) for root in self._roots(own))):
            raise NotFound(f"There is no artifact {own!r}.")
        return own

    def _is_seen(self, own: str) -> bool:
        """Whether the path is below one of the connection's experiments, or on the way to one."""
        if not self._scope.prefix:
            return True
        return any(_is_below(own, root) or _is_below(root, own) for root in self._roots(own))

    def _roots(self, own: str) -> Iterable[str]:
        """Return the folders of the connection's experiments on the server."""
        locations = self._scope.locations(own.partition("/")[0])
        return [place.removeprefix(SCHEME).strip("/") for place in locations if place.startswith(SCHEME)]


def _inside(path: str) -> str:
    return path.partition("/")[2]


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
