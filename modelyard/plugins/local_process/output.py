"""What a replica's process writes: one file that is kept small, and one older file beside it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

LOG = "replica.log"
OLD_LOG = "replica.log.old"
LARGEST_BYTES = 10 * 1024 * 1024
READ_BYTES = 1024 * 1024


def rotate(directory: Path) -> None:
    """Copy a large log aside and empty it, while the process goes on appending; lines written meanwhile may be lost."""
    log = directory / LOG
    if log.exists() and log.stat().st_size > LARGEST_BYTES:
        partial = directory / f".{OLD_LOG}.{os.getpid()}"
        shutil.copyfile(log, partial)
        partial.replace(directory / OLD_LOG)
        os.truncate(log, 0)


def tail(directory: Path, lines: int) -> str:
    """Return the last lines, of the older file too where the newer one has too few; at most 1 MiB of each is read."""
    found = _lines(directory / LOG)
    if len(found) < lines:
        found = _lines(directory / OLD_LOG) + found
    return "\n".join(found[-lines:]) if lines > 0 else ""


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - READ_BYTES))
            text = stream.read(READ_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()
