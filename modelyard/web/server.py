"""The HTTP server's processes: granian's main process, and the application that each of its workers loads."""

from __future__ import annotations

import multiprocessing
import sys
from typing import TYPE_CHECKING, Any

from setproctitle import getproctitle

from modelyard.config.settings import Settings
from modelyard.config.sources import load_settings
from modelyard.core.processes import end_with_parent
from modelyard.web.children import show_as

if TYPE_CHECKING:
    from flask import Flask

RESPAWN_SECONDS = 0.2
STOP_SECONDS = 5


class Prepared:
    """The application without its services, built before the server processes were forked; None where it was not."""

    app: Flask | None = None


def prepare(settings: Settings) -> None:
    """Build what the server processes will share."""
    from modelyard.web.app import build_app

    Prepared.app = build_app(settings)


def create_wsgi_app() -> Any:
    """Build the application in a server process; granian calls it there."""
    end_with_parent()
    show_as(f"web {getproctitle().rpartition('-')[2]}")  # granian's own title ends with worker-1, worker-2
    from modelyard.core.bootstrap import build
    from modelyard.web.app import build_app, give_services

    settings = load_settings()
    return give_services(Prepared.app or build_app(settings), build(settings, process="web"))


def main() -> None:
    """Run granian's main process until it is told to stop; settings come from the file and the environment."""
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    settings = load_settings()
    if sys.platform == "linux":
        multiprocessing.set_start_method("fork", force=True)  # which is granian's default, too, but not every Python's
    Granian(
        "modelyard.web.server:create_wsgi_app",
        address=settings.server.host,
        port=settings.server.port,
        interface=Interfaces.WSGI,
        factory=True,
        workers=settings.server_processes,
        blocking_threads=settings.server.threads,
        backpressure=settings.server.threads * 4,
        respawn_failed_workers=True,
        respawn_interval=RESPAWN_SECONDS,
        workers_kill_timeout=STOP_SECONDS,
        websockets=False,
        log_level=LogLevels.error,
        log_access=False,
        process_name="modelyard: server",
    ).serve()
