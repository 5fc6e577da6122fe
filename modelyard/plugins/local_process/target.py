"""The deployment target `local_process`.

A replica is a process that outlives the server and the worker that started it. Its folder tells all about it: `nonce`
and `spawned.json` are written by whoever starts it, `exit.json` by whoever saw its end, `replica.json`, `failure.json`
and the lock on `replica.lock` by the model server (see docs/serving.md). The process is known again by its pid, its
start time and the nonce that it must answer (see `life`).
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from modelyard import DeploymentTarget, Health, ReplicaSpec, ReplicaStatus
from modelyard.core.processes import start_time
from modelyard.plugins.local_process import life, output
from modelyard.plugins.local_process.limits import limit_process
from modelyard.plugins.local_process.requirements import Differences, compare

HOST = "127.0.0.1"
PROBE_SECONDS = 2
EXIT = "exit.json"
STATE_FILES = ("nonce", "spawned.json", "replica.json", "failure.json", EXIT)
KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
LONGEST_REASON = 1000


class LocalProcess(DeploymentTarget):
    """One process for each replica, on this host, with a clean environment and a folder of its own."""

    name = "local_process"
    title = "Process on the server's host"
    capabilities: ClassVar[frozenset[str]] = frozenset({"logs", "runs_on_server_host"})

    def health(self) -> Health:
        """Say whether the model server can be started here."""
        if start_time(os.getpid()) is None:
            return Health(False, "Processes are told apart by /proc, which this host does not have.")
        try:
            import mlflow  # noqa: F401
        except ImportError:
            return Health(False, "The model server is not installed: pip install 'modelyard[serving]'")
        return Health(True)

    def start(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Start the process unless one lives in the replica's folder."""
        directory = spec.directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with life.one_at_a_time(directory):
            status = self.observe(spec)
            if status.state not in {"absent", "failed"}:
                return status
            life.end(directory)
            for name in STATE_FILES:
                (directory / name).unlink(missing_ok=True)
            found = _compare(spec)
            if reason := found.why_not():
                life.write(directory / "failure.json", {"reason": reason})
                return ReplicaStatus("failed", None, reason)
            return _spawn(spec, found.note())

    def observe(self, spec: ReplicaSpec) -> ReplicaStatus:
        """Look for the process, ask it who it is, and whether its model is loaded."""
        directory = spec.directory
        output.rotate(directory)
        life.reap()
        state = life.living(directory)
        if state is not None:
            note = str((life.read(directory / "spawned.json") or {}).get("note", ""))
            return _probe(state, directory, note) if "port" in state else _starting(state, "", note)
        if not any((directory / name).exists() for name in STATE_FILES if name != EXIT):
            return ReplicaStatus("absent")
        return ReplicaStatus("failed", None, _reason(directory))

    def stop(self, spec: ReplicaSpec) -> None:
        """End the process by SIGTERM, after 6 s by SIGKILL, and with it all that it started."""
        directory = spec.directory
        if not directory.exists():
            return
        with life.one_at_a_time(directory):
            life.end(directory)
            for name in STATE_FILES:
                (directory / name).unlink(missing_ok=True)

    def logs(self, spec: ReplicaSpec, *, lines: int = 200) -> str:
        """Return the last lines of what the process wrote."""
        return output.tail(spec.directory, lines)


def _compare(spec: ReplicaSpec) -> Differences:
    try:
        return compare(spec.model_directory / "requirements.txt")
    except ImportError:
        return Differences()  # without the model server the process itself says what to install


def _spawn(spec: ReplicaSpec, note: str) -> ReplicaStatus:
    directory = spec.directory
    nonce = secrets.token_hex(16)
    life.write(directory / "nonce", {"nonce": nonce})
    output.rotate(directory)
    with (directory / output.LOG).open("ab") as log:
        if note:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {note}\n".encode())
            log.flush()
        process = subprocess.Popen(
            _command(spec),
            cwd=directory,
            env=_environment(spec, nonce),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    life.remember(process, directory)
    limit_process(process.pid)
    started = {"pid": process.pid, "start_time": start_time(process.pid)}
    life.write(directory / "spawned.json", {**started, "note": note})
    return _starting(started, "", note)


def _command(spec: ReplicaSpec) -> list[str]:
    return [
        sys.executable,
        "-P",
        "-m",
        "modelyard.serving",
        f"--model={spec.model_directory}",
        f"--directory={spec.directory}",
        f"--host={HOST}",
        "--port=0",
        f"--model-name={spec.model_name}",
        f"--model-version={spec.model_version}",
    ]


def _environment(spec: ReplicaSpec, nonce: str) -> dict[str, str]:
    """Return what the process may know: nothing of the server's own settings."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    home = {"HOME": str(spec.directory), "TMPDIR": str(spec.directory), "PYTHONUNBUFFERED": "1"}
    return {**kept, **home, **spec.environment, "MODELYARD_NONCE": nonce, life.MARK: str(spec.directory)}


def _starting(state: Mapping[str, Any], text: str, note: str) -> ReplicaStatus:
    return ReplicaStatus("starting", None, f"{text} {note}".strip(), _identity(state))


def _probe(state: Mapping[str, Any], directory: Path, note: str) -> ReplicaStatus:
    """Ask the process at the port that it told; the host is ours to know, not its to tell."""
    port, nonce = state["port"], (life.read(directory / "nonce") or {}).get("nonce")
    if type(port) is not int:
        return ReplicaStatus("failed", None, "The process told a port that is none.")
    address = f"http://{HOST}:{port}"
    live = _get(port, "/health/live")
    if live is None:
        return ReplicaStatus("unhealthy", address, "The process runs but does not answer.", _identity(state))
    if live[1].get("nonce") != nonce:
        return ReplicaStatus("failed", None, "Another process answers at the replica's address.")
    ready = _get(port, "/health/ready")
    if ready is not None and ready[0] == http.client.OK:
        return ReplicaStatus("ready", address, note, _identity(state))
    return _starting(state, "The model is being loaded.", note)


def _get(port: int, path: str) -> tuple[int, dict[str, Any]] | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = json.loads(response.read(64 * 1024))
        return response.status, body if isinstance(body, dict) else {}
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _reason(directory: Path) -> str:
    failure = life.read(directory / "failure.json")
    if failure is not None:
        return str(failure.get("reason", ""))[:LONGEST_REASON]
    last = output.tail(directory, 3).strip()
    return f"The process {_how_it_ended(directory)}. {last}".strip()[:LONGEST_REASON]


def _how_it_ended(directory: Path) -> str:
    seen, spawned = (life.read(directory / name) or {} for name in (EXIT, "spawned.json"))
    code = seen.get("code")
    if type(code) is not int or seen["pid"] != spawned.get("pid"):
        return "ended"
    try:
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with the code {code}"
    except ValueError:
        return f"was ended by the signal {-code}"


def _identity(state: Mapping[str, Any]) -> dict[str, Any]:
    return {key: state[key] for key in ("pid", "start_time") if key in state}
