"""Downloading artifacts with a progress bar on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from modelyard.cli.errors import INVALID, NOT_FOUND, Failure, visible
from modelyard.cli.output import Json

if TYPE_CHECKING:
    from modelyard.client import Runs


def download_artifacts(runs: Runs, run_id: str, path: str, to: Path) -> list[Path]:
    """Save a file, or all of a folder with the folders in it, below `to`; returns the files in the order of saving."""
    path = path.strip("/")
    files = list(runs.files(run_id, path))
    if not files and not path:
        raise Failure("The run has no artifacts.", code=NOT_FOUND)
    # The listing of a file is empty: it has nothing in it.
    base = PurePosixPath(path) if files else PurePosixPath(path).parent
    files = files or [{"path": path, "is_directory": False, "size_bytes": None}]
    targets = [_inside(to, base, PurePosixPath(file["path"])) for file in files]
    with progress(files) as advance:
        for file, target in zip(files, targets, strict=True):
            runs.download(run_id, file["path"], target, on_bytes=advance)
    return targets


def _inside(folder: Path, base: PurePosixPath, path: PurePosixPath) -> Path:
    """Return where the file goes, never outside of the folder, whatever the server calls it."""
    target = folder / (path.relative_to(base) if path.is_relative_to(base) else path)
    if not target.resolve().is_relative_to(folder.resolve()):
        raise Failure(f"The artifact '{path}' would be saved outside of {folder}.", code=INVALID)
    return target


@contextlib.contextmanager
def progress(files: Sequence[Json]) -> Iterator[Callable[[int], None]]:
    """Draw one bar for all files while the block runs; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    sizes = [file["size_bytes"] for file in files]
    total = None if None in sizes else sum(sizes)
    label = visible(files[0]["path"]) if len(files) == 1 else f"{len(files)} files"
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)
