"""The HTTP server's processes: granian's main process, and the application that each of its workers loads."""

from __future__ import annotations

from typing import Any

from modelyard.config.sources import load_settings
from modelyard.core.processes import end_with_parent

RESPAWN_SECONDS = 0.2
STOP_SECONDS = 5


def create_wsgi_app() -> Any:
    """Build the application in a server process; granian calls it there."""
    end_with_parent()
    from modelyard.core.bootstrap import build
    from modelyard.web.app import create_app

    return create_app(build(load_settings(), process="web"))


def main() -> None:
    """Run granian's main process until it is told to stop; settings come from the file and the environment."""
    end_with_parent()
    from granian import Granian
    from granian.constants import Interfaces
    from granian.log import LogLevels

    settings = load_settings()
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
    ).serve()


if __name__ == "__main__":
    main()
