"""`modelyard serve`: the process that starts the server and the job worker, restarts and ends them in order.

It holds the lock of the data directory, and has the database upgraded before it starts anything.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import IO

from modelyard.config.settings import Settings, declared_settings
from modelyard.core.errors import ConfigurationError
from modelyard.core.processes import PARENT_VARIABLE
from modelyard.web import children

LOCK_FILE = "serve.lock"
STOP_SECONDS = 9
LONGEST_PAUSE_SECONDS = 30
STEADY_SECONDS = 60


@dataclass
class Child:
    """A process that is kept running."""

    name: str
    run: Callable[[], None]
    context: children.Context
    process: BaseProcess | None = None
    started_at: float = 0
    failures: int = 0
    start_after: float = field(default=0)

    def keep_running(self) -> None:
        """Start it if it does not run; after a failure with a pause that doubles up to 30 s."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.exitcode
            if code is None:
                return
            self.failures = 0 if now - self.started_at > STEADY_SECONDS else self.failures + 1
            pause = min(LONGEST_PAUSE_SECONDS, 0.1 * 2**self.failures)
            say(f"the {self.name} ended with {code}; it starts again in {pause:.1f} s")
            self.process.close()
            self.process, self.start_after = None, now + pause
        if now >= self.start_after:
            self.process = children.start(self.context, self.name, self.run)
            self.started_at = now

    def start_anew(self) -> None:
        """End it, to be started again at once."""
        self.stop()
        self.process, self.failures, self.start_after = None, 0, 0

    def stop(self) -> None:
        """Ask it to end, and end it after 9 s."""
        if self.process is None or self.process.exitcode is not None:
            return
        self.process.terminate()
        self.process.join(STOP_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


class Changes:
    """Notices changed Python files of this package, for development."""

    def __init__(self, folder: Path) -> None:
        try:
            import watchfiles
        except ImportError:
            raise ConfigurationError(
                "--reload needs the library watchfiles, which is not installed.", hint="pip install watchfiles"
            ) from None
        self._seen: list[str] = []
        changes = watchfiles.watch(folder, watch_filter=watchfiles.PythonFilter(), debounce=200)
        threading.Thread(target=self._collect, args=(changes,), name="changes", daemon=True).start()

    def _collect(self, changes: Iterator[set[tuple[object, str]]]) -> None:
        for some in changes:
            self._seen += [Path(path).name for _, path in some]

    def take(self) -> list[str]:
        """Return the names of the files that changed since the last time."""
        seen, self._seen = self._seen, []
        return sorted(set(seen))


def run(settings: Settings, *, with_worker: bool = True, reload: bool = False) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises `ConfigurationError` where it cannot start.

    With `reload` the children are started anew whenever a file of the package changes.
    """
    directory = settings.data.directory.resolve()
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    children.show_as("supervisor")
    lock = take_lock(directory / LOCK_FILE)
    os.register_at_fork(after_in_child=lock.close)  # a child that outlives this process must not hold the directory
    if settings.server.port == 0:
        settings = with_free_port(settings)
    check_port(settings.server.host, settings.server.port)
    os.environ.update(child_environment(settings))  # before anything is imported that reads it
    context = children.context_for(reload=reload)
    if context.get_start_method() == "fork":
        children.build_shared()
    children.prepare(context, say)
    kept = [Child("server", children.serve, context)]
    if with_worker:
        kept.append(Child("worker", children.work, context))
    changes = Changes(Path(__file__).parents[1]) if reload else None
    try:
        return _watch(kept, settings, changes)
    finally:
        for child in kept:
            child.stop()
        lock.close()


def _watch(kept: list[Child], settings: Settings, changes: Changes | None = None) -> int:
    stopping: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    for number in children.STOP_SIGNALS:
        signal.signal(number, stop)
    say(f"serving at {settings.public_url} (data in {settings.data.directory.resolve()})")
    while not stopping:
        if changes is not None and (names := changes.take()):
            say(f"changed: {', '.join(names[:5])}; starting anew")
            for child in kept:
                child.start_anew()
        for child in kept:
            child.keep_running()
        time.sleep(0.1)
    say("stopping")
    return 0


def take_lock(path: Path) -> IO[str]:
    """Hold the data directory for this server; raises `ConfigurationError` naming the process that holds it already."""
    lock = path.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise ConfigurationError(
            f"Another server (pid {holder}) uses {path.parent}. Stop it, or give this one another --data-dir."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def with_free_port(settings: Settings) -> Settings:
    """Return the settings with a port where nothing listens now."""
    with socket.socket() as trial:
        trial.bind((settings.server.host, 0))
        port = int(trial.getsockname()[1])
    origins = {**settings.origins, "server.port": "chosen"}
    return replace(settings, server=replace(settings.server, port=port), origins=origins)


def check_port(host: str, port: int) -> None:
    """Raise `ConfigurationError` where nobody can listen; granian would share a taken port with the other silently."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"The server cannot listen on {host}:{port}: {error.strerror or error}.",
            hint="Give another --host or --port.",
        ) from None


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment that gives the children these very settings, wherever each came from."""
    environment = dict(os.environ)
    for key, _ in declared_settings():
        if key not in settings.origins:
            continue
        section, name = key.split(".")
        value = getattr(getattr(settings, section), name)
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        environment["MODELYARD_" + key.replace(".", "_").upper()] = text
    environment |= {
        "MODELYARD_DATA_DIRECTORY": str(settings.data.directory.resolve()),
        PARENT_VARIABLE: str(os.getpid()),
    }
    if settings.file is not None:
        environment["MODELYARD_CONFIG"] = str(settings.file.resolve())
    metrics = settings.data.directory.resolve() / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    return environment


def say(text: str) -> None:
    """Write a line to the log."""
    sys.stderr.write(f"modelyard: {text}\n")
    sys.stderr.flush()
