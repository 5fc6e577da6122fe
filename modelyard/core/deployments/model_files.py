"""Brings a model's files from the project's storage to the folder that replicas read."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from modelyard.core.db import new_id
from modelyard.core.errors import NotFound
from modelyard.core.interfaces import StoredFile
from modelyard.core.providers import BoundStorage

MAX_FILES = 100_000


def fetch_model(storage: BoundStorage, *, source: str, destination: Path) -> None:
    """Copy the folder `source` to `destination`, unless it is there: all of it or nothing.

    Raises `NotFound` where the storage has no file below `source`.
    """
    if destination.exists():
        return
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.parent / f".{destination.name}.{new_id()}"
    try:
        for count, entry in enumerate(_files(storage, source), start=1):
            if count > MAX_FILES:
                raise NotFound(f"The model has more than {MAX_FILES} files.")
            _copy(storage, entry, partial / Path(entry.path).relative_to(source))
        if not partial.exists():
            raise NotFound(f"There are no files at {source.partition('/')[2]!r}.")
        partial.rename(destination)
    except FileExistsError:
        shutil.rmtree(partial, ignore_errors=True)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _files(storage: BoundStorage, folder: str) -> Iterator[StoredFile]:
    for entry in storage.list(folder):
        if entry.is_directory:
            yield from _files(storage, entry.path)
        else:
            yield entry


def _copy(storage: BoundStorage, entry: StoredFile, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("wb") as stream:
        for chunk in storage.read(entry.path):
            stream.write(chunk)
