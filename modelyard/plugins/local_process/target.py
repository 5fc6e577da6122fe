"""The deployment target `local_process`.

A replica is a process that outlives the server and the worker that started it. Its folder tells all about it: `nonce`
and `spawned.json` are written by whoever starts it, `replica.json`, `failure.json` and the lock on `replica.lock` by
the model server (see docs/serving.md). The lock lets one process live for each folder, whoever was killed while
starting it; the process is known again by its pid, its start time and the nonce that it must answer.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from modelyard import DeploymentTarget, Health, ReplicaSpec, ReplicaStatus
from modelyard.core.processes import start_time
from modelyard.plugins.local_process.limits import limit_process

LOG = "replica.log"
LOCK = "replica.lock"
PROBE_SECONDS = 2
GRACE_SECONDS = 6
LARGEST_LOG_BYTES = 10 * 1024 * 1024
STATE_FILES = ("spawned.json", "replica.json", "failure.json", "nonce")


class LocalProcess(DeploymentTarget):
    """One process for each replica, on this host, with a clean environment and a folder of its own."""

    name = "local_process"
    title = "Process on the server's host"
    capabilities: ClassVar[frozenset[str]] = frozenset({"logs", "runs_on_server_host"})

    def health(self) -> Health:
        """Say whether the model server can be started here."""
        try:
            import mlflow  # noqa: F401
        except ImportError:
            return Health(False, "The model server is not installed: pip install 'modelyard[serving]'")
        return Health(True)

    def start(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Start the process unless one lives in the replica's folder."""
        directory = spec.directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_locked(directory):
            return self.observe(spec)
        for name in STATE_FILES:
            (directory / name).unlink(missing_ok=True)
        nonce = secrets.token_hex(16)
        _write(directory / "nonce", nonce)
        _trim(directory / LOG)
        with (directory / LOG).open("ab") as log:
            process = subprocess.Popen(
                _command(spec),
                cwd=directory,
                env=_environment(spec, nonce),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        limit_process(process.pid)
        started = {"pid": process.pid, "start_time": start_time(process.pid)}
        _write(directory / "spawned.json", json.dumps(started))
        return ReplicaStatus("starting", None, "", started)

    def observe(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Look for the process, ask it who it is, and whether its model is loaded."""
        directory = spec.directory
        _reap(directory)
        state = _read(directory / "replica.json")
        if state is not None and _lives(state):
            return _probe(state, directory)
        spawned = _read(directory / "spawned.json")
        if _is_locked(directory) or (spawned is not None and _lives(spawned)):
            return ReplicaStatus("starting", None, "", _identity(spawned or {}))
        if spawned is None and not (directory / "nonce").exists():
            return ReplicaStatus("absent")
        return ReplicaStatus("failed", None, _reason(directory))

    def stop(self, spec: ReplicaSpec) -> None:
        """End the process by SIGTERM, after 6 s with its whole session by SIGKILL."""
        directory = spec.directory
        for name in ("replica.json", "spawned.json"):
            state = _read(directory / name)
            if state is not None and _lives(state):
                _end(state)
        _reap(directory)
        for name in STATE_FILES:
            (directory / name).unlink(missing_ok=True)

    def logs(self, spec: ReplicaSpec, *, lines: int = 200) -> str:
        """Return the last lines of what the process wrote."""
        return _tail(spec.directory / LOG, lines)


def _command(spec: ReplicaSpec) -> list[str]:
    return [
        sys.executable,
        "-P",
        "-m",
        "modelyard.serving",
        f"--model={spec.model_directory}",
        f"--directory={spec.directory}",
        "--host=127.0.0.1",
        "--port=0",
        f"--model-name={spec.model_name}",
        f"--model-version={spec.model_version}",
    ]


def _environment(spec: ReplicaSpec, nonce: str) -> dict[str, str]:
    """Return what the process may know: nothing of the server's own settings."""
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH") if name in os.environ
    }
    home = {"HOME": str(spec.directory), "TMPDIR": str(spec.directory), "PYTHONUNBUFFERED": "1"}
    return {**kept, **home, **spec.environment, "MODELYARD_NONCE": nonce}


def _is_locked(directory: Path) -> bool:
    """Say whether a process holds the replica's lock."""
    try:
        with (directory / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


def _lives(state: Mapping[str, Any]) -> bool:
    """Say whether the very process that wrote this runs, and not another that got its number."""
    pid = state.get("pid")
    return isinstance(pid, int) and start_time(pid) is not None and start_time(pid) == str(state.get("start_time"))


def _probe(state: Mapping[str, Any], directory: Path) -> ReplicaStatus:
    address = str(state["address"])
    nonce = (directory / "nonce").read_text("ascii") if (directory / "nonce").exists() else ""
    live = _get(address, "/health/live")
    if live is None:
        return ReplicaStatus("unhealthy", address, "The process runs but does not answer.", _identity(state))
    if live[1].get("nonce") != nonce:
        return ReplicaStatus("failed", None, "Another process answers at the replica's address.")
    ready = _get(address, "/health/ready")
    if ready is not None and ready[0] == http.client.OK:
        return ReplicaStatus("ready", address, "", _identity(state))
    return ReplicaStatus("starting", address, "The model is being loaded.", _identity(state))


def _get(address: str, path: str) -> tuple[int, dict[str, Any]] | None:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = json.loads(response.read(64 * 1024))
        return response.status, body if isinstance(body, dict) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _end(state: Mapping[str, Any]) -> None:
    pid = int(state["pid"])
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while _lives(state) and time.monotonic() < deadline:
        _wait_for(pid)
        time.sleep(0.05)
    if _lives(state):
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _reap(directory: Path) -> None:
    """Take the exit code of a child of ours, so that it does not stay as a zombie; others are not ours to wait for."""
    for name in ("spawned.json", "replica.json"):
        state = _read(directory / name)
        if state is not None and isinstance(state.get("pid"), int):
            _wait_for(state["pid"])


def _wait_for(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _reason(directory: Path) -> str:
    failure = _read(directory / "failure.json")
    if failure is not None:
        return str(failure.get("reason", ""))[:1000]
    last = _tail(directory / LOG, 3).strip()
    return f"The process ended. {last}"[:1000]


def _identity(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: state[key] for key in ("pid", "start_time") if key in state}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _trim(log: Path) -> None:
    """Keep one older log beside a new one once it has grown large."""
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        log.replace(log.with_suffix(".log.old"))


def _tail(path: Path, lines: int) -> str:
    """Return the last lines, reading no more than 1 MiB of them."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 1024 * 1024))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
