"""Facts about processes: ending with one's parent, and telling a process from another that got its number."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "MODELYARD_PARENT_PID"


def end_with_parent() -> None:
    """End this process with SIGKILL once the process that `PARENT_VARIABLE` names, or any later parent, is gone.

    Without that variable nothing happens: the process was started by hand. On Linux the kernel sees to it, as long as
    the parent starts its children from its main thread; elsewhere a thread watches the parent's number.
    """
    expected = os.environ.get(PARENT_VARIABLE)
    if expected is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = os.getppid()
    if parent == 1 or not _is_descendant(parent, int(expected)):
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.platform != "linux":
        threading.Thread(target=_watch, args=(parent,), name="parent-watch", daemon=True).start()


def _is_descendant(parent: int, expected: int) -> bool:
    """Say whether the process started at `parent` or above it is `expected`; true where that cannot be seen."""
    seen = parent
    while seen > 1 and seen != expected:
        stat = Path(f"/proc/{seen}/stat")
        if not stat.exists():
            return sys.platform != "linux"
        seen = int(stat.read_text().rpartition(")")[2].split()[1])
    return seen == expected


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


def start_time(pid: int) -> str | None:
    """Return what, with the pid, names a process for good: its start in kernel ticks. None where none runs."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


def is_running(pid: int) -> bool:
    """Say whether a process of that number runs and is no zombie."""
    if Path("/proc/self/stat").exists():
        return start_time(pid) is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
