"""The WSGI server under the application: waitress, on a socket of our own, with an orderly stop."""

from __future__ import annotations

import os
import socket
import threading
import time
from http import HTTPStatus
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import RequestEntityTooLarge

from modelyard.serving.gate import WAITING
from modelyard.serving.messages import RefusedError, error_response, too_large
from modelyard.serving.wsgi import Application

_FOR_HEALTH_CHECKS = 4
_POLL_SECONDS = 0.02


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to the address, not listening yet; port 0 takes a free port, without a moment to lose it in."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound


class Listener:
    """Serves the application on a bound socket, from a thread of its own, until `stop`."""

    def __init__(self, application: Application, bound: socket.socket) -> None:
        self._sockets: dict[int, Any] = {}
        self.port: int = bound.getsockname()[1]
        config = application.config
        adjustments = Adjustments(
            threads=config.threads + WAITING + _FOR_HEALTH_CHECKS,
            # waitress refuses from this size on, so a body of exactly the limit is let in.
            max_request_body_size=config.max_body_bytes + 1,
            connection_limit=1000,
            asyncore_use_poll=True,
            ident=None,
            clear_untrusted_proxy_headers=True,
        )
        sockinfo = (bound.family, bound.type, bound.proto, bound.getsockname())
        self._server = _Server(
            application, self._sockets, _sock=bound, adj=adjustments, sockinfo=sockinfo, bind_socket=False
        )
        # A child that the model's code forks would otherwise keep the port after this process is gone.
        os.register_at_fork(after_in_child=bound.close)

    def start(self) -> None:
        """Answer requests from now on."""
        threading.Thread(target=self._server.run, name="listener", daemon=True).start()

    def stop(self, seconds: float) -> bool:
        """Take no more connections and finish what was begun; False when that did not end within `seconds`."""
        deadline = time.monotonic() + seconds
        self._server.trigger.pull_trigger(self._server.stop_accepting)
        while self._server.busy():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


class _ErrorTask(ErrorTask):  # type: ignore[misc]
    """The answer to what never becomes a request of the application: in JSON, and counted and logged like any other."""

    def execute(self) -> None:
        application: Application = self.channel.server.served
        error = self.request.error
        refused = RefusedError(error.code, str(error.body).strip() or HTTPStatus(error.code).phrase)
        if isinstance(error, RequestEntityTooLarge):
            refused = too_large(application.config.max_body_bytes)
        # waitress sets these only once it has read the first line.
        path, method = getattr(self.request, "path", ""), getattr(self.request, "command", "")
        response = error_response(refused, open_inference=path.startswith("/v2/"))
        application.record("unread", method, path, refused.status, 0.0)
        self.status = f"{response.status} {HTTPStatus(response.status).phrase}"
        self.response_headers.append(("Content-Type", response.content_type))
        self.set_close_on_finish()
        self.content_length = len(response.body)
        self.write(response.body)


class _Channel(HTTPChannel):  # type: ignore[misc]
    error_task_class = _ErrorTask


class _Server(TcpWSGIServer):  # type: ignore[misc]
    channel_class = _Channel

    def __init__(self, application: Application, *arguments: Any, **adjustments: Any) -> None:
        self.served = application
        super().__init__(application, *arguments, **adjustments)

    def stop_accepting(self) -> None:
        """Close the listening socket only; called in the listener's thread."""
        wasyncore.dispatcher.close(self)

    def busy(self) -> bool:
        """Whether a request is being read, answered or sent."""
        channels = list(self.active_channels.values())
        return self.accepting or any(
            channel.requests or channel.request is not None or channel.total_outbufs_len for channel in channels
        )
