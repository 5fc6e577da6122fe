"""The processes of a replica: found again whoever started them, and ended for good.

The model server is named by its pid and its start time. Whatever a replica's folder says, each process that began with
the folder's name in its environment is the replica's: so the server is found in the moment before its pid is written
down, and so are the processes that the model's code started.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from modelyard import PluginUnavailable
from modelyard.core.processes import start_time

MARK = "MODELYARD_REPLICA"
START_LOCK = "start.lock"
GRACE_SECONDS = 6
KILLED_SECONDS = 5
POLL_SECONDS = 0.05
_children: dict[int, tuple[subprocess.Popen[bytes], Path]] = {}


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Let one start or stop at a time work on a replica, of all threads and processes; a killed one lets go."""
    with (directory / START_LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def living(directory: Path) -> dict[str, Any] | None:
    """Return what names the replica's server, its pid and start time at least; None where none lives."""
    for name in ("replica.json", "spawned.json"):
        state = read(directory / name)
        if state is not None and lives(state):
            return state
    if (directory / "spawned.json").exists() or not (directory / "nonce").exists():
        return None
    # Whoever started it was killed before it could write down whom.
    leaders = [pid for pid in members(directory) if _leads(pid)]
    return {"pid": leaders[0], "start_time": start_time(leaders[0])} if leaders else None


def lives(state: Mapping[str, Any]) -> bool:
    """Say whether the very process that is named runs, and not another that got its number."""
    pid = state.get("pid")
    return type(pid) is int and start_time(pid) is not None and start_time(pid) == str(state.get("start_time"))


def members(directory: Path) -> list[int]:
    """Return the processes that began with the mark of this replica in their environment."""
    mark = f"{MARK}={directory}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in entry.read_bytes().split(b"\0"):
                found.append(int(entry.parent.name))
    return sorted(found)


def remember(process: subprocess.Popen[bytes], directory: Path) -> None:
    """Keep a child of ours until `reap` has seen its end."""
    _children[process.pid] = process, directory


def reap() -> None:
    """Write down how children of ours ended, in `exit.json`, so that they do not stay as zombies."""
    for pid, (child, directory) in list(_children.items()):
        code = child.poll()
        if code is not None:
            _children.pop(pid, None)
            if (read(directory / "spawned.json") or {}).get("pid") == pid:
                write(directory / "exit.json", {"pid": pid, "code": code})


def end(directory: Path) -> None:
    """End the server by SIGTERM, and after 6 s, with all that it started, by SIGKILL.

    Raises `PluginUnavailable` where something cannot be ended.
    """
    server = living(directory)
    if server is not None:
        pid = server["pid"]
        _signal(os.kill, pid, signal.SIGTERM)
        _wait_while(lambda: lives(server), GRACE_SECONDS)
        if lives(server):
            _signal(os.kill, pid, signal.SIGKILL)
        _signal(os.killpg, pid, signal.SIGKILL)
    for pid in members(directory):
        _signal(os.kill, pid, signal.SIGKILL)
    _wait_while(lambda: (server is not None and lives(server)) or members(directory), KILLED_SECONDS)
    if left := members(directory):
        raise PluginUnavailable(f"The process {left[0]} does not end, not even by SIGKILL.")


def read(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file; None where there is none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object in one step."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    partial.write_text(json.dumps(content), "utf-8")
    partial.replace(path)


def _leads(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:
        return False


def _signal(send: Callable[[int, int], None], pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        send(pid, number)


def _wait_while(holds: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while holds() and time.monotonic() < deadline:
        reap()
        time.sleep(POLL_SECONDS)
    reap()
