"""Brings a model's files from the project's storage to the folder that replicas read, and takes them away."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from modelyard.core.db import new_id
from modelyard.core.errors import InvalidInput, NotFound, PluginContractError, TooLarge
from modelyard.core.interfaces import StoredFile
from modelyard.core.providers import BoundStorage, check_path

MAX_FILES = 100_000


def fetch_model(storage: BoundStorage, *, source: str, destination: Path) -> None:
    """Copy the folder `source` to `destination`, unless it is there: all of it or nothing.

    Raises `NotFound` where the storage has no file below `source`. A copy that is killed leaves a folder whose name
    starts with a dot: see `forget_models`.
    """
    if destination.exists():
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.parent / f".{destination.name}.{new_id()}"
    try:
        for entry, inside in _files(storage, source):
            _copy(storage, entry, partial / inside)
        if not partial.exists():
            raise NotFound(f"There are no files at {source.partition('/')[2]!r}.")
        partial.rename(destination)
    except OSError:
        if not destination.exists():
            raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _files(storage: BoundStorage, source: str) -> Iterator[tuple[StoredFile, str]]:
    """Yield each file below `source` with its path in there."""
    folders, seen = [source], 0
    while folders:
        folder = folders.pop()
        for entry in storage.list(folder):
            seen += 1
            if seen > MAX_FILES:
                raise TooLarge(f"The model has more than {MAX_FILES} files.")
            inside = _inside(storage, entry, folder, source)
            if entry.is_directory:
                folders.append(entry.path)
            else:
                yield entry, inside


def _inside(storage: BoundStorage, entry: StoredFile, folder: str, source: str) -> str:
    """Return the entry's path below `source`; a storage that lists something from elsewhere breaks its contract."""
    try:
        check_path(entry.path)
    except InvalidInput:
        inside = ""
    else:
        inside = entry.path.removeprefix(f"{source}/") if entry.path.startswith(f"{folder}/") else ""
    if not inside:
        raise PluginContractError(
            f"The plugin '{storage.entry.plugin}' listed {entry.path[:200]!r} in the folder {folder[:200]!r}.",
            plugin=storage.entry.plugin,
            operation="list",
        )
    return inside


def _copy(storage: BoundStorage, entry: StoredFile, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") as stream, closing(storage.read(entry.path)) as chunks:
        for chunk in chunks:
            stream.write(chunk)


def forget_models(folder: Path, *, keep: Collection[str]) -> None:
    """Remove all models but those named `keep`, and what killed copies left behind."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.name not in keep:
            shutil.rmtree(entry, ignore_errors=True)
