"""The processes of a replica: found again whoever started them, and ended for good.

The model server is named by its pid and its start time. Whatever a replica's folder says, each process that began with the
folder in its environment is the replica's: so the server is found in the moment before anything is written down, and so are
the processes that the model's code started.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from modelyard import PluginUnavailable
from modelyard.core.processes import start_time

MARK = "MODELYARD_REPLICA"
LOCK = "replica.lock"
START_LOCK = "start.lock"
GRACE_SECONDS = 6
KILLED_SECONDS = 5
POLL_SECONDS = 0.05
_children: dict[int, subprocess.Popen[bytes]] = {}


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Let one start or stop at a time work on a replica, of all threads and processes; a killed one lets go."""
    with (directory / START_LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def living(directory: Path) -> dict[str, Any] | None:
    """Return pid and start time of the replica's server, or None where none lives."""
    for name in ("replica.json", "spawned.json"):
        state = read(directory / name)
        if state is not None and lives(state):
            return state
    if is_locked(directory):
        holder = re.search(r"pid (\d+)", (directory / LOCK).read_text("utf-8", "replace"))
        state = {"pid": int(holder[1]), "start_time": start_time(int(holder[1]))} if holder else {}
        return state if lives(state) else None
    if (directory / "spawned.json").exists():
        return None
    leaders = [pid for pid in members(directory) if _leads(pid)]
    return {"pid": leaders[0], "start_time": start_time(leaders[0])} if leaders else None


def lives(state: Mapping[str, Any]) -> bool:
    """Say whether the very process that is named runs, and not another that got its number."""
    pid = state.get("pid")
    return type(pid) is int and start_time(pid) is not None and start_time(pid) == str(state.get("start_time"))


def is_locked(directory: Path) -> bool:
    """Say whether a process holds the replica's lock."""
    try:
        with (directory / LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def members(directory: Path) -> list[int]:
    """Return the processes that began with the mark of this replica in their environment."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return sorted(found)


def remember(process: subprocess.Popen[bytes]) -> None:
    """Keep a child of ours until `exit_code` has seen its end."""
    _children[process.pid] = process


def exit_code(pid: int) -> int | None:
    """Return how a child of ours ended, once; it does not stay as a zombie then. None for all others."""
    child = _children.get(pid)
    code = child.poll() if child is not None else None
    if code is not None:
        _children.pop(pid, None)
    return code


def end(directory: Path) -> None:
    """End the server by SIGTERM, and after 6 s, with all that it started, by SIGKILL.

    Raises `PluginUnavailable` where something cannot be ended.
    """
    server = living(directory)
    if server is not None:
        _signal(os.kill, server["pid"], signal.SIGTERM)
        _wait_while(lambda: lives(server), GRACE_SECONDS, server["pid"])
        _signal(os.killpg, server["pid"], signal.SIGKILL)
        _signal(os.kill, server["pid"], signal.SIGKILL) if lives(server) else None
    for pid in members(directory):
        _signal(os.kill, pid, signal.SIGKILL)
