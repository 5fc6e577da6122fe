"""The demo's server: `modelyard serve` as a process of its own, started, asked for its health, stopped."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from modelyard.core.processes import start_time

BIN = Path(sys.executable).parent
READY_SECONDS = 60


class LocalServer:
    """`modelyard serve` with its data in `directory`/data and its log in `directory`/serve.log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.log = directory / "serve.log"
        self.port = free_port(int(os.environ.get("MODELYARD_DEMO_PORT", "5000")))
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def begin_anew(self) -> None:
        """End what an earlier tour left running, and remove its data."""
        for lock in (self.data / "serve.lock", self.directory / "receiver.lock"):
            if is_held(lock):
                end(int(lock.read_text()))
        for state in self.data.glob("deployments/*/revision-*/replica-*/replica.json"):
            replica = json.loads(state.read_text())
            if start_time(replica["pid"]) == str(replica["start_time"]):
                end(replica["pid"])
        shutil.rmtree(self.data, ignore_errors=True)
        for old in (self.log, self.directory / "error.log"):
            old.unlink(missing_ok=True)

    def start(self) -> None:
        """Start it apart from this terminal, and wait until every part of it answers."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MODELYARD_")}
        environment["MODELYARD_OUTGOING_ALLOWED_NETWORKS"] = "127.0.0.0/8"
        command = [str(BIN / "modelyard"), "serve", "--port", str(self.port), "--data-dir", str(self.data)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self._is_ready, READY_SECONDS, f"the server; see {self.log}")

    def stop(self) -> None:
        """End it as Ctrl-C would, and wait for it."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(30)

    def leave(self) -> None:
        """End server and receiver, as far as they were started."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        receiver = self.directory / "receiver.lock"
        if is_held(receiver):
            end(int(receiver.read_text()))

    def _is_ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"The server ended at once; the end of {self.log}:\n{self.log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2) as answer:
                return bool(json.load(answer)["status"] == "ready")
        except (OSError, urllib.error.URLError):
            return False


def is_held(lock: Path) -> bool:
    """Say whether the process that wrote its number into the file still holds it."""
    if not lock.exists():
        return False
    with lock.open() as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def free_port(wanted: int) -> int:
    """Return `wanted`, or any free port where something listens there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", wanted))
        except OSError:
            trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def end(pid: int) -> None:
    """End a process by SIGTERM, after 12 s by SIGKILL."""
    born = start_time(pid)
    for number, patience in ((signal.SIGTERM, 12.0), (signal.SIGKILL, 5.0)):
        if born is None or start_time(pid) != born:
            return
        os.kill(pid, number)
        deadline = time.monotonic() + patience
        while start_time(pid) == born and time.monotonic() < deadline:
            time.sleep(0.05)


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask until the condition holds; `TimeoutError` naming `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"Waited {seconds:g} s for {what}.")
        time.sleep(0.1)
