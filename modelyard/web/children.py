"""The processes under `modelyard serve`: how each begins, and what all of them share.

On Linux they are forked from a supervisor that has imported what they need, so that this stands in memory once and
nothing is imported twice. When it forks, it has one thread and no connection. Elsewhere, and where changed files are to
be read again, each starts as a Python of its own.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.process import BaseProcess
from typing import Any

from setproctitle import setproctitle

from modelyard.config.settings import Settings
from modelyard.config.sources import load_settings
from modelyard.core.errors import ConfigurationError, ModelyardError
from modelyard.core.processes import end_with_parent

Context = ForkContext | SpawnContext
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SHARED_MODULES = (
    "modelyard.web.app",
    "modelyard.web.rate_counters",
    "modelyard.core.worker",
    "granian.server",
    "granian._loops",
)


def context_for(*, reload: bool) -> Context:
    """Return how children start here."""
    if sys.platform == "linux" and not reload:
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


@contextmanager
def unseen(names: Collection[str]) -> Iterator[None]:
    """Let these modules seem not to be installed, as far as they are not loaded yet."""
    hidden: dict[str, Any] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)  # None is the import system's own word for it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def needless(settings: Settings) -> list[str]:
    """Return what libraries take along wherever it is installed, 15 MiB of it, and this server has no use for."""
    found = ["uvloop", "watchfiles", "dotenv"]  # granian, for servers that are not WSGI and for its own command line
    if settings.log.format == "json" or (settings.log.format == "auto" and not sys.stderr.isatty()):
        found.append("rich")  # structlog, for stack traces in colour
    found.append("psycopg2")  # peewee, as psycopg; on PostgreSQL we take the latter
    if settings.database_url.startswith("sqlite:"):
        found.append("psycopg")
    return found


def build_shared() -> None:
    """Import and build what the children need, and keep the garbage collector of each from writing to these pages."""
    settings = load_settings()  # as each child reads them
    gc.disable()
    with unseen(needless(settings)):
        from modelyard.core.plugin_loading import discover
        from modelyard.web import server

        for name in SHARED_MODULES:
            import_module(name)
    for source in discover():
        if source.distribution == "modelyard" and source.name not in settings.plugins.disabled:
            with suppress(ImportError):  # of which the plugin manager tells
                import_module(source.entry_point.module)
    server.prepare(settings)
    gc.freeze()
    gc.enable()


def start(context: Context, name: str, run: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a child that shows as ``modelyard: NAME`` and ends with this process.

    A signal that comes meanwhile waits until the child has dropped the handlers that it inherits.
    """
    process = context.Process(target=_begin, args=(name, run, *arguments), name=name)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def _begin(name: str, run: Callable[..., None], *arguments: Any) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    end_with_parent()
    show_as(name)
    run(*arguments)


def show_as(name: str) -> None:
    """Let `ps` and `top` show this process as ``modelyard: NAME``."""
    setproctitle(f"modelyard: {name}")


def prepare(context: Context, tell: Callable[[str], None]) -> None:
    """Bring the database up to date and try out what a server needs, in a child: the supervisor opens no database.

    Raises `ConfigurationError` where a server could not start.
    """
    receiver, sender = context.Pipe(duplex=False)
    with sender:
        process = start(context, "upgrade", _prepare, sender, tell)
    process.join()
    if process.exitcode == 0:
        receiver.close()
        return
    message, hint = "The server cannot start; the lines above say why.", None
    with receiver, suppress(EOFError):
        message, hint = receiver.recv()
    raise ConfigurationError(message, hint=hint)


def _prepare(refusal: Connection, tell: Callable[[str], None]) -> None:
    from peewee import PeeweeException

    from modelyard.core.bootstrap import check_start
    from modelyard.core.migrations import upgrade

    settings = load_settings()
    try:
        upgrade(settings)
        link = check_start(settings)
    except (ModelyardError, OSError, PeeweeException) as error:
        refusal.send((getattr(error, "message", str(error)), getattr(error, "hint", None)))
        sys.exit(1)
    if link is not None:
        tell("there is no user yet; make the first administrator, once, at")
        tell(link)


def serve() -> None:
    """Be the server's main process."""
    from modelyard.web.server import main

    main()


def work() -> None:
    """Be the job worker."""
    from modelyard.core.worker import main

    main(load_settings())
