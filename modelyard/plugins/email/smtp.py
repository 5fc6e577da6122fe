"""smtplib's client over connections that may not lead inside of our own network, TLS verified, with one time limit."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from modelyard.core import outgoing


class GuardedSMTP(smtplib.SMTP):
    """An SMTP client that connects through the guard; with `tls`, TLS comes first."""

    sock: socket.socket | None

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | None, timeout_seconds: float) -> None:
        super().__init__(local_hostname=socket.gethostname(), timeout=timeout_seconds)
        self._host: str = host  # what TLS is verified against
        self._tls = tls
        self._port = port

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened = outgoing.open_socket(host, port, timeout_seconds=timeout)
        return self._tls.wrap_socket(opened, server_hostname=host) if self._tls else opened

    def open(self) -> None:
        """Connect and hear the greeting."""
        code, text = self.connect(self._host, self._port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        if "." not in self.local_hostname and self.sock is not None:  # then an address is what a server takes
            address = self.sock.getsockname()[0]
            self.local_hostname = f"[IPv6:{address}]" if ":" in address else f"[{address}]"


@contextmanager
def session(settings: Mapping[str, Any], *, timeout_seconds: float) -> Iterator[GuardedSMTP]:
    """Yield a client that is connected, encrypted and signed in as the settings say, for at most that time.

    Raises smtplib's own errors, OSError, and those of `outgoing`.
    """
    security = settings["security"]
    context = None if security == "none" else ssl.create_default_context(cadata=settings["ca_certificates"] or None)
    client = GuardedSMTP(
        settings["host"],
        settings["port"],
        tls=context if security == "tls" else None,
        timeout_seconds=timeout_seconds,
    )
    with outgoing.cut_after(client, timeout_seconds):
        try:
            client.open()
            if security == "starttls":
                client.starttls(context=context)
            if settings["username"]:
                client.login(settings["username"], settings["password"] or "")
            yield client
            with suppress(OSError, ValueError):  # what was sent is sent
                client.quit()
        finally:
            client.close()
