"""Files in a folder, on fsspec's local file system.

A write goes to a temporary file in `.modelyard-incoming` below the root, is flushed to the disk and renamed into its
place, and then the folder is flushed: after a crash there is the old file or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from fsspec.implementations.local import LocalFileSystem
from marshmallow import Schema, fields, validate

from modelyard import Health, InvalidInput, NotFound, Storage, StoredFile

CHUNK_BYTES = 1024 * 1024
INCOMING = ".modelyard-incoming"
ATTEMPTS = 3


class LocalFilesSettings(Schema):
    """Where the files are."""

    root = fields.String(
        required=True,
        validate=validate.Regexp(r"/[^\0]*\Z", error="Give an absolute path."),
        metadata={"title": "Folder", "description": "An absolute path on the server; made when it is first needed."},
    )


class LocalFiles(Storage):
    """Keeps artifacts as files below `root`. Links that lead out of it are refused."""

    name = "local_files"
    title = "Local files"
    settings_schema = LocalFilesSettings
    capabilities = frozenset({"local", "server_files"})

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._root = Path(settings["root"])
        self._files = LocalFileSystem(auto_mkdir=False, use_listings_cache=False)

    def health(self) -> Health:
        """Whether the folder is there, or can be made, and may be written to."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            return Health(False, f"The folder {self._root} cannot be made: {exc.strerror}.")
        writable = os.access(self._root, os.R_OK | os.W_OK | os.X_OK)
        return Health(writable, "" if writable else f"The folder {self._root} may not be written to.")

    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        """Store the chunks as one file, by way of a temporary one."""
        place = self._place(path)
        if place.is_dir():
            raise InvalidInput(f"'{path}' is a folder: a file of that name cannot be stored.")
        incoming = self._root / INCOMING
        _make_folder(incoming)
        temporary = incoming / uuid4().hex
        try:
            size = self._write_durably(temporary, chunks)
            self._move(temporary, place, path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        return StoredFile(path, size)

    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the file's bytes in chunks of at most 1 MiB."""
        place = self._place(path)
        if not place.is_file():
            raise NotFound(f"There is no file '{path}'.")
        with self._files.open(str(place), "rb") as file:
            file.seek(offset)
            left = length
            while chunk := file.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
                yield chunk
                left = None if left is None else left - len(chunk)

    def stat(self, path: str) -> StoredFile:
        """Describe one file or folder."""
        place = self._place(path)
        if not path or place.is_dir():
            return StoredFile(path, 0, is_directory=True)
        with suppress(FileNotFoundError):
            if place.is_file():
                return StoredFile(path, self._files.size(str(place)))
        raise NotFound(f"There is no file or folder '{path}'.")

    def list(self, path: str) -> Iterable[StoredFile]:
        """List a folder by name; links that lead out of the root are left out."""
        place = self._place(path)
        if not place.is_dir():
            return []
        names = sorted(Path(name).name for name in self._files.ls(str(place), detail=False))
        children = (f"{path}/{name}" if path else name for name in names if path or name != INCOMING)
        return [child for name in children if (child := self._child(name)) is not None]

    def delete(self, path: str) -> None:
        """Remove the file, or the folder with all in it. A link is removed, not what it leads to."""
        folder, _, name = path.rpartition("/")
        _refuse_own_folder(path)
        place = self._place(folder) / name
        with suppress(FileNotFoundError, NotADirectoryError):
            if place.is_symlink():
                place.unlink()
            else:
                self._files.rm(str(place), recursive=place.is_dir())

    def _child(self, path: str) -> StoredFile | None:
        with suppress(InvalidInput, NotFound):
            return self.stat(path)
        return None

    def _place(self, path: str) -> Path:
        _refuse_own_folder(path)
        if any(len(os.fsencode(part)) > 255 for part in path.split("/")):
            raise InvalidInput("A part of the path is longer than 255 bytes.")
        place = self._root / path
        try:
            inside = place.resolve().is_relative_to(self._root.resolve())
        except RuntimeError:  # links in a circle
            inside = False
        if not inside:
            raise InvalidInput(f"'{path}' leads out of the storage.")
        return place

    def _write_durably(self, temporary: Path, chunks: Iterable[bytes]) -> int:
        size = 0
        with self._files.open(str(temporary), "wb", autocommit=True) as file:
            for chunk in chunks:
                file.write(chunk)
                size += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        return size

    def _move(self, temporary: Path, place: Path, path: str) -> None:
        """Rename into place; somebody may delete the folder meanwhile, so its making is tried again."""
        for attempt in range(ATTEMPTS):
            try:
                _make_folder(place.parent)
                temporary.replace(place)
            except (FileExistsError, NotADirectoryError):
                raise InvalidInput(f"A part of '{path}' is a file, so nothing can be below it.") from None
            except IsADirectoryError:
                raise InvalidInput(f"'{path}' is a folder: a file of that name cannot be stored.") from None
            except FileNotFoundError:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                _flush_folder(place.parent)
                return


def _refuse_own_folder(path: str) -> None:
    if path.partition("/")[0] == INCOMING:
        raise InvalidInput(f"'{INCOMING}' is a folder of Modelyard's own.")


def _make_folder(folder: Path) -> None:
    """Make the folder and those above it, durably."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
