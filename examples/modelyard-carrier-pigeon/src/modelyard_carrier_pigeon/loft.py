"""Appending lines to a file that several processes share."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def append_line(file: Path, content: Mapping[str, Any]) -> None:
    """Append the content as one line of JSON; it is on the disk when this returns."""
    line = json.dumps(dict(content), ensure_ascii=False) + "\n"
    with file.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(line.encode())
        stream.flush()
        os.fsync(stream.fileno())
