"""The folder of one replica: the lock that makes it the only one, and the files that say how it is."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOCK = "replica.lock"
STATE = "replica.json"
FAILURE = "failure.json"


class ReplicaTakenError(Exception):
    """Another live process holds the replica's folder."""


class ReplicaFolder:
    """The folder of this replica, held by this process alone until it ends."""

    def __init__(self, directory: Path) -> None:
        """Take the folder, or raise `ReplicaTakenError` at once with the holder's name.

        What an earlier start left behind is removed: a stale state or failure is never taken for this start's.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._lock = _take_lock(directory / LOCK)
        for stale in (STATE, FAILURE):
            (directory / stale).unlink(missing_ok=True)

    def write_state(self, *, nonce: str | None, host: str, port: int) -> str:
        """Write `replica.json` in one step and answer the address in it."""
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        state = {"pid": os.getpid(), "start_time": start_time(), "nonce": nonce}
        self._write(STATE, {**state, "host": host, "port": port, "address": address})
        return address

    def write_failure(self, reason: str) -> None:
        """Write `failure.json`, for whoever started this process to show."""
        self._write(FAILURE, {"reason": reason})

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        temporary = self.directory / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(content), encoding="utf-8")
        temporary.replace(self.directory / name)


def start_time() -> float:
    """When this process started: clock ticks since boot where there is /proc, otherwise seconds since 1970.

    Together with the pid it names a process for good: a later process with the same pid started at another time.
    """
    try:
        stat = Path("/proc/self/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return _IMPORTED_AT
    # The command's name, in brackets, may itself hold spaces and brackets.
    return int(stat.rpartition(")")[2].split()[22 - 3])


def _take_lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 200).decode("utf-8", "replace").strip() or "another process"
        os.close(descriptor)
        raise ReplicaTakenError(f"{path.parent} is held by {holder}; one replica's folder serves one process") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"pid {os.getpid()}\n".encode())
    # A child that the model's code forks would otherwise keep the lock after this process is gone.
    os.register_at_fork(after_in_child=lambda: os.close(descriptor))
    return descriptor


_IMPORTED_AT = time.time()
