"""The storage: every file is a zip archive with one member.

The file ``a/b`` is `a.d/b.zip` below the root, so a file and a folder of one name do not meet. Unfinished archives are
in `incoming`, which no path leads to.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from marshmallow import Schema, fields, validate

from modelyard import Health, NotFound, Storage, StoredFile

CHUNK_BYTES = 1024 * 1024
MEMBER = "content"


class ZippedFilesSettings(Schema):
    """Where the archives are, and how small."""

    folder = fields.String(required=True, validate=validate.Length(min=1), metadata={"title": "Folder"})
    level = fields.Integer(
        load_default=6,
        validate=validate.Range(min=0, max=9),
        metadata={"title": "Level", "description": "0 is quick, 9 is small."},
    )


class ZippedFiles(Storage):
    """Keeps artifacts compressed, one zip archive for each file."""

    name = "zipped_files"
    title = "Zipped files"
    settings_schema = ZippedFilesSettings
    capabilities = frozenset({"server_files"})

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__(settings)
        self._root = Path(settings["folder"])

    def health(self) -> Health:
        """Whether the folder is there, or can be made, and may be written to."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            return Health(False, f"{self._root}: {exc.strerror}")
        return Health(os.access(self._root, os.W_OK))

    def write(self, path: str, chunks: Iterable[bytes]) -> StoredFile:
        """Zip the chunks into a temporary archive, flush it to the disk, and rename it."""
        incoming = self._root / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        temporary = incoming / uuid4().hex
        try:
            size = self._zip(temporary, chunks)
            archive = self._archive(path)
            archive.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(archive)
        finally:
            temporary.unlink(missing_ok=True)
        return StoredFile(path, size)

    def read(self, path: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Unzip from the beginning and yield what is in the range."""
        try:
            archive = zipfile.ZipFile(self._archive(path))
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"There is no file '{path}'.") from None
        with archive, archive.open(MEMBER) as member:
            member.seek(offset)
            left = length
            while chunk := member.read(CHUNK_BYTES if left is None else min(CHUNK_BYTES, left)):
                yield chunk
                left = None if left is None else left - len(chunk)

    def stat(self, path: str) -> StoredFile:
        """Describe one file or folder; sizes are those of the content."""
        archive = self._archive(path)
        if path and archive.is_file():
            with zipfile.ZipFile(archive) as opened:
                return StoredFile(path, opened.getinfo(MEMBER).file_size)
        if not path or self._folder(path).is_dir():
            return StoredFile(path, 0, is_directory=True)
        raise NotFound(f"There is no file or folder '{path}'.")

    def list(self, path: str) -> Iterable[StoredFile]:
        """List a folder by name."""
        folder = self._folder(path)
        if not folder.is_dir():
            return []
        names = {entry.stem for entry in folder.iterdir() if entry.suffix in (".d", ".zip")}
        return [self.stat(f"{path}/{name}" if path else name) for name in sorted(names)]

    def delete(self, path: str) -> None:
        """Remove the file, and the folder of that name with all in it."""
        self._archive(path).unlink(missing_ok=True)
        shutil.rmtree(self._folder(path), ignore_errors=True)

    def _zip(self, temporary: Path, chunks: Iterable[bytes]) -> int:
        size = 0
        level = self.settings["level"]
        with temporary.open("wb") as file:
            with (
                zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive,
                archive.open(MEMBER, "w", force_zip64=True) as member,
            ):
                for chunk in chunks:
                    member.write(chunk)
                    size += len(chunk)
            file.flush()
            os.fsync(file.fileno())
        return size

    def _folder(self, path: str) -> Path:
        return self._root.joinpath(*(f"{part}.d" for part in path.split("/") if part))

    def _archive(self, path: str) -> Path:
        folder, _, name = path.rpartition("/")
        return self._folder(folder) / f"{name}.zip"
