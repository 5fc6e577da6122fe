"""Requests of MLflow's protocol over kept connections, timed, with every refusal counted."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec
from servers import API, Server, Space

AJAX = "/ajax-api/2.0/mlflow"
REQUEST_SECONDS = 300
IDLE_SECONDS = 2  # servers close connections that are idle for longer; uvicorn after 5

Request = tuple[str, str, bytes | None]


@dataclass
class Timed:
    """What was sent: how long each answer took, in seconds, and how many of each client's requests were answered."""

    lasted: float = 0.0
    took: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Answered requests in a second."""
        return len(self.took) / self.lasted


def quantile_ms(took: Sequence[float], share: float) -> float:
    """Return a quantile of seconds, in milliseconds."""
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


class Wire:
    """One client of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=REQUEST_SECONDS)
        self._used = time.perf_counter()

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send one request and read its answer."""
        headers = self.server.headers if body is None else {**self.server.headers, "Content-Type": "application/json"}
        if time.perf_counter() > self._used + IDLE_SECONDS:
            self._connection.close()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        data = answer.read()
        self._used = time.perf_counter()
        return answer.status, data

    def post(self, space: Space, path: str, **body: Any) -> dict[str, Any]:
        """Post to an endpoint; raises where it is refused."""
        return self.ask(*post(space, path, **body))

    def get(self, space: Space, path: str, base: str = API, **query: Any) -> dict[str, Any]:
        """Get from an endpoint; raises where it is refused."""
        return self.ask(*get(space, path, base, **query))

    def ask(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        """Send one request; raises where it is refused."""
        status, data = self.send(method, path, body)
        if status != 200:
            raise RuntimeError(f"{self.server.name}: {method} {path} answered {status}: {data[:300]!r}")
        return dict(json.loads(data))  # MLflow writes NaN and Infinity bare, which strict readers refuse

    def create_run(self, space: Space, **more: Any) -> str:
        """Create a run and return its id."""
        return str(self.post(space, "runs/create", experiment_id=space.experiment_id, **more)["run"]["info"]["run_id"])

    def steps(self, space: Space, run_id: str, key: str) -> list[int]:
        """Return the steps of a metric's whole history."""
        found: list[int] = []
        query = {"run_id": run_id, "metric_key": key}
        while True:
            page = self.get(space, "metrics/get-history", **query)
            found += [int(point.get("step", 0)) for point in page.get("metrics", ())]
            if not page.get("next_page_token"):
                return found
            query["page_token"] = page["next_page_token"]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def post(space: Space, path: str, **body: Any) -> Request:
    """Return a request that posts."""
    return "POST", f"{space.prefix}{API}/{path}", msgspec.json.encode(body)


def get(space: Space, path: str, base: str = API, **query: Any) -> Request:
    """Return a request that gets."""
    return "GET", f"{space.prefix}{base}/{path}?{urlencode(query, doseq=True)}", None


def drive(server: Server, clients: Sequence[Iterable[Request]], seconds: float) -> Timed:
    """Let clients send for a while, each its next request when the last is answered.

    A client whose connection breaks ends, and what it waited for is neither answered nor an error.
    """
    results = [Timed() for _ in clients]
    begin = threading.Barrier(len(clients) + 1)

    def work(mine: Timed, requests: Iterable[Request]) -> None:
        wire = Wire(server)
        begin.wait()
        for request in requests:
            sent = time.perf_counter()
            try:
                status, data = wire.send(*request)
            except (OSError, http.client.HTTPException):
                break
            now = time.perf_counter()
            if status == 200:
                mine.took.append(now - sent)
            else:
                mine.errors.append(f"{status}: {data[:200]!r}")
            if now > until:
                break
        wire.close()

    threads = [threading.Thread(target=work, args=pair) for pair in zip(results, clients, strict=True)]
    until = time.perf_counter() + seconds
    for thread in threads:
        thread.start()
    begin.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    return Timed(
        lasted=time.perf_counter() - began,
        took=[took for one in results for took in one.took],
        errors=[error for one in results for error in one.errors],
        answered=[len(one.took) for one in results],
    )
