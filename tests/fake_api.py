"""A small HTTP server on loopback that answers what a test has put into it, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

PROJECT = "/api/v1/organizations/acme/projects/churn"


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """One answer; `cut_at` ends the connection after so many bytes of the body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None

    def content(self) -> tuple[bytes, str]:
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        kind = "application/problem+json" if self.status >= 400 else "application/json"
        return (b"" if self.body is None else json.dumps(self.body).encode()), kind


class FakeApi:
    """Answers by (method, path): a list is used up from its front, its last answer stays."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self._answers: dict[tuple[str, str], list[Answer | Callable[[Asked], Answer]]] = {}

    def put(self, method: str, path: str, *answers: Any) -> None:
        """Set the answers of a route; plain values are bodies with status 200."""
        self._answers[method, path] = [
            answer if isinstance(answer, Answer) or callable(answer) else Answer(body=answer) for answer in answers
        ]

    def page(self, path: str, items: list[Any]) -> None:
        """Set a list of one page."""
        self.put("GET", path, {"items": items, "next_cursor": None})

    def problem(self, method: str, path: str, status: int, code: str, detail: str, **more: Any) -> None:
        """Set a problem."""
        headers = more.pop("headers", {})
        body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
        self.put(method, path, Answer(status, {**body, "request_id": "req-1", **more}, headers))

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        waiting = self._answers.get((asked.method, asked.path))
        if waiting is None:
            detail = f"The fake has no {asked.method} {asked.path}."
            return Answer(404, {"title": "Not Found", "status": 404, "code": "not_found", "detail": detail})
        chosen = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return chosen if isinstance(chosen, Answer) else chosen(asked)

    @property
    def last(self) -> Asked:
        return self.asked[-1]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: FakeApi

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, unquote(parts.path), dict(parse_qsl(parts.query)), dict(self.headers), body)
        answer = self.api.answer(asked)
        content, kind = answer.content()
        self.send_response(answer.status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: answer.cut_at])
        if answer.cut_at is not None:
            self.close_connection = True

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[FakeApi]:
    """Run a fake on a free port."""
    api = FakeApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": api}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    api.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
