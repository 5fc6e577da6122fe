"""A replica that answers as it is asked to, and keeps what it was sent."""

from __future__ import annotations

import gzip
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MIB = 1024 * 1024


class FakeReplica(ThreadingHTTPServer):
    """Keeps what it was sent and answers as the path says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], int]] = []
        self.bodies: list[bytes] = []
        self.received = 0
        self.go_on = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that break off are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    server: FakeReplica
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(0)

    def do_POST(self) -> None:
        left = length = int(self.headers.get("Content-Length", 0))
        body = b""
        while left and (piece := self.rfile.read(min(left, 64 * 1024))):
            left -= len(piece)
            self.server.received += len(piece)
            body = (body + piece)[:1000]
        self.server.bodies.append(body)
        self._answer(length)

    def _answer(self, length: int) -> None:
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), length))
        what = self.path.partition("?")[0].rpartition("/")[2]
        if what == "break":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status = int(what) if what.isdecimal() else 200
        self.send_response(status)
        if what == "half":
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.wfile.flush()
            self.close_connection = True
            return
        if what == "pieces":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"first", b"second"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                self.server.go_on.wait(10)
            self.wfile.write(b"0\r\n\r\n")
            return
        body = json.dumps({"replica": self.server.server_port}).encode()
        if what == "large":
            body = b"y" * (20 * MIB)
        if what == "gzip":
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        if status == 503:
            self.send_header("Retry-After", "7")
        self.send_header("Content-Type", "text/html" if what == "page" else "application/vnd.odd+json")
        self.send_header("Set-Cookie", "theirs=1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Keep the tests' output quiet."""
