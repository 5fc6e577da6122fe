"""Requests of MLflow's protocol over kept connections, timed, with every refusal counted."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from servers import Server

API = "/api/2.0/mlflow"
AJAX = "/ajax-api/2.0/mlflow"


@dataclass
class Timed:
    """How long requests took, in seconds; `count` counts what they carried (points, runs, requests)."""

    count: int = 0
    lasted: float = 0.0
    took: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """What was carried in a second."""
        return self.count / self.lasted if self.lasted else 0.0

    def quantile_ms(self, share: float) -> float:
        """Return a quantile of the answer's times."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else float("nan")


class Wire:
    """One client of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send one request and read its answer; a connection that broke is made anew once."""
        headers = dict(self.server.headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
        self._connection.request(method, self.server.prefix + path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Post to an endpoint of the API; raises where it is refused."""
        status, data = self.send("POST", f"{API}/{path}", json.dumps(body).encode())
        if status != 200:
            raise RuntimeError(f"{self.server.name}: {path} answered {status}: {data[:300]!r}")
        return dict(json.loads(data))

    def get(self, path: str, base: str = API, **query: Any) -> dict[str, Any]:
        """Get from an endpoint of the API; raises where it is refused."""
        status, data = self.send("GET", f"{base}/{path}?{urlencode(query, doseq=True)}")
        if status != 200:
            raise RuntimeError(f"{self.server.name}: {path} answered {status}: {data[:300]!r}")
        return dict(json.loads(data))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


Request = tuple[str, str, bytes | None]


def drive(server: Server, clients: int, seconds: float, make: Callable[[int, int], Request], carries: int = 1) -> Timed:
    """Let clients send for a while, each its next request when the last is answered.

    `make` gets the client's number and that of its request, and gives method, path and body.
    """
    results = [Timed() for _ in range(clients)]
    begin = threading.Barrier(clients)

    def work(number: int) -> None:
        wire, mine, index = Wire(server), results[number], 0
        begin.wait()
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            request = make(number, index)
            sent = time.perf_counter()
            status, data = wire.send(*request)
            mine.took.append(time.perf_counter() - sent)
            if status == 200:
                mine.count += carries
            else:
                mine.errors.append(f"{status}: {data[:200]!r}")
            index += 1
        mine.lasted = time.perf_counter() - began
        wire.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return together(results)


def together(results: Sequence[Timed]) -> Timed:
    """Put what several clients measured together."""
    return Timed(
        count=sum(one.count for one in results),
        lasted=max(one.lasted for one in results),
        took=[took for one in results for took in one.took],
        errors=[error for one in results for error in one.errors],
    )
