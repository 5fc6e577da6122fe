"""A real `modelyard serve` with its processes, for tests that talk to it over HTTP and kill parts of it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

PATIENCE_SECONDS = 60
T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, *, seconds: float = PATIENCE_SECONDS) -> T:
    """Return the first true value of `look`; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; last seen: {seen!r}")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port where nothing listens."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


class Answer:
    """An answer to a request."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.body)


class RunningServer:
    """`modelyard serve` on a free port; everything it starts is gone after `kill_all`."""

    def __init__(self, environment: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.environment = dict(environment)
        self.log = log
        self.arguments = arguments
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: set[psutil.Process] = set()

    def start(self, *, ready: str = "ready") -> RunningServer:
        """Start it and wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "modelyard.cli.main", "serve", "--port", str(self.port), *self.arguments],
                env=self.environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        eventually(lambda: self.status() == ready, f"the server, whose log ends: {self.tail()}")
        return self

    def tail(self) -> str:
        """Return the end of the log."""
        return self.log.read_text()[-1500:] if self.log.exists() else ""

    def status(self) -> str:
        """Return what /health/ready says, or nothing."""
        assert self.process is not None
        assert self.process.poll() is None, f"The server ended: {self.tail()}"
        try:
            return str(self.get("/health/ready").json()["status"])
        except OSError:
            return ""

    def request(
        self, method: str, path: str, *, token: str = "", body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a request; any status is an answer."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=dict(headers or {}))
        if data is not None and not request.has_header("Content-type"):
            request.add_header("Content-Type", "application/json")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return Answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read())
        except http.client.HTTPException as error:  # the server was killed in the middle of its answer
            raise ConnectionError(f"half an answer: {error!r}") from error

    def get(self, path: str, *, token: str = "") -> Answer:
        """Send a GET."""
        return self.request("GET", path, token=token)

    def post(self, path: str, body: Any, *, token: str = "") -> Answer:
        """Send a POST."""
        return self.request("POST", path, token=token, body=body)

    def pids(self, part: str) -> list[int]:
        """Return the processes of a part: `server` (granian's main), `web` (its workers) or `worker`."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        self._seen.update(children)
        found = []
        for child in children:
            try:
                title, parent = " ".join(child.cmdline()).strip(), child.ppid()
            except psutil.NoSuchProcess:
                continue
            if part == "web":
                matches = title.startswith("modelyard: web ")
            else:  # what was just forked still has its parent's title
                matches = title == f"modelyard: {part}" and parent == self.process.pid
            if matches:
                found.append(child.pid)
        return found

    def kill(self, part: str) -> int:
        """Kill one process of a part with SIGKILL; returns its pid."""
        pid = self.pids(part)[0]
        os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> int:
        """Send SIGTERM and wait for the end."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def crash(self) -> None:
        """End every process with SIGKILL, the supervisor first, as when the machine fails."""
        assert self.process is not None
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for child in family:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        self.process.wait(30)
        psutil.wait_procs(family, timeout=30)

    def kill_all(self) -> None:
        """End everything that was ever seen, whatever state it is in."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self._seen.update(psutil.Process(self.process.pid).children(recursive=True))
            self.process.kill()
            self.process.wait(30)
        for process in self._seen:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        for state in Path(self.environment["MODELYARD_DATA_DIRECTORY"]).glob("deployments/*/*/*/replica.json"):
            try:
                os.kill(json.loads(state.read_text())["pid"], signal.SIGKILL)
            except (ProcessLookupError, ValueError):
                continue
