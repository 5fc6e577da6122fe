"""The life of the process: the lock, the port, the model, and the stop."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.serving.config import Config
from modelyard.serving.replica import ReplicaFolder, ReplicaTakenError
from modelyard.serving.wsgi import Application

if TYPE_CHECKING:
    from modelyard.serving.listener import Listener

EXIT_NO_PORT = 69
EXIT_NOT_LOADED = 70
EXIT_TAKEN = 75
_SECONDS_TO_FINISH = 4.0
_SECONDS_TO_END = 0.8

_logger = logging.getLogger(__name__)


def serve(config: Config) -> int:
    """Serve until told to stop; the answer is the process's exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with contextlib.ExitStack() as stack:
        directory = config.directory or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelyard-")))
        try:
            folder = ReplicaFolder(directory)
        except ReplicaTakenError as error:
            _logger.error("%s", error)
            return EXIT_TAKEN
        try:
            # Only now, so that the lock comes first and a missing package is a failure that is written down.
            from modelyard.serving.listener import Listener, bind

            bound = bind(config.host, config.port)
        except ModuleNotFoundError as error:
            return _fail(folder, _reason(error), EXIT_NOT_LOADED)
        except OSError as error:
            return _fail(folder, f"cannot listen on {config.host} port {config.port}: {error}", EXIT_NO_PORT)
        application = Application(config)
        code = _Server(config, folder, application, Listener(application, bound)).run()
        _end_without_waiting(code)
        return code


class _Server:
    def __init__(self, config: Config, folder: ReplicaFolder, application: Application, listener: Listener) -> None:
        self._config = config
        self._folder = folder
        self._application = application
        self._listener = listener
        self._wake = threading.Event()
        self._failure: str | None = None

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._wake.set())
        self._listener.start()
        config = self._config
        address = self._folder.write_state(nonce=config.nonce, host=config.host, port=self._listener.port)
        _logger.info("listening at %s, loading %s", address, config.model)
        loading = threading.Thread(target=self._load, name="loading", daemon=True)
        loading.start()
        self._wake.wait()
        if self._failure is not None:
            return _fail(self._folder, self._failure, EXIT_NOT_LOADED)
        return self._stop(loading)

    def _load(self) -> None:
        started = time.monotonic()
        # A model server tells nobody outside what it does, and models that trace themselves have no tracking server.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")
        try:
            from modelyard.serving.service import Service

            self._application.predictor = Service(self._config)
        except BaseException as error:
            # Also what models raise to end the process: it ends, but with the reason told.
            _logger.exception("the model cannot be loaded")
            self._failure = _reason(error)
            self._wake.set()
        else:
            _logger.info("ready after %.1f s", time.monotonic() - started)

    def _stop(self, loading: threading.Thread) -> int:
        _logger.info("stopping")
        self._application.stopping = True
        finished = self._listener.stop(_SECONDS_TO_FINISH)
        if not finished or loading.is_alive():
            _logger.warning("leaving work unfinished: %s", "loading the model" if finished else "requests")
            # A thread deep in a model's native code would make an orderly exit hang or crash.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        _logger.info("stopped")
        return 0


def _end_without_waiting(code: int) -> None:
    """See to it that threads which the model left running do not keep the process alive."""
    end = threading.Timer(_SECONDS_TO_END, os._exit, (code,))
    end.daemon = True
    end.start()


def _reason(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        distribution = {"mlflow": "mlflow-skinny"}.get(package, package)
        return f"the model server needs the package {package}, which is not installed; run: pip install {distribution}"
    return str(error) or type(error).__name__


def _fail(folder: ReplicaFolder, reason: str, code: int) -> int:
    _logger.error("%s", reason)
    folder.write_failure(reason)
    return code
